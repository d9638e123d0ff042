//! Put, get, change, delete; the rules of edits one by one.

use crate::support::*;
use std::ops::ControlFlow;
use trunkline_core::doc_id::LocalId;
use trunkline_store::{Batch, ChangesScan, DocsScan, Error, LocalWrite, Refused, Store, Want, WantRevs};

#[test]
fn a_document_lives_and_dies() {
    let (_dir, _store, database) = store();
    let first = put(&database, "a", None, r#"{"n":1}"#);
    assert_eq!(one(&database, edit("a", None, "{}")), Err(Refused::Conflict));
    assert_eq!(
        one(&database, edit("b", Some(&first), "{}")),
        Err(Refused::Conflict)
    );
    let second = put(&database, "a", Some(&first), r#"{"n":2}"#);
    assert_eq!(second.generation, 2);
    assert_eq!(
        one(&database, edit("a", Some(&first), "{}")),
        Err(Refused::Conflict)
    );
    let leaf = database.get("a", None).unwrap().unwrap();
    assert_eq!(
        (leaf.rev, leaf.body.as_str(), leaf.seq),
        (second.clone(), r#"{"n":2}"#, 2)
    );
    assert_eq!(database.get("a", Some(&first)).unwrap(), None);
    let third = one(&database, deletion("a", Some(&second))).unwrap().rev;
    assert!(database.get("a", None).unwrap().unwrap().deleted);
    assert_eq!(one(&database, deletion("a", None)), Err(Refused::Conflict));
    assert_eq!(
        one(&database, edit("a", Some(&third), "{}")),
        Err(Refused::Conflict)
    );
    let fourth = put(&database, "a", None, "{}");
    assert_eq!(fourth.generation, 4);
    let info = database.info().unwrap();
    assert_eq!((info.doc_count, info.doc_del_count, info.update_seq), (1, 0, 4));
    clean(&database);
}

#[test]
fn revisions_are_couchdbs() {
    let (_dir, _store, database) = store();
    let first = put(
        &database,
        "w",
        None,
        r#"{"user":{"firstname":"Walter","lastname":"Carlos"}}"#,
    );
    assert_eq!(first.to_string(), "1-0f958fa6ab68dffc4ac5b76efb229e39");
    let body = r#"{"user":{"firstname":"Wendy","lastname":"Carlos"},"profession":"Musician"}"#;
    assert_eq!(
        put(&database, "w", Some(&first), body).to_string(),
        "2-900ae13b0644ed3a92be1a79f54d59d6"
    );
}

#[test]
fn replicated_edits_merge() {
    let (_dir, _store, database) = store();
    for digest in ["b", "c"] {
        let edit = replica("a", 2, &[digest, "a"], false, &format!(r#"{{"is":"{digest}"}}"#));
        one(&database, edit).unwrap();
    }
    clean(&database);
    let again = one(&database, replica("a", 2, &["b", "a"], false, r#"{"other":1}"#)).unwrap();
    assert_eq!((again.seq, database.last_seq().unwrap()), (2, 2));
    assert_eq!(database.get("a", None).unwrap().unwrap().rev, rev("2-c"));
    assert_eq!(
        database
            .get("a", Some(&rev("2-b")))
            .unwrap()
            .unwrap()
            .body
            .as_str(),
        r#"{"is":"b"}"#
    );
    // The winner goes: the other leaf's body takes its place.
    one(&database, deletion("a", Some(&rev("2-c")))).unwrap();
    let winner = database.get("a", None).unwrap().unwrap();
    assert_eq!((winner.rev, winner.body.as_str()), (rev("2-b"), r#"{"is":"b"}"#));
    clean(&database);
    let wants = [Want {
        id: "a".into(),
        revs: WantRevs::These {
            revs: vec![rev("1-a"), rev("2-b"), rev("9-z")],
            latest: true,
        },
    }];
    let found = database.bulk_get(&wants).unwrap().remove(0).unwrap();
    assert_eq!(found.leaves.len(), 2);
    assert_eq!(found.missing, vec![rev("9-z")]);
    let diff = database
        .revs_diff(&[
            (id("a"), vec![rev("2-b"), rev("4-x")]),
            (id("z"), vec![rev("1-q")]),
        ])
        .unwrap();
    assert_eq!(diff[0].0, vec![rev("4-x")]);
    assert_eq!(diff[1], (vec![rev("1-q")], vec![]));
}

#[test]
fn several_edits_of_one_document_in_one_commit() {
    let (_dir, _store, database) = store();
    let edits = vec![
        replica("a", 1, &["a"], false, r#"{"n":1}"#),
        replica("a", 2, &["b", "a"], false, r#"{"n":2}"#),
        replica("a", 2, &["c", "a"], false, r#"{"n":3}"#),
        edit("a", Some(&rev("2-b")), r#"{"n":4}"#),
        deletion("a", Some(&rev("2-c"))),
        edit("a", None, "{}"),
    ];
    let outcomes = update(&database, edits);
    assert!(outcomes[..5].iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(outcomes[5], Err(Refused::Conflict));
    assert_eq!(
        database.get("a", None).unwrap().unwrap().body.as_str(),
        r#"{"n":4}"#
    );
    assert_eq!(database.info().unwrap().update_seq, 5);
    clean(&database);
}

#[test]
fn long_bodies_move_out_of_the_feed_and_back() {
    let (_dir, _store, database) = store();
    let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(10_000));
    let first = put(&database, "a", None, &long);
    clean(&database);
    one(&database, replica("a", 1, &["zz"], false, &long)).unwrap();
    one(&database, replica("a", 1, &["0"], false, r#"{"short":1}"#)).unwrap();
    clean(&database);
    let second = put(&database, "a", Some(&first), r#"{"n":2}"#);
    assert_eq!(
        database.get("a", Some(&second)).unwrap().unwrap().body.as_str(),
        r#"{"n":2}"#
    );
    assert_eq!(
        database
            .get("a", Some(&rev("1-zz")))
            .unwrap()
            .unwrap()
            .body
            .as_str(),
        long
    );
    clean(&database);
}

#[test]
fn a_batch_is_atomic_when_asked() {
    let (_dir, _store, database) = store();
    put(&database, "taken", None, "{}");
    let batch = Batch {
        edits: vec![
            edit("new", None, "{}"),
            edit("taken", None, "{}"),
            edit("other", None, "{}"),
        ],
        atomic: true,
        ..Batch::default()
    };
    let outcomes = database.update(batch).unwrap();
    assert_eq!(
        outcomes,
        [Err(Refused::Batch), Err(Refused::Conflict), Err(Refused::Batch)]
    );
    assert_eq!(database.get("new", None).unwrap(), None);
    assert_eq!(database.last_seq().unwrap(), 1);
    put(&database, "new", None, "{}");
    clean(&database);
}

#[test]
fn scans_come_in_order_and_in_chunks() {
    let (_dir, _store, database) = store();
    let edits = (0..2000).map(|n| {
        edit(
            &format!("doc-{:04}", n * 7 % 2000),
            None,
            &format!(r#"{{"n":{n},"pad":"{}"}}"#, "p".repeat(500)),
        )
    });
    assert!(update(&database, edits.collect()).iter().all(Result::is_ok));
    let mut scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut seqs = Vec::new();
    let mut chunks = 0;
    loop {
        let end = database
            .changes(&scan, &mut |row| {
                assert_eq!(row.leaves.clone().count(), 1);
                assert!(row.winner.unwrap().body.starts_with(r#"{"n":"#));
                seqs.push(row.seq);
                ControlFlow::Continue(())
            })
            .unwrap();
        chunks += 1;
        scan.since = end.last.unwrap_or(scan.since);
        if end.done {
            break;
        }
    }
    assert_eq!(seqs, (1..=2000).collect::<Vec<_>>());
    assert!(chunks > 3);
    let mut docs = DocsScan {
        start: Some("doc-0100".into()),
        after_start: false,
        end: Some("doc-0110".into()),
        inclusive_end: false,
        descending: false,
        bodies: true,
        limit: 100,
    };
    let mut ids = Vec::new();
    let mut list = |docs: &DocsScan| {
        ids.clear();
        database
            .all_docs(docs, &mut |row| {
                assert!(row.winner.is_some());
                ids.push(row.id.to_owned());
                ControlFlow::Continue(())
            })
            .unwrap();
        ids.clone()
    };
    assert_eq!(list(&docs).len(), 10);
    assert_eq!(database.count_docs(&docs).unwrap(), 100);
    docs.descending = true;
    (docs.start, docs.end) = (docs.end, docs.start);
    docs.inclusive_end = true;
    let backwards = list(&docs);
    assert_eq!((backwards.len(), backwards[0].as_str()), (11, "doc-0110"));
    assert_eq!(database.count_changes(1500).unwrap(), 500);
    put(&database, "one-more", None, "{}");
    assert_eq!(database.count_changes(0).unwrap(), 2001);
    clean(&database);
}

#[test]
fn everything_is_there_after_reopening() {
    let (dir, store, database) = store();
    let uuid = store.uuid().to_owned();
    let info = {
        put(&database, "a", None, r#"{"n":1}"#);
        database.set_security(r#"{"admins":{}}"#).unwrap();
        database.set_revs_limit(7).unwrap();
        database.info().unwrap()
    };
    assert!(matches!(
        Store::open(dir.path()),
        Err(trunkline_store::Error::Locked(_))
    ));
    store.close().unwrap();
    assert!(matches!(
        database.get("a", None),
        Err(trunkline_store::Error::Closed)
    ));
    drop((store, database));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.uuid(), uuid);
    let database = store.database(&name("calls")).unwrap();
    assert_eq!(
        database.get("a", None).unwrap().unwrap().body.as_str(),
        r#"{"n":1}"#
    );
    assert_eq!(database.security().unwrap().unwrap(), r#"{"admins":{}}"#);
    assert_eq!(database.revs_limit().unwrap(), 7);
    let again = database.info().unwrap();
    assert_eq!(
        (again.uuid, again.created_ms, again.update_seq),
        (info.uuid, info.created_ms, 1)
    );
    clean(&database);
}

#[test]
fn changes_of_certain_documents() {
    let (_dir, _store, database) = store();
    let revs = ["a", "b", "c", "d"].map(|id| put(&database, id, None, "{}"));
    put(&database, "a", Some(&revs[0]), r#"{"n":2}"#);
    let mut seqs = database.seqs_of(["d", "a", "none", "c"]).unwrap();
    seqs.sort_unstable();
    assert_eq!(seqs, [3, 4, 5]);
    put(&database, "d", Some(&revs[3]), r#"{"n":3}"#);
    let mut rows = Vec::new();
    let end = database.changes_at(&seqs, true, &mut |row| {
        rows.push((row.id.to_owned(), row.seq, row.winner.unwrap().body.to_owned()));
        ControlFlow::Continue(())
    });
    // The one that was edited since has another place now.
    assert_eq!(
        rows,
        [
            ("c".to_owned(), 3, "{}".to_owned()),
            ("a".to_owned(), 5, r#"{"n":2}"#.to_owned())
        ]
    );
    let end = end.unwrap();
    assert_eq!((end.last, end.done), (Some(5), true));
    let end = database
        .changes_at(&seqs, false, &mut |_| ControlFlow::Break(()))
        .unwrap();
    assert_eq!((end.last, end.done), (Some(3), false));
}

#[test]
fn a_branch_at_the_last_generation_holds_up_no_other() {
    let (_dir, _store, database) = store();
    let last = trunkline_core::limits::GENERATION_MAX;
    one(&database, replica("a", last, &["end"], false, "{}")).unwrap();
    one(&database, replica("a", 1, &["low"], false, "{}")).unwrap();
    one(&database, deletion("a", Some(&rev("1-low")))).unwrap();
    let end = database.get("a", None).unwrap().unwrap().rev;
    assert_eq!(end.generation, last);
    assert_eq!(
        one(&database, edit("a", Some(&end), "{}")),
        Err(Refused::Conflict)
    );
    clean(&database);
}

#[test]
fn a_document_of_many_branches_keeps_each() {
    let (_dir, _store, database) = store();
    let branches: Vec<String> = (0..300).map(|n| format!("branch{n:03}")).collect();
    let edits = branches.iter().map(|branch| {
        replica(
            "a",
            2,
            &[branch, "root"],
            false,
            &format!(r#"{{"is":"{branch}"}}"#),
        )
    });
    assert!(update(&database, edits.collect()).iter().all(Result::is_ok));
    // One by one from the winner down: the next one's body takes its place.
    for branch in branches.iter().rev().take(20) {
        let winner = database.get("a", None).unwrap().unwrap();
        assert_eq!(winner.body.as_str(), format!(r#"{{"is":"{branch}"}}"#));
        one(&database, deletion("a", Some(&winner.rev))).unwrap();
    }
    clean(&database);
}

#[test]
fn a_local_document_is_written_with_a_batch() {
    let (_dir, _store, database) = store();
    let write = |number| LocalWrite {
        id: LocalId::parse("checkpoint").unwrap(),
        number,
        json: format!(r#"{{"after":{number}}}"#),
    };
    let written = || database.local(&write(0).id).unwrap();
    let batch = |edits, number, atomic| Batch {
        edits,
        atomic,
        local: Some(write(number)),
        ..Batch::default()
    };
    assert!(database.update(batch(Vec::new(), 0, true)).unwrap().is_empty());
    assert_eq!(written(), Some((write(0).new_number(), write(0).json)));
    // Refusals are the edits' own affair,
    put(&database, "a", None, "{}");
    let edits = || vec![edit("b", None, "{}"), edit("a", None, "{}")];
    let outcomes = database.update(batch(edits(), 1, false)).unwrap();
    assert_eq!(outcomes[1], Err(Refused::Conflict));
    assert_eq!(written(), Some((2, write(1).json)));
    // but not of a batch of all or none.
    assert!(
        database
            .update(batch(edits(), 2, true))
            .unwrap()
            .iter()
            .all(Result::is_err)
    );
    assert_eq!(written(), Some((2, write(1).json)));
    let mut too_long = batch(vec![edit("c", None, "{}")], 2, false);
    too_long.local = Some(LocalWrite {
        json: format!(r#""{}""#, "x".repeat(8_000_000)),
        ..write(2)
    });
    assert!(matches!(
        database.update(too_long),
        Err(Error::Refused(Refused::DocumentTooLarge))
    ));
    assert_eq!(database.get("c", None).unwrap(), None);
    assert_eq!(written(), Some((2, write(1).json)));
    clean(&database);
}
