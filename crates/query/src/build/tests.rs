//! Bringing an index up to date while others write.

use super::*;
use crate::design::Design;
use crate::reducers::Reducers;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_store::{Batch, Durability, Store};
use trunkline_wire::design_doc;

/// Writes more documents than one snapshot shows.
fn write(db: &Database, times: u64) {
    let edit = |number: u32| {
        Edit::Interactive(InteractiveEdit {
            id: DocId::parse(&format!("doc-{times}-{number}")).unwrap(),
            parent: None,
            deleted: false,
            body: Body::from_stored(format!("{{\"a\":{number},\"long\":\"{}\"}}", "x".repeat(20_000))),
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: (0..30).map(edit).collect(),
        durability: Durability::Relaxed,
        ..Batch::default()
    };
    db.update(batch).unwrap();
}

#[test]
fn bringing_up_to_date_ends_while_others_write_as_fast() {
    let dir = tempfile::tempdir().unwrap();
    let db = Store::open(dir.path())
        .and_then(|store| store.create(&DbName::parse("calls").unwrap()))
        .unwrap();
    let map = r#"{"language":"query","views":{"i":{"map":{"fields":{"a":"asc"}}}}}"#;
    let design = Arc::new(Design::new(&design_doc::parse(map).unwrap()));
    let (mapping, mut reducers) = (
        Mapping::new(design.clone()),
        Reducers::new(design, Arc::default()),
    );
    let index = Index::open(&dir.path().join("index"), 1, 1 << 20).unwrap();
    build(&db, &mapping, &index, dir.path(), &mut reducers, &|_| ()).unwrap();
    write(&db, 0);
    let goal = db.last_seq().unwrap();
    const ENOUGH: u64 = 40;
    let times = AtomicU64::new(0);
    let while_it_maps = |_| {
        let before = times.fetch_add(1, Ordering::Relaxed);
        if before < ENOUGH {
            write(&db, before + 1);
        }
    };
    update(&db, &mapping, &index, &mut reducers, &while_it_maps, false).unwrap();
    assert!(times.into_inner() < ENOUGH, "it went on until the others stopped");
    let state = index.state().unwrap();
    assert!(state.seq >= goal);
    let snapshot = crate::index::Snapshot::of(Arc::new(index)).unwrap();
    let rows = snapshot.count(&crate::index::whole(0)).unwrap();
    assert_eq!(rows, state.seq, "each document has one row and one change");
}
