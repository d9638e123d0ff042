//! Tombstones of documents in a feed that somebody follows.

use crate::feeds::design;
use crate::support::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_store::*;

const FEED: &str = "billing/acme";
const HERS: &str = r#"{"account":"acme"}"#;

/// Sees what matches the feed's selector; follows the feed, or does not.
fn ann(database: &Database, follows: bool) -> Database {
    database.on_behalf(Arc::new(Asker {
        sees: Some(Arc::new(|seen| seen.body.starts_with(r#"{"account":"acme""#))),
        tombstones_of: Vec::from_iter(follows.then(|| FEED.into())),
        ..Asker::default()
    }))
}

/// Id, leaves and body of each change.
fn changes(database: &Database) -> Vec<String> {
    let scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut rows = Vec::new();
    let mut each = |row: ChangeRow<'_>| {
        let revs: Vec<String> = row
            .leaves
            .map(|(rev, gone)| format!("{rev}{}", if gone { "!" } else { "" }))
            .collect();
        rows.push(format!(
            "{} {} {}",
            row.id,
            revs.join(" "),
            row.winner.unwrap().body
        ));
        ControlFlow::Continue(())
    };
    assert!(database.changes(&scan, &mut each).unwrap().done);
    rows
}

/// A store with a feed that is built.
fn with_feed() -> (tempfile::TempDir, Store, Database) {
    let (dir, store, database) = store();
    put(&database, "_design/billing", None, &design(HERS));
    database.build_feeds().unwrap();
    (dir, store, database)
}

#[test]
fn who_follows_a_feed_hears_of_the_end_of_its_documents() {
    let (_dir, _store, database) = with_feed();
    let own = put(&database, "own", None, HERS);
    let other = put(&database, "other", None, "{}");
    let moved = put(&database, "moved", None, HERS);
    let moved = put(&database, "moved", Some(&moved), "{}");
    let before = ann(&database, true).pin().unwrap();
    let ends = [("own", &own), ("other", &other), ("moved", &moved)];
    for (id, rev) in ends {
        one(&database, deletion(id, Some(rev))).unwrap();
    }
    let end = database.get("own", None).unwrap().unwrap().rev;
    assert_eq!(changes(&ann(&database, false)), [""; 0]);
    assert_eq!(changes(&ann(&database, true)), [format!("own {end}! {{}}")]);
    assert_eq!(changes(&before), [format!("own {own} {HERS}")]);
    // Under a selector of others what it has seen the end of stays in it, and nothing comes.
    let declared = database.get("_design/billing", None).unwrap().unwrap().rev;
    put(
        &database,
        "_design/billing",
        Some(&declared),
        &design(r#"{"account":"emca"}"#),
    );
    database.build_feeds().unwrap();
    assert_eq!(changes(&ann(&database, true)).len(), 1);
    let declared = database.get("_design/billing", None).unwrap().unwrap().rev;
    put(&database, "_design/billing", Some(&declared), "{}");
    assert_eq!(changes(&ann(&database, true)), [""; 0]);
}

#[test]
fn of_what_a_tombstone_has_nothing_is_told() {
    let (_dir, _store, database) = with_feed();
    for (number, digests, deleted, body) in [
        (1, vec!["a"], false, HERS),
        (2, vec!["b", "a"], true, r#"{"why":"secret"}"#),
        (2, vec!["c", "a"], false, r#"{"account":"acme","n":1}"#),
        (3, vec!["d", "c"], true, r#"{"why":"secret"}"#),
    ] {
        one(&database, replica("own", number, &digests, deleted, body)).unwrap();
    }
    let ann = ann(&database, true);
    assert_eq!(changes(&ann), ["own 3-d! 2-b! {}"]);
    let want = Want {
        id: "own".into(),
        revs: WantRevs::All,
    };
    let found = ann.bulk_get(&[want]).unwrap().remove(0).unwrap();
    let bodies: Vec<&str> = found.leaves.iter().map(|leaf| leaf.body.as_str()).collect();
    assert_eq!(bodies, ["{}", "{}"]);
    for rev in [None, Some(rev("2-b")), Some(rev("3-d"))] {
        let leaf = ann.get("own", rev.as_ref()).unwrap().unwrap();
        assert_eq!((leaf.deleted, leaf.body.as_str()), (true, "{}"));
    }
}
