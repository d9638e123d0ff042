//! A pinned handle shows one moment in every way of reading, until its time, or its file's, is over.

use crate::support::*;
use std::ops::ControlFlow;
use trunkline_store::{ChangesScan, Database, DocsScan, Error};

fn ids(database: &Database) -> Vec<String> {
    let scan = DocsScan {
        start: None,
        after_start: false,
        end: None,
        inclusive_end: true,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut ids = Vec::new();
    let mut row = |row: trunkline_store::DocRow<'_>| {
        ids.push(row.id.to_owned());
        ControlFlow::Continue(())
    };
    assert!(database.all_docs(&scan, &mut row).unwrap().done);
    ids
}

fn changed(database: &Database) -> Vec<(u64, String)> {
    let scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut rows = Vec::new();
    let mut row = |row: trunkline_store::ChangeRow<'_>| {
        rows.push((row.seq, row.id.to_owned()));
        ControlFlow::Continue(())
    };
    assert!(database.changes(&scan, &mut row).unwrap().done);
    rows
}

fn edit_all(database: &Database, first: &trunkline_core::rev::Rev) {
    put(database, "a", Some(first), r#"{"n":2}"#);
    put(database, "c", None, "{}");
    put(database, "d", None, "{}");
}

#[test]
fn it_shows_what_was_there() {
    let (_dir, _store, database) = store();
    let first = put(&database, "a", None, r#"{"n":1}"#);
    put(&database, "b", None, "{}");
    let pinned = database.pin().unwrap();
    edit_all(&database, &first);
    assert_eq!(ids(&pinned), ["a", "b"]);
    assert_eq!(changed(&pinned), [(1, "a".to_owned()), (2, "b".to_owned())]);
    assert_eq!(
        pinned.get("a", None).unwrap().unwrap().body.as_str(),
        r#"{"n":1}"#
    );
    assert_eq!(pinned.get("c", None).unwrap(), None);
    assert_eq!(pinned.last_seq().unwrap(), 2);
    assert_eq!(pinned.count_changes(0).unwrap(), 2);
    let info = pinned.info().unwrap();
    assert_eq!((info.doc_count, info.update_seq), (2, 2));
    assert_eq!(ids(&pinned.unpinned()), ["a", "b", "c", "d"]);
    assert_eq!(database.last_seq().unwrap(), 5);
    assert_eq!(database.count_changes(0).unwrap(), 4);
}

#[test]
fn it_outlives_a_compaction() {
    let (_dir, _store, database) = store();
    let first = put(&database, "a", None, r#"{"n":1}"#);
    let pinned = database.pin().unwrap();
    edit_all(&database, &first);
    database.compact().unwrap();
    assert_eq!(ids(&pinned), ["a"]);
    assert_eq!(ids(&database), ["a", "c", "d"]);
    clean(&database);
}

#[test]
fn it_ends_with_its_database() {
    let (_dir, store, database) = store();
    put(&database, "a", None, "{}");
    let pinned = database.pin().unwrap();
    store.delete(database.name()).unwrap();
    assert!(matches!(pinned.get("a", None), Err(Error::DatabaseMissing(_))));
    let again = store.create(database.name()).unwrap();
    put(&again, "b", None, "{}");
    assert!(matches!(pinned.get("a", None), Err(Error::DatabaseMissing(_))));
}

#[test]
fn it_does_not_keep_a_store_open() {
    let (dir, store, database) = store();
    put(&database, "a", None, "{}");
    let pinned = database.pin().unwrap();
    store.close().unwrap();
    assert!(matches!(pinned.get("a", None), Err(Error::Closed)));
    drop((store, database));
    let store = trunkline_store::Store::open(dir.path()).unwrap();
    let database = store.database(pinned.name()).unwrap();
    assert_eq!(ids(&database), ["a"]);
}
