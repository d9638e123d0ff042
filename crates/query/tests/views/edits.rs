//! Random edits of a database: of one branch and of several, deletions, and purges of a leaf or of a whole document.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::{Digest, Rev};
use trunkline_query::design::Design;
use trunkline_store::{Batch, Database, Durability, Leaf, Want, WantRevs};
use trunkline_wire::design_doc;

pub(crate) fn name() -> DbName {
    DbName::parse("calls").unwrap()
}

/// The same views under another signature for each `salt`.
pub(crate) fn design(salt: u64) -> Design {
    let map = |source: &str| format!("function (doc) {{ /* {salt} */ {source} }}");
    let by_type = map("if (doc.type) emit([doc.type, doc.n], doc.n);");
    let body = json!({"views": {
        "by_type": {"map": by_type, "reduce": "_sum"},
        "counted": {
            "map": by_type,
            "reduce": "function (keys, values, rereduce) { return rereduce ? sum(values) : values.length; }",
        },
        "many": {
            "map": map("for (var i = 0; i < doc.n % 5; i++) emit(i % 2, doc._rev);"),
            "reduce": "_count",
        },
        "throws": {"map": map("emit(doc.n); if (doc.n % 3) doc.missing.member;")},
        "torn": {"map": map("if (doc._conflicts) emit(doc._conflicts.length, doc._conflicts);")},
    }});
    Design::new(&design_doc::parse(&body.to_string()).unwrap())
}

/// Mango indexes, one with a filter that the `salt` is in.
pub(crate) fn mango(salt: u64) -> Design {
    let view = |fields: serde_json::Value, partial: serde_json::Value| {
        json!({
            "map": {"fields": fields, "partial_filter_selector": partial},
            "reduce": "_count",
            "options": {"def": {"fields": []}},
        })
    };
    let some = json!({"n": {"$lt": 25}, "salt": {"$ne": salt}});
    let body = json!({"language": "query", "views": {
        "all": view(json!({"type": "asc", "n": "asc"}), json!({})),
        "some": view(json!({"n": "asc"}), some),
    }});
    Design::new(&design_doc::parse(&body.to_string()).unwrap())
}

/// An edit of one of so many documents.
pub(crate) fn edit(random: &mut StdRng, db: &Database, documents: u32) {
    let id = format!("doc-{}", random.random_range(0..documents));
    let leaves = leaves(db, &id);
    let id = DocId::parse(&id).unwrap();
    let kind = random.random_range(0..20);
    if kind < 2 && !leaves.is_empty() {
        let gone = if kind == 0 { &leaves[..1] } else { &leaves };
        let revs: Vec<Rev> = gone.iter().map(|leaf| leaf.rev.clone()).collect();
        db.purge(&[(id, revs)]).unwrap();
        return;
    }
    let types = ["\"call\"", "\"voicemail\"", "null", "[1]"];
    let of_type = types[random.random_range(0..types.len())];
    let body = Body::from_stored(format!(
        "{{\"type\":{of_type},\"n\":{}}}",
        random.random_range(0..50)
    ));
    let parent = leaves.first().filter(|leaf| !leaf.deleted);
    let edit = if kind < 5 {
        let digests = [0, 1].map(|_| Digest::from_bytes(&random.random::<[u8; 16]>()));
        Edit::Replicated(ReplicatedEdit {
            id,
            path: RevPath::new(random.random_range(2..4), digests.to_vec()).unwrap(),
            deleted: random.random_bool(0.3),
            body,
            attachments: Vec::new(),
            age_ms: 0,
        })
    } else {
        Edit::Interactive(InteractiveEdit {
            id,
            parent: parent.map(|leaf| leaf.rev.clone()),
            deleted: parent.is_some() && random.random_bool(0.2),
            body,
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: vec![edit],
        durability: match random.random_bool(0.02) {
            true => Durability::Durable,
            false => Durability::Relaxed,
        },
        ..Batch::default()
    };
    db.update(batch).unwrap().remove(0).unwrap();
}

fn leaves(db: &Database, id: &str) -> Vec<Leaf> {
    let want = Want {
        id: id.to_owned(),
        revs: WantRevs::All,
    };
    let found = db.bulk_get(&[want]).unwrap().remove(0);
    found.map(|found| found.leaves).unwrap_or_default()
}
