//! The store beside a plain model in memory, under random operations.

use crate::support::*;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, Content};
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::rev::{Digest, Rev};
use trunkline_core::revid;
use trunkline_core::revtree::{LeafState, Merged, RevTree};
use trunkline_store::*;
use trunkline_testkit::seed::with_seeds;

/// Leaves keep their body and attachments; the model keeps those of every revision it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelDoc {
    tree: RevTree,
    seq: u64,
    bodies: BTreeMap<Rev, (String, Vec<Attachment>)>,
}

/// What a database should hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) docs: BTreeMap<String, ModelDoc>,
    pub(crate) seq: u64,
    purge_seq: u64,
}

const STATE: LeafState = LeafState {
    deleted: false,
    body: 0,
};

impl Model {
    pub(crate) fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        let before = self.clone();
        let mut outcomes: Vec<Outcome> = batch.edits.iter().map(|edit| self.edit(edit)).collect();
        if batch.atomic && outcomes.iter().any(Result::is_err) {
            *self = before;
            outcomes
                .iter_mut()
                .filter(|outcome| outcome.is_ok())
                .for_each(|outcome| *outcome = Err(Refused::Batch));
        }
        outcomes
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        match edit {
            Edit::Interactive(edit) => self.interactive(edit),
            Edit::Replicated(edit) => self.replicated(edit),
        }
    }

    fn interactive(&mut self, edit: &InteractiveEdit) -> Outcome {
        let empty = ModelDoc::default();
        let doc = self.docs.get(edit.id.as_str()).unwrap_or(&empty);
        let parent = match (doc.tree.winner(), &edit.parent) {
            (None, None) => None,
            (Some((winner, state)), None) if state.deleted && !edit.deleted => Some(winner.clone()),
            (Some((_, state)), Some(parent)) if !state.deleted && doc.tree.leaf(parent).is_some() => {
                Some(parent.clone())
            }
            _ => return Err(Refused::Conflict),
        };
        let stored = parent
            .as_ref()
            .map(|parent| doc.bodies[parent].1.clone())
            .unwrap_or_default();
        let generation = parent.as_ref().map_or(1, |parent| parent.generation + 1);
        let attachments: Vec<Attachment> = edit
            .attachments
            .iter()
            .map(|wanted| match &wanted.source {
                AttachmentSource::Staged(content) | AttachmentSource::Later(content) => {
                    Ok(attachment(wanted, content, generation))
                }
                AttachmentSource::Stub { .. } => stored
                    .iter()
                    .find(|stored| stored.name == wanted.name)
                    .cloned()
                    .ok_or_else(|| Refused::MissingStub(wanted.name.to_string())),
            })
            .collect::<Result<_, _>>()?;
        let terms: Vec<_> = attachments
            .iter()
            .map(|a| (&*a.name, &*a.content_type, a.content.md5))
            .collect();
        let rev = revid::revision(edit.deleted, parent.as_ref(), &edit.body, &terms);
        if doc.tree.contains(&rev) {
            return Err(Refused::Conflict);
        }
        let mut digests = vec![rev.digest.clone()];
        digests.extend(parent.map(|parent| parent.digest));
        let path = RevPath::new(rev.generation, digests).unwrap();
        let seq = self.merge(edit.id.as_str(), &path, edit.deleted, &edit.body, attachments);
        Ok(Written { rev, seq })
    }

    fn replicated(&mut self, edit: &ReplicatedEdit) -> Outcome {
        let rev = edit.path.rev().unwrap();
        let attachments = edit.attachments.iter().map(|wanted| match &wanted.source {
            AttachmentSource::Staged(content) | AttachmentSource::Later(content) => {
                attachment(wanted, content, wanted.revpos.unwrap_or(rev.generation))
            }
            AttachmentSource::Stub { .. } => unreachable!("the test makes none"),
        });
        let seq = self.merge(
            edit.id.as_str(),
            &edit.path,
            edit.deleted,
            &edit.body,
            attachments.collect(),
        );
        Ok(Written { rev, seq })
    }

    fn merge(
        &mut self,
        id: &str,
        path: &RevPath,
        deleted: bool,
        body: &Body,
        attachments: Vec<Attachment>,
    ) -> u64 {
        let doc = self.docs.entry(id.into()).or_default();
        let before: Vec<Rev> = doc
            .tree
            .leaves()
            .into_iter()
            .map(|(rev, _)| rev.clone())
            .collect();
        let merged = doc.tree.merge(path, LeafState { deleted, ..STATE });
        if merged != Merged::Known {
            doc.bodies
                .insert(path.rev().unwrap(), (body.as_str().into(), attachments));
        }
        let after: Vec<Rev> = doc
            .tree
            .leaves()
            .into_iter()
            .map(|(rev, _)| rev.clone())
            .collect();
        if before != after {
            self.seq += 1;
            doc.seq = self.seq;
        }
        doc.seq
    }

    fn purge(&mut self, id: &str, revs: &[Rev]) -> Vec<Rev> {
        let Some(doc) = self.docs.get_mut(id) else {
            return Vec::new();
        };
        let removed: Vec<Rev> = doc.tree.purge(revs).into_iter().map(|(rev, _)| rev).collect();
        if !removed.is_empty() {
            self.seq += 1;
            self.purge_seq += 1;
            doc.seq = self.seq;
        }
        if doc.tree.is_empty() {
            self.docs.remove(id);
        }
        removed
    }

    /// Compares everything a reader can see.
    pub(crate) fn assert_equals(&self, database: &Database) {
        assert_eq!(database.last_seq().unwrap(), self.seq);
        self.assert_documents_equal(database);
    }

    /// As [`Model::assert_equals`]; but seqs may have been skipped.
    pub(crate) fn assert_documents_equal(&self, database: &Database) {
        let info = database.info().unwrap();
        let deleted = |doc: &ModelDoc| doc.tree.winner().unwrap().1.deleted;
        let gone = self.docs.values().filter(|doc| deleted(doc)).count() as u64;
        let counts = (info.doc_count, info.doc_del_count, info.purge_seq);
        assert_eq!(counts, (self.docs.len() as u64 - gone, gone, self.purge_seq));
        for (id, doc) in &self.docs {
            let want = Want {
                id: id.clone(),
                revs: WantRevs::All,
            };
            let found = database.bulk_get(&[want]).unwrap().remove(0).unwrap();
            let leaves: Vec<_> = doc
                .tree
                .leaves()
                .into_iter()
                .map(|(rev, state)| {
                    let (body, attachments) = doc.bodies[rev].clone();
                    (rev.clone(), state.deleted, body, attachments, doc.seq)
                })
                .collect();
            let found: Vec<_> = found
                .leaves
                .into_iter()
                .map(|leaf| {
                    (
                        leaf.rev,
                        leaf.deleted,
                        leaf.body.as_str().to_owned(),
                        leaf.attachments,
                        leaf.seq,
                    )
                })
                .collect();
            assert_eq!(found, leaves, "leaves of {id}");
        }
        let mut by_seq: Vec<(u64, &str)> = self.docs.iter().map(|(id, doc)| (doc.seq, id.as_str())).collect();
        by_seq.sort();
        assert_eq!(
            changes(database),
            by_seq
                .iter()
                .map(|(seq, id)| (*seq, (*id).to_owned()))
                .collect::<Vec<_>>()
        );
        let live: Vec<_> = self
            .docs
            .iter()
            .filter(|(_, doc)| !deleted(doc))
            .map(|(id, _)| id.clone())
            .collect();
        assert_eq!(all_docs(database), live);
        for since in [0, 1, self.seq / 2, self.seq / 2 + 3, self.seq] {
            let pending = by_seq.iter().filter(|(seq, _)| *seq > since).count() as u64;
            assert_eq!(database.count_changes(since).unwrap(), pending, "since {since}");
        }
    }
}

fn attachment(edit: &AttachmentEdit, content: &Content, revpos: u64) -> Attachment {
    Attachment {
        name: edit.name.clone(),
        content_type: edit
            .content_type
            .clone()
            .unwrap_or("application/octet-stream".into()),
        revpos,
        content: content.clone(),
    }
}

pub(crate) fn changes(database: &Database) -> Vec<(u64, String)> {
    let scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut rows = Vec::new();
    let mut look = |row: ChangeRow<'_>| {
        rows.push((row.seq, row.id.to_owned()));
        ControlFlow::Continue(())
    };
    assert!(database.changes(&scan, &mut look).unwrap().done);
    rows
}

fn all_docs(database: &Database) -> Vec<String> {
    let scan = DocsScan {
        start: None,
        after_start: false,
        end: None,
        inclusive_end: true,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut rows = Vec::new();
    let mut look = |row: DocRow<'_>| {
        rows.push(row.id.to_owned());
        ControlFlow::Continue(())
    };
    assert!(database.all_docs(&scan, &mut look).unwrap().done);
    rows
}

/// Draws edits that often meet: few documents, few digests.
pub(crate) struct Draw<'a> {
    pub(crate) rng: &'a mut StdRng,
    pub(crate) database: &'a Database,
    /// Longest attachment; 0 for none.
    pub(crate) attachment_bytes_max: usize,
}

impl Draw<'_> {
    pub(crate) fn batch(&mut self, model: &Model) -> Batch {
        let count = self.rng.random_range(1..6);
        Batch {
            edits: (0..count).map(|_| self.edit(model)).collect(),
            durability: if self.rng.random_bool(0.2) {
                Durability::Relaxed
            } else {
                Durability::Durable
            },
            atomic: self.rng.random_bool(0.2),
            ..Batch::default()
        }
    }

    fn id(&mut self) -> String {
        format!("doc{}", self.rng.random_range(0..8))
    }

    fn body(&mut self) -> Body {
        let pad = if self.rng.random_bool(0.1) {
            self.rng.random_range(3000..9000)
        } else {
            self.rng.random_range(0..50)
        };
        Body::from_stored(format!(
            r#"{{"n":{},"pad":"{}"}}"#,
            self.rng.random_range(0..1000),
            "p".repeat(pad)
        ))
    }

    fn edit(&mut self, model: &Model) -> Edit {
        let id_text = self.id();
        let deleted = self.rng.random_bool(0.2);
        let body = self.body();
        if self.rng.random_bool(0.4) {
            let generation = self.rng.random_range(1..5);
            let length = self.rng.random_range(1..=generation);
            let digests = (0..length)
                .map(|_| Digest::from_bytes(&[self.rng.random_range(b'a'..b'd')]))
                .collect();
            let attachments = self.attachments(&[]);
            return Edit::Replicated(ReplicatedEdit {
                id: id(&id_text),
                path: RevPath::new(generation, digests).unwrap(),
                deleted,
                body,
                attachments,
                age_ms: 0,
            });
        }
        let doc = model.docs.get(&id_text);
        let leaves: Vec<Rev> = doc
            .map(|doc| {
                doc.tree
                    .leaves()
                    .into_iter()
                    .map(|(rev, _)| rev.clone())
                    .collect()
            })
            .unwrap_or_default();
        let parent = leaves
            .choose(self.rng)
            .filter(|_| self.rng.random_bool(0.85))
            .cloned();
        let stored = match (&parent, doc) {
            (Some(parent), Some(doc)) => doc.bodies[parent].1.clone(),
            _ => Vec::new(),
        };
        let attachments = self.attachments(&stored);
        Edit::Interactive(InteractiveEdit {
            id: id(&id_text),
            parent,
            deleted,
            body,
            attachments,
        })
    }

    fn attachments(&mut self, stored: &[Attachment]) -> Vec<AttachmentEdit> {
        let mut edits: Vec<AttachmentEdit> = Vec::new();
        for stored in stored {
            if self.rng.random_bool(0.7) {
                edits.push(AttachmentEdit {
                    name: stored.name.clone(),
                    content_type: None,
                    revpos: None,
                    source: AttachmentSource::Stub { md5: None },
                });
            }
        }
        if self.attachment_bytes_max > 0 && self.rng.random_bool(0.3) {
            let length = self.rng.random_range(0..self.attachment_bytes_max);
            let mut staging = self.database.stage(None).unwrap();
            staging
                .write_all(&vec![self.rng.random_range(0..4u8); length])
                .unwrap();
            edits.push(AttachmentEdit {
                name: format!("new{}", self.rng.random::<u16>()).into(),
                content_type: Some("text/plain".into()),
                revpos: None,
                source: AttachmentSource::Staged(staging.finish().unwrap()),
            });
        }
        edits
    }
}

#[test]
fn the_store_does_what_the_model_does() {
    with_seeds(6, |rng| {
        let (dir, mut store, mut database) = store();
        let mut model = Model::default();
        for step in 0..150 {
            match rng.random_range(0..100) {
                0..90 => {
                    let mut draw = Draw {
                        rng,
                        database: &database,
                        attachment_bytes_max: 40_000,
                    };
                    let batch = draw.batch(&model);
                    let expected = model.apply(&batch);
                    assert_eq!(
                        database.update(batch.clone()).unwrap(),
                        expected,
                        "step {step}: {batch:?}"
                    );
                }
                90..95 => {
                    let id_text = format!("doc{}", rng.random_range(0..8));
                    let leaves = model.docs.get(&id_text).map(|doc| {
                        doc.tree
                            .leaves()
                            .into_iter()
                            .map(|(rev, _)| rev.clone())
                            .collect::<Vec<_>>()
                    });
                    let mut revs = leaves.unwrap_or_default();
                    revs.truncate(rng.random_range(0..3));
                    let removed = database.purge(&[(id(&id_text), revs.clone())]).unwrap();
                    assert_eq!(removed, [model.purge(&id_text, &revs)]);
                }
                95..97 => database.compact().unwrap(),
                _ => {
                    drop((store, database));
                    store = Store::open(dir.path()).unwrap();
                    database = store.database(&name("calls")).unwrap();
                }
            }
            if step % 10 == 0 {
                model.assert_equals(&database);
                clean(&database);
            }
        }
        model.assert_equals(&database);
        clean(&database);
        for doc in model.docs.values() {
            for (rev, _) in doc.tree.leaves() {
                for attachment in &doc.bodies[rev].1 {
                    let mut bytes = Vec::new();
                    database
                        .open_content(&attachment.content)
                        .unwrap()
                        .read_to_end(&mut bytes)
                        .unwrap();
                    assert_eq!(bytes.len() as u64, attachment.content.length);
                }
            }
        }
    });
}
