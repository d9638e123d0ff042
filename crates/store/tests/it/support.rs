//! Short names for what every test does.

use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::{Digest, Rev};
use trunkline_store::{Batch, Database, Outcome, Refused, Store, Written};

pub(crate) fn name(text: &str) -> DbName {
    DbName::parse(text).unwrap()
}

pub(crate) fn id(text: &str) -> DocId {
    DocId::parse(text).unwrap()
}

pub(crate) fn rev(text: &str) -> Rev {
    Rev::parse(text).unwrap()
}

/// A store in a directory of its own, with one database.
pub(crate) fn store() -> (tempfile::TempDir, Store, Database) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let database = store.create(&name("calls")).unwrap();
    (dir, store, database)
}

pub(crate) fn edit(id_text: &str, parent: Option<&Rev>, body: &str) -> Edit {
    Edit::Interactive(InteractiveEdit {
        id: id(id_text),
        parent: parent.cloned(),
        deleted: false,
        body: Body::from_stored(body),
        attachments: Vec::new(),
    })
}

pub(crate) fn deletion(id_text: &str, parent: Option<&Rev>) -> Edit {
    Edit::Interactive(InteractiveEdit {
        id: id(id_text),
        parent: parent.cloned(),
        deleted: true,
        body: Body::empty(),
        attachments: Vec::new(),
    })
}

/// A replicated edit whose digests are short texts, newest first.
pub(crate) fn replica(id_text: &str, generation: u64, digests: &[&str], deleted: bool, body: &str) -> Edit {
    let digests = digests
        .iter()
        .map(|text| Digest::from_bytes(text.as_bytes()))
        .collect();
    Edit::Replicated(ReplicatedEdit {
        id: id(id_text),
        path: RevPath::new(generation, digests).unwrap(),
        deleted,
        body: Body::from_stored(body),
        attachments: Vec::new(),
        age_ms: 0,
    })
}

pub(crate) fn update(database: &Database, edits: Vec<Edit>) -> Vec<Outcome> {
    let batch = Batch {
        edits,
        ..Batch::default()
    };
    database.update(batch).unwrap()
}

pub(crate) fn one(database: &Database, edit: Edit) -> Result<Written, Refused> {
    update(database, vec![edit]).remove(0)
}

pub(crate) fn put(database: &Database, id: &str, parent: Option<&Rev>, body: &str) -> Rev {
    one(database, edit(id, parent, body)).unwrap().rev
}

pub(crate) fn clean(database: &Database) {
    assert_eq!(database.check().unwrap(), Vec::<String>::new());
}
