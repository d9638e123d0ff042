//! Short names for what every test does.

use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_store::{Batch, Database, Outcome, Store};

/// A store in a directory of its own, with one database.
pub(crate) fn store() -> (tempfile::TempDir, Store, Database) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let database = store.create(&DbName::parse("calls").unwrap()).unwrap();
    (dir, store, database)
}

/// Writes new documents: ids and bodies.
pub(crate) fn put(db: &Database, docs: &[(&str, serde_json::Value)]) -> Vec<Outcome> {
    let edit = |(id, body): &(&str, serde_json::Value)| {
        Edit::Interactive(InteractiveEdit {
            id: DocId::parse(id).unwrap(),
            parent: None,
            deleted: false,
            body: Body::from_stored(body.to_string()),
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: docs.iter().map(edit).collect(),
        ..Batch::default()
    };
    db.update(batch).unwrap()
}
