//! A disk that fails under a database takes back what was not durable, while its indexes live on.

use crate::edits::{design, name};
use crate::shown::everything;
use std::path::Path;
use std::sync::Arc;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_query::Indexes;
use trunkline_store::{BackendSeam, Batch, Database, Durability, Store, StoreOptions};
use trunkline_testkit::crash::Disk;

fn store_on(disk: &Disk, dir: &Path) -> Store {
    let disk = disk.clone();
    let options = StoreOptions {
        backend: Some(BackendSeam(Arc::new(move |_| Ok(disk.backend())))),
        ..StoreOptions::default()
    };
    Store::open_with(dir, options).unwrap()
}

fn put(db: &Database, id: &str, durability: Durability) -> Result<(), trunkline_store::Error> {
    let edit = InteractiveEdit {
        id: DocId::parse(id).unwrap(),
        parent: None,
        deleted: false,
        body: Body::from_stored(r#"{"type":"call","n":3}"#),
        attachments: Vec::new(),
    };
    let batch = Batch {
        edits: vec![Edit::Interactive(edit)],
        durability,
        ..Batch::default()
    };
    db.update(batch).map(|_| ())
}

/// Lets the disk fail between an index and its next use; answers whether a document was lost.
fn lose(closing: bool) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let store = store_on(&disk, dir.path());
    let db = store.create(&name()).unwrap();
    put(&db, "kept", Durability::Durable).unwrap();
    let mut indexes = Indexes::default();
    let mut index = indexes.index(&db, design(0)).unwrap();
    index.update().unwrap();
    // The first relaxed write is durable at once, to cover the seqs of those behind it.
    put(&db, "first", Durability::Relaxed).unwrap();
    put(&db, "lost", Durability::Relaxed).unwrap();
    // Only writes fail: the index has time to take it up.
    disk.fail(true);
    let _ = index.update();
    if closing {
        // Closing a file makes it durable.
        indexes = Indexes::default();
        index = indexes.index(&db, design(0)).unwrap();
    } else {
        assert!(put(&db, "refused", Durability::Durable).is_err());
    }
    disk.fail(false);
    put(&db, "after", Durability::Durable).unwrap();
    index.update().unwrap();
    let fresh = indexes.index(&db, design(1)).unwrap();
    fresh.update().unwrap();
    assert_eq!(everything(&index).unwrap(), everything(&fresh).unwrap());
    db.get("lost", None).unwrap().is_none()
}

#[test]
fn no_index_keeps_what_a_failing_disk_took_back() {
    for closing in [false, true] {
        // Unless the flusher came first.
        assert!((0..20).any(|_| lose(closing)), "nothing was lost");
    }
}
