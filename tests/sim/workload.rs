//! What people do to the nodes, and what they were promised: an edit that was acknowledged is kept, whatever happens.

use crate::node::Running;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::{Digest, Rev};
use trunkline_store::{Batch, Database, Durability, Error, Leaf, Want, WantRevs};

/// Lengths of attachments: kept inside the database file, or files of their own, the longest in several chunks.
const ATTACHMENT_BYTES: [usize; 4] = [0, 300, 20_000, 150_000];

/// An acknowledged revision as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) deleted: bool,
    pub(crate) body: String,
    pub(crate) attachments: BTreeMap<String, Vec<u8>>,
}

/// Id and revision.
pub(crate) type Key = (String, Rev);

/// Everything that was done.
pub(crate) struct People {
    dice: StdRng,
    ids: usize,
    attachments: f64,
    relaxed: f64,
    count: u64,
    pub(crate) promised: BTreeMap<Key, Promise>,
    /// Which revision each was made from.
    parents: BTreeMap<Key, Rev>,
    /// Those that something may have been made from although nobody was told.
    perhaps_replaced: Vec<Key>,
    /// Documents that may have revisions which nobody was promised.
    pub(crate) doubtful: BTreeSet<String>,
    /// By node: acknowledged, but not yet durable.
    undurable: Vec<Vec<Key>>,
}

impl People {
    pub(crate) fn new(plan: &crate::plan::Plan) -> People {
        People {
            dice: StdRng::seed_from_u64(!plan.seed),
            ids: plan.ids,
            attachments: plan.attachments,
            relaxed: plan.relaxed,
            count: 0,
            promised: BTreeMap::new(),
            parents: BTreeMap::new(),
            perhaps_replaced: Vec::new(),
            doubtful: BTreeSet::new(),
            undurable: vec![Vec::new(); plan.nodes],
        }
    }

    /// Edits a document at a node.
    pub(crate) fn edit(&mut self, node: usize, running: &Running) {
        let id = self.id();
        let Ok(leaves) = leaves(&running.database, &id) else {
            return;
        };
        let done = if self.dice.random_bool(0.1) {
            self.graft(&running.database, &id)
        } else {
            self.interactive(&running.database, &id, leaves)
        };
        let Ok((batch, promise, path)) = done else { return };
        let durability = batch.durability;
        self.remember(&id, &path);
        match running.database.update(batch) {
            Ok(outcomes) => {
                // The same edit may have been made before.
                let Some(Ok(written)) = outcomes.into_iter().next() else {
                    return;
                };
                let rev = written.rev;
                if let Some(parent) = path.first().filter(|first| **first != rev) {
                    self.parents.insert((id.clone(), rev.clone()), parent.clone());
                }
                match durability {
                    // Durable with all before it.
                    Durability::Durable => self.undurable[node].clear(),
                    Durability::Relaxed => self.undurable[node].push((id.clone(), rev.clone())),
                }
                self.promised.insert((id, rev), promise);
            }
            Err(_) => {
                let from = path.into_iter().next();
                self.perhaps_replaced.extend(from.map(|from| (id.clone(), from)));
                self.doubtful.insert(id);
            }
        }
    }

    /// A node lost its power: what was not durable may be lost.
    pub(crate) fn crashed(&mut self, node: usize) {
        for key in std::mem::take(&mut self.undurable[node]) {
            self.promised.remove(&key);
            self.doubtful.insert(key.0);
        }
    }

    /// Erases a document wherever it is: nobody is promised any of it from now on, though what is on its way may
    /// bring it back.
    pub(crate) fn purged(&mut self, id: &str) {
        self.promised.retain(|key, _| key.0 != id);
        self.doubtful.insert(id.to_owned());
    }

    pub(crate) fn id(&mut self) -> String {
        format!("call-{}", self.dice.random_range(0..self.ids))
    }

    /// Whether `late` was made from `early`, at however many removes.
    pub(crate) fn descends(&self, id: &str, late: &Rev, early: &Rev) -> bool {
        let mut at = (id.to_owned(), late.clone());
        while at.1.generation > early.generation {
            match self.parents.get(&at) {
                Some(parent) => at.1 = parent.clone(),
                None => return false,
            }
        }
        at.1 == *early
    }

    /// Whether something may have been made from it that nobody knows of.
    pub(crate) fn may_be_replaced(&self, id: &str, rev: &Rev) -> bool {
        let mut perhaps = self.perhaps_replaced.iter();
        perhaps.any(|(of, late)| of == id && self.descends(id, late, rev))
    }

    fn remember(&mut self, id: &str, path: &[Rev]) {
        for pair in path.windows(2) {
            self.parents
                .insert((id.to_owned(), pair[0].clone()), pair[1].clone());
        }
    }

    fn body(&mut self) -> String {
        self.count += 1;
        // Some edits are the same wherever they are made.
        let number = if self.dice.random_bool(0.1) { 0 } else { self.count };
        let long = if self.dice.random_bool(0.05) { 6000 } else { 10 };
        format!("{{\"n\":{number},\"x\":\"{}\"}}", "x".repeat(long))
    }

    fn interactive(
        &mut self,
        database: &Database,
        id: &str,
        mut leaves: Vec<Leaf>,
    ) -> Result<(Batch, Promise, Vec<Rev>), Error> {
        // Nobody goes on from a tombstone by its name: a deleted document is made again as if it had never been.
        let lives = leaves.iter().any(|leaf| !leaf.deleted);
        leaves.retain(|leaf| !lives || !leaf.deleted);
        let from = leaves.first().cloned();
        let parent = match leaves.len() {
            some if lives && self.dice.random_bool(0.2) => {
                Some(leaves.swap_remove(self.dice.random_range(0..some)))
            }
            _ => from.clone().filter(|_| lives),
        };
        // Its new life goes on from the winning tombstone all the same.
        let path = match parent.as_ref().or(from.as_ref()) {
            Some(leaf) => path_of(database, id, &leaf.rev)?,
            None => Vec::new(),
        };
        let deleted = lives && self.dice.random_bool(0.15);
        let (mut edits, mut bytes) = (Vec::new(), BTreeMap::new());
        if !deleted {
            for kept in parent.iter().flat_map(|leaf| &leaf.attachments) {
                if self.dice.random_bool(0.8) {
                    bytes.insert(kept.name.to_string(), read(database, kept)?);
                    edits.push(attachment(&kept.name, AttachmentSource::Stub { md5: None }));
                }
            }
            if self.dice.random_bool(self.attachments) {
                let name = format!("a{}", self.dice.random_range(0..3));
                let length = *ATTACHMENT_BYTES.choose(&mut self.dice).unwrap();
                let some: [u8; 31] = self.dice.random();
                let content: Vec<u8> = some.into_iter().cycle().take(length).collect();
                let mut staging = database.stage(None)?;
                if staging.write_all(&content).is_ok() {
                    edits.retain(|edit| *edit.name != *name);
                    edits.push(attachment(&name, AttachmentSource::Staged(staging.finish()?)));
                    bytes.insert(name, content);
                }
            }
        }
        let body = if deleted { "{}".to_owned() } else { self.body() };
        let edit = InteractiveEdit {
            id: DocId::parse(id).unwrap(),
            parent: parent.map(|leaf| leaf.rev),
            deleted,
            body: Body::parse(&body).unwrap(),
            attachments: edits,
        };
        let durability = match self.dice.random_bool(self.relaxed) {
            true => Durability::Relaxed,
            false => Durability::Durable,
        };
        let batch = Batch {
            edits: vec![Edit::Interactive(edit)],
            durability,
            ..Batch::default()
        };
        let promise = Promise {
            deleted,
            body,
            attachments: bytes,
        };
        Ok((batch, promise, path))
    }

    /// A branch made elsewhere, a few revisions long, from scratch or from any revision that is here.
    fn graft(&mut self, database: &Database, id: &str) -> Result<(Batch, Promise, Vec<Rev>), Error> {
        let mut digests: Vec<Digest> = (0..self.dice.random_range(1..4))
            .map(|_| Digest::from_bytes(&self.dice.random::<[u8; 16]>()))
            .collect();
        let mut generation = digests.len() as u64;
        let leaves = leaves(database, id)?;
        if let Some(leaf) = leaves.choose(&mut self.dice) {
            let path = path_of(database, id, &leaf.rev)?;
            let from = self.dice.random_range(0..=path.len());
            generation += path.get(from).map_or(0, |rev| rev.generation);
            digests.extend(path.into_iter().skip(from).map(|rev| rev.digest));
        }
        let path = RevPath::new(generation, digests).unwrap();
        let revs: Vec<Rev> = path.revs().collect();
        let deleted = self.dice.random_bool(0.2);
        let body = self.body();
        let edit = ReplicatedEdit {
            id: DocId::parse(id).unwrap(),
            path,
            deleted,
            body: Body::parse(&body).unwrap(),
            attachments: Vec::new(),
            age_ms: 0,
        };
        let batch = Batch {
            edits: vec![Edit::Replicated(edit)],
            ..Batch::default()
        };
        let promise = Promise {
            deleted,
            body,
            attachments: BTreeMap::new(),
        };
        Ok((batch, promise, revs))
    }
}

fn attachment(name: &str, source: AttachmentSource) -> AttachmentEdit {
    AttachmentEdit {
        name: name.into(),
        content_type: matches!(source, AttachmentSource::Staged(_)).then(|| "audio/wav".into()),
        revpos: None,
        source,
    }
}

/// A document's leaves, winner first.
pub(crate) fn leaves(database: &Database, id: &str) -> Result<Vec<Leaf>, Error> {
    let want = Want {
        id: id.to_owned(),
        revs: WantRevs::All,
    };
    let found = database.bulk_get(&[want])?.into_iter().flatten();
    Ok(found.flat_map(|found| found.leaves).collect())
}

/// The revision and its ancestors, newest first.
fn path_of(database: &Database, id: &str, rev: &Rev) -> Result<Vec<Rev>, Error> {
    let tree = database.tree(id)?;
    let path = tree.and_then(|tree| tree.revs.path(rev));
    Ok(path.map(|path| path.revs().collect()).unwrap_or_default())
}

/// An attachment's bytes.
pub(crate) fn read(
    database: &Database,
    of: &trunkline_core::attachment::Attachment,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut reader = database.open_content(&of.content)?;
    match std::io::Read::read_to_end(&mut reader, &mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Error::Io(String::new(), std::sync::Arc::new(error))),
    }
}
