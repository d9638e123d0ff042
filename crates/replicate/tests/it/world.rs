//! Two databases in a directory of their own, and what a test asks of them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::{Digest, Rev};
use trunkline_replicate::{LocalPeer, Peer, PeerError, Progress, Report, Spec, run};
use trunkline_store::{Batch, ChangesScan, Database, Store, Want, WantRevs};

/// A store with `source` and `target`.
pub(crate) struct World {
    pub(crate) store: Store,
    _dir: tempfile::TempDir,
}

/// Everything a replication has to make equal: per document, each leaf with its body and attachments.
pub(crate) type Leaves = BTreeMap<String, LeavesOfOne>;

/// Per revision: whether it is deleted, its body, its attachments.
type LeavesOfOne = BTreeMap<String, (bool, String, BTreeMap<String, Vec<u8>>)>;

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create(&name("source")).unwrap();
        store.create(&name("target")).unwrap();
        World { store, _dir: dir }
    }

    pub(crate) fn database(&self, of: &str) -> Database {
        self.store.database(&name(of)).unwrap()
    }

    pub(crate) fn peer(&self, of: &str) -> Arc<dyn Peer> {
        // A paused clock does not wait for threads.
        Arc::new(LocalPeer::new(self.store.clone(), name(of)).inline())
    }

    /// Runs from `source` to `target`.
    pub(crate) async fn replicate(&self, spec: Spec) -> Result<Report, PeerError> {
        replicate(self.peer("source"), self.peer("target"), spec).await
    }

    pub(crate) fn assert_equal(&self) {
        assert_eq!(leaves(&self.database("source")), leaves(&self.database("target")));
    }
}

pub(crate) async fn replicate(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
) -> Result<Report, PeerError> {
    let (progress, _) = watch::channel(Progress::default());
    run(source, target, spec, progress, CancellationToken::new()).await
}

pub(crate) fn name(text: &str) -> DbName {
    DbName::parse(text).unwrap()
}

/// A client's edit; answers the new revision.
pub(crate) fn put(database: &Database, id: &str, parent: Option<&Rev>, body: &str) -> Rev {
    edit(database, id, parent, body, false, Vec::new())
}

pub(crate) fn delete(database: &Database, id: &str, parent: &Rev) -> Rev {
    edit(database, id, Some(parent), "{}", true, Vec::new())
}

pub(crate) fn edit(
    database: &Database,
    id: &str,
    parent: Option<&Rev>,
    body: &str,
    deleted: bool,
    attachments: Vec<AttachmentEdit>,
) -> Rev {
    let edit = Edit::Interactive(InteractiveEdit {
        id: DocId::parse(id).unwrap(),
        parent: parent.cloned(),
        deleted,
        body: Body::parse(body).unwrap(),
        attachments,
    });
    let outcomes = database
        .update(Batch {
            edits: vec![edit],
            ..Batch::default()
        })
        .unwrap();
    outcomes.into_iter().next().unwrap().unwrap().rev
}

pub(crate) fn attachment(database: &Database, name: &str, bytes: &[u8]) -> AttachmentEdit {
    let mut staging = database.stage(None).unwrap();
    staging.write_all(bytes).unwrap();
    AttachmentEdit {
        name: name.into(),
        content_type: Some("audio/wav".into()),
        revpos: None,
        source: AttachmentSource::Staged(staging.finish().unwrap()),
    }
}

/// A revision made elsewhere; digests newest first.
pub(crate) fn graft(database: &Database, id: &str, generation: u64, digests: &[&str], deleted: bool) {
    let digests: Vec<Digest> = digests
        .iter()
        .map(|text| Digest::parse(text, 1).unwrap())
        .collect();
    let edit = Edit::Replicated(ReplicatedEdit {
        id: DocId::parse(id).unwrap(),
        body: Body::parse(&format!("{{\"made\":\"{:?}\"}}", digests[0])).unwrap(),
        path: RevPath::new(generation, digests).unwrap(),
        deleted,
        attachments: Vec::new(),
        age_ms: 0,
    });
    let outcomes = database
        .update(Batch {
            edits: vec![edit],
            ..Batch::default()
        })
        .unwrap();
    assert!(outcomes[0].is_ok());
}

/// Every document's leaves.
pub(crate) fn leaves(database: &Database) -> Leaves {
    rows(database)
        .into_iter()
        .map(|(id, _)| (id.clone(), leaves_of(database, &id)))
        .collect()
}

fn leaves_of(database: &Database, id: &str) -> LeavesOfOne {
    let found = database
        .bulk_get(&[Want {
            id: id.to_owned(),
            revs: WantRevs::All,
        }])
        .unwrap();
    let leaves = found.into_iter().flatten().flat_map(|found| found.leaves);
    let leaf = |leaf: trunkline_store::Leaf| {
        let bytes = leaf.attachments.iter().map(|attachment| {
            let mut bytes = Vec::new();
            database
                .open_content(&attachment.content)
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            (attachment.name.to_string(), bytes)
        });
        (
            leaf.rev.to_string(),
            (leaf.deleted, leaf.body.as_str().to_owned(), bytes.collect()),
        )
    };
    leaves.map(leaf).collect()
}

/// (id, leaves) of each document, in the order of changes.
pub(crate) fn rows(database: &Database) -> Vec<(String, Vec<Rev>)> {
    let mut rows = Vec::new();
    let mut since = 0;
    loop {
        let scan = ChangesScan {
            since,
            until: u64::MAX,
            descending: false,
            bodies: false,
            limit: usize::MAX,
        };
        let end = database
            .changes(&scan, &mut |row| {
                rows.push((row.id.to_owned(), row.leaves.map(|(rev, _)| rev).collect()));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        since = end.last.unwrap_or(since);
        if end.done {
            return rows;
        }
    }
}
