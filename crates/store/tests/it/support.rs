//! Short names for what every test does.

use md5::Digest as _;
use std::io::Write;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Content, Encoding};
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

pub(crate) fn stage(database: &Database, bytes: &[u8]) -> Content {
    let mut staging = database.stage(Some(bytes.len() as u64)).unwrap();
    staging.write_all(bytes).unwrap();
    staging.finish().unwrap()
}

pub(crate) fn with(edit: Edit, attachments: Vec<AttachmentEdit>) -> Edit {
    match edit {
        Edit::Interactive(mut edit) => {
            edit.attachments = attachments;
            Edit::Interactive(edit)
        }
        Edit::Replicated(mut edit) => {
            edit.attachments = attachments;
            Edit::Replicated(edit)
        }
    }
}

pub(crate) fn named(name: &str, source: AttachmentSource) -> AttachmentEdit {
    AttachmentEdit {
        name: name.into(),
        content_type: Some("audio/wav".into()),
        revpos: None,
        source,
    }
}

pub(crate) fn stub(name: &str) -> AttachmentEdit {
    named(name, AttachmentSource::Stub { md5: None })
}

/// What staging these bytes answers.
pub(crate) fn content_of(bytes: &[u8]) -> Content {
    Content {
        hash: *blake3::hash(bytes).as_bytes(),
        md5: md5::Md5::digest(bytes).into(),
        length: bytes.len() as u64,
        encoding: Encoding::Identity,
    }
}
