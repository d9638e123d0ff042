//! Short names for what every test does.

use serde_json::Value;
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_store::{Asker, Batch, Database, Outcome, Store};
use trunkline_wire::find::{add_index, parse_index};

/// A store in a directory of its own, with one database.
pub(crate) fn store() -> (tempfile::TempDir, Store, Database) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let database = store.create(&DbName::parse("calls").unwrap()).unwrap();
    (dir, store, database)
}

/// Writes documents: ids and bodies; `null` deletes.
pub(crate) fn put(db: &Database, docs: &[(&str, Value)]) -> Vec<Outcome> {
    let edit = |(id, body): &(&str, Value)| {
        let before = db.whole().get(id, None).unwrap().filter(|leaf| !leaf.deleted);
        let text = if body.is_null() {
            "{}".to_owned()
        } else {
            body.to_string()
        };
        Edit::Interactive(InteractiveEdit {
            id: DocId::parse(id).unwrap(),
            parent: before.map(|leaf| leaf.rev),
            deleted: body.is_null(),
            body: Body::from_stored(text),
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: docs.iter().map(edit).collect(),
        ..Batch::default()
    };
    db.update(batch).unwrap()
}

pub(crate) const VIEWS: &str = "_design/v";

/// Design documents: a view of JavaScript that reduces, and two Mango indexes.
pub(crate) fn define(db: &Database) {
    let map = "function (doc) { emit([doc.kind, doc.n], doc.owner); if (doc.n > 20) emit(doc.n, 1); }";
    let views = serde_json::json!({ "views": {
        "all": { "map": map },
        "counted": { "map": map, "reduce": "_count" },
    }});
    assert!(put(db, &[(VIEWS, views)])[0].is_ok());
    for (name, fields) in [("kinds", r#"["kind","n"]"#), ("numbers", r#"["n"]"#)] {
        let index = parse_index(format!("{{\"index\":{{\"fields\":{fields}}}}}").as_bytes()).unwrap();
        let id = format!("_design/{name}");
        let body = add_index((&id, None), name, &index).unwrap().unwrap();
        assert!(put(db, &[(&id, serde_json::from_str(&body).unwrap())])[0].is_ok());
    }
}

/// On behalf of one who sees what is hers.
pub(crate) fn ann(db: &Database) -> Database {
    db.on_behalf(Arc::new(Asker {
        sees: Some(Arc::new(|seen| seen.body.contains("ann"))),
        ..Asker::default()
    }))
}
