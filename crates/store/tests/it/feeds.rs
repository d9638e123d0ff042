//! Named feeds: what is in them, after which edits, and what somebody who reads on from where he was is shown.

use crate::support::*;
use std::ops::ControlFlow;
use trunkline_store::{ChangesScan, Database, Error};

/// Ids and seqs of a feed after a seq.
pub(crate) fn read(database: &Database, feed: &str, since: u64) -> Vec<(String, u64)> {
    let scan = ChangesScan {
        since,
        until: u64::MAX,
        descending: false,
        bodies: false,
        limit: usize::MAX,
    };
    let mut rows = Vec::new();
    let mut row = |row: trunkline_store::ChangeRow<'_>| {
        rows.push((row.id.to_owned(), row.seq));
        ControlFlow::Continue(())
    };
    assert!(database.feed_changes(feed, &scan, &mut row).unwrap().done);
    rows
}

fn ids(database: &Database, feed: &str, since: u64) -> String {
    let rows = read(database, feed, since);
    rows.iter()
        .map(|(id, _)| id.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn design(selector: &str) -> String {
    format!(r#"{{"feeds":{{"acme":{{"selector":{selector}}},"broken":{{"selector":{{"a":{{"$no":1}}}}}}}}}}"#)
}

const FEED: &str = "billing/acme";

#[test]
fn a_feed_follows_its_documents() {
    let (_dir, _store, database) = store();
    assert!(matches!(database.feed(FEED), Err(Error::FeedMissing(_))));
    let before = put(&database, "before", None, r#"{"account":"acme"}"#);
    put(&database, "other", None, r#"{"account":"emca"}"#);
    put(
        &database,
        "_design/billing",
        None,
        &design(r#"{"account":"acme"}"#),
    );
    let state = database.feed(FEED).unwrap();
    assert_eq!((state.built, state.pending), (false, 3));
    let scan = ChangesScan {
        since: 0,
        until: 9,
        descending: false,
        bodies: false,
        limit: 9,
    };
    let unbuilt = database.feed_changes(FEED, &scan, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(unbuilt, Err(Error::FeedUnbuilt(_))));
    clean(&database);
    // Written while it is not built: it is in.
    let meanwhile = put(&database, "meanwhile", None, r#"{"account":"acme","n":1}"#);
    database.build_feed(FEED).unwrap();
    assert!(database.feed(FEED).unwrap().built);
    assert_eq!(
        read(&database, FEED, 0),
        [("before".into(), 1), ("meanwhile".into(), 4)]
    );
    assert_eq!(database.last_seq().unwrap(), 4, "nothing moved");
    // It takes part, does so no more, takes part again, is deleted, and is deleted for good.
    let leaving = put(&database, "before", Some(&before), r#"{"account":"emca"}"#);
    assert_eq!(ids(&database, FEED, 0), "meanwhile");
    put(&database, "before", Some(&leaving), r#"{"account":"acme"}"#);
    assert_eq!(ids(&database, FEED, 0), "meanwhile before");
    one(&database, deletion("meanwhile", Some(&meanwhile))).unwrap();
    assert_eq!(ids(&database, FEED, 0), "before meanwhile");
    assert_eq!(database.count_feed(FEED, 0).unwrap(), 2);
    assert_eq!(database.count_feed(FEED, 6).unwrap(), 1);
    clean(&database);
    let gone = database.get("meanwhile", None).unwrap().unwrap().rev;
    database.purge(&[(id("meanwhile"), vec![gone])]).unwrap();
    assert_eq!(ids(&database, FEED, 0), "before");
    clean(&database);
    let newest_first = ChangesScan {
        since: u64::MAX,
        descending: true,
        ..scan
    };
    let mut seen = Vec::new();
    let mut row = |row: trunkline_store::ChangeRow<'_>| {
        seen.push(row.id.to_owned());
        ControlFlow::Continue(())
    };
    put(&database, "last", None, r#"{"account":"acme"}"#);
    assert!(database.feed_changes(FEED, &newest_first, &mut row).unwrap().done);
    assert_eq!(seen, ["last", "before"]);
}

#[test]
fn a_typo_leaves_a_feed_as_it_was() {
    let (_dir, _store, database) = store();
    put(&database, "a", None, r#"{"n":1}"#);
    let first = put(&database, "_design/billing", None, &design(r#"{"n":1}"#));
    database.build_feed(FEED).unwrap();
    let second = put(
        &database,
        "_design/billing",
        Some(&first),
        &design(r#"{"n":{"$gtt":0}}"#),
    );
    put(&database, "b", None, r#"{"n":1}"#);
    assert_eq!(ids(&database, FEED, 0), "a b");
    put(&database, "_design/billing", Some(&second), r#"{"feeds":{}}"#);
    assert!(matches!(database.feed(FEED), Err(Error::FeedMissing(_))));
}

#[test]
fn a_moment_shows_the_feed_that_was() {
    let (_dir, _store, database) = store();
    put(&database, "a", None, r#"{"n":1}"#);
    let before = database.pin().unwrap();
    let first = put(&database, "_design/billing", None, &design(r#"{"n":1}"#));
    let unbuilt = database.pin().unwrap();
    assert!(matches!(before.feed(FEED), Err(Error::FeedMissing(_))));
    assert!(matches!(unbuilt.build_feed(FEED), Err(Error::FeedUnbuilt(_))));
    let built = database.pin().unwrap();
    assert_eq!(
        ids(&database, FEED, 0),
        "a",
        "built through the moment all the same"
    );
    put(&database, "_design/billing", Some(&first), &design(r#"{"n":2}"#));
    put(&database, "b", None, r#"{"n":2}"#);
    built.build_feeds().unwrap();
    assert_eq!(ids(&built, FEED, 0), "a");
    assert_eq!(
        (built.count_feed(FEED, 0).unwrap(), built.feeds().unwrap().len()),
        (1, 1)
    );
    assert_eq!(ids(&database, FEED, 0), "b");
    clean(&database);
}

#[test]
fn another_selector_shows_the_difference_alone() {
    let (dir, store, database) = store();
    for n in 0..30 {
        put(&database, &format!("d{n:02}"), None, &format!(r#"{{"n":{n}}}"#));
    }
    let first = put(&database, "_design/billing", None, &design(r#"{"n":{"$lt":10}}"#));
    database.build_feed(FEED).unwrap();
    let before = database.last_seq().unwrap();
    assert_eq!(read(&database, FEED, 0).len(), 10);
    let rev = |database: &Database| database.get("d12", None).unwrap().unwrap().rev;
    let unmoved = rev(&database);

    let wider = put(
        &database,
        "_design/billing",
        Some(&first),
        &design(r#"{"n":{"$gte":5,"$lt":13}}"#),
    );
    // An edit before the step that would have moved it.
    let edited = database.get("d11", None).unwrap().unwrap().rev;
    put(&database, "d11", Some(&edited), r#"{"n":11,"edited":true}"#);
    database.build_feed(FEED).unwrap();
    assert_eq!(ids(&database, FEED, before), "d11 d10 d12");
    assert_eq!(ids(&database, FEED, 0), "d05 d06 d07 d08 d09 d11 d10 d12");
    assert_eq!(rev(&database), unmoved, "the document is the same");
    let moved = database.last_seq().unwrap();
    clean(&database);

    // Said in other words, it is the same: nothing is built.
    let same = design(r#"{"$and":[{"n":{"$lt":13}},{"n":{"$gte":5}}]}"#);
    let same = put(&database, "_design/billing", Some(&wider), &same);
    assert!(database.feed(FEED).unwrap().built);

    // Gone, and back: whoever read it meanwhile might have missed anything.
    one(&database, deletion("_design/billing", Some(&same))).unwrap();
    assert!(matches!(database.feed(FEED), Err(Error::FeedMissing(_))));
    clean(&database);
    database.build_feeds().unwrap();
    clean(&database);
    drop((store, database));
    let store = trunkline_store::Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    put(&database, "_design/billing", None, &design(r#"{"n":12}"#));
    database.build_feed(FEED).unwrap();
    assert_eq!(ids(&database, FEED, moved), "d12");
    assert_eq!(ids(&database, FEED, 0), "d12");
    clean(&database);
    database.compact().unwrap();
    assert_eq!(ids(&database, FEED, 0), "d12");
    put(&database, "d99", None, r#"{"n":12}"#);
    assert_eq!(ids(&database, FEED, 0), "d12 d99");
    clean(&database);
}
