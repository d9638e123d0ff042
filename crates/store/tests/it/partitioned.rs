//! Partitioned databases: made so, and so for ever; which ids they take; what a partition holds.

use crate::support::*;
use trunkline_core::db_name::DbName;
use trunkline_core::doc_id::InvalidDocId;
use trunkline_core::partition::{InvalidMember, Partition};
use trunkline_store::{Counts, Database, DatabaseOptions, DocsScan, Error, Refused, Store};

fn counted(database: &Database, partition: &str) -> Counts {
    let (low, high) = Partition::parse(partition).unwrap().ids();
    let mut scan = DocsScan {
        start: Some(low),
        after_start: false,
        end: Some(high),
        inclusive_end: false,
        descending: false,
        bodies: false,
        limit: usize::MAX,
    };
    let mut counts = Counts::default();
    let mut chunks = 0;
    loop {
        chunks += 1;
        let end = database.count(&scan, &mut counts).unwrap();
        if end.done {
            break;
        }
        (scan.start, scan.after_start) = (end.last, true);
    }
    // A chunk does not read more than it may.
    assert!(counts.external_bytes < chunks * 3_000_000);
    counts
}

#[test]
fn it_stays_what_it_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let name = DbName::parse("calls").unwrap();
    let options = DatabaseOptions { partitioned: true };
    let store = Store::open(dir.path()).unwrap();
    let database = store.create_with(&name, options).unwrap();
    let plain = store.create(&DbName::parse("plain").unwrap()).unwrap();
    assert!(database.is_partitioned().unwrap() && !plain.is_partitioned().unwrap());
    let system = DbName::parse("a/_replicator").unwrap();
    let refused = store.create_with(&system, options);
    assert!(matches!(refused, Err(Error::PartitionedSystem(_))));
    put(&database, "a:1", None, "{}");
    database.compact().unwrap();
    assert!(database.is_partitioned().unwrap());
    store.close().unwrap();
    drop((database, plain, store));
    let store = Store::open(dir.path()).unwrap();
    assert!(store.database(&name).unwrap().is_partitioned().unwrap());
}

#[test]
fn no_edit_brings_a_document_of_no_partition() {
    let (_dir, store, _) = store();
    let options = DatabaseOptions { partitioned: true };
    let name = DbName::parse("by-account").unwrap();
    let database = store.create_with(&name, options).unwrap();
    let refused = Err(Refused::Member(InvalidMember::DocId(InvalidDocId::Unpartitioned)));
    assert_eq!(one(&database, edit("a", None, "{}")).map(drop), refused);
    let brought = replica("a", 1, &["aa"], false, "{}");
    assert_eq!(one(&database, brought).map(drop), refused);
    for id in ["a:1", "_design/a"] {
        put(&database, id, None, "{}");
        assert!(one(&database, replica(id, 1, &["aa"], false, "{}")).is_ok());
    }
}

#[test]
fn what_a_partition_holds_is_added_up() {
    let (_dir, store, _) = store();
    let options = DatabaseOptions { partitioned: true };
    let name = DbName::parse("by-account").unwrap();
    let database = store.create_with(&name, options).unwrap();
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(500_000));
    for n in 0..5 {
        put(&database, &format!("a:{n}"), None, &long);
    }
    let rev = put(&database, "a:gone", None, "{}");
    one(&database, deletion("a:gone", Some(&rev))).unwrap();
    put(&database, "aa:1", None, "{}");
    let counts = counted(&database, "a");
    assert_eq!((counts.docs, counts.deleted), (5, 1));
    let of_bodies = 5 * long.len() as u64 + 2;
    assert_eq!(counts.external_bytes, of_bodies);
    assert!(counts.active_bytes > of_bodies && counts.active_bytes < of_bodies + 1000);
    assert_eq!(counted(&database, "b"), Counts::default());
}
