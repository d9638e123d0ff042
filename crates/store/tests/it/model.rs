//! A plain model in memory of what a database holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, Content, ContentHash};
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::rev::Rev;
use trunkline_core::revid;
use trunkline_core::revtree::{LeafState, Merged, RevTree};
use trunkline_store::*;

/// Leaves keep their body and attachments; the model keeps those of every revision it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelDoc {
    pub(crate) tree: RevTree,
    seq: u64,
    /// Of its newest change, and the batch that made it.
    age_ms: u64,
    batch: u64,
    pub(crate) bodies: BTreeMap<Rev, (String, Vec<Attachment>)>,
}

/// What a database should hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) docs: BTreeMap<String, ModelDoc>,
    pub(crate) seq: u64,
    purge_seq: u64,
    batches: u64,
    pub(crate) mirror: bool,
    /// Contents whose bytes have come; those of the others that leaves name are absent.
    present: BTreeSet<ContentHash>,
    /// Contents staged for revisions that were known already.
    offered: BTreeSet<ContentHash>,
}

/// Which leaves name which content.
type Naming = BTreeSet<(ContentHash, String, Rev)>;

const STATE: LeafState = LeafState {
    deleted: false,
    body: 0,
};

impl Model {
    pub(crate) fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        self.batches += 1;
        self.offered.clear();
        let before = self.clone();
        let named_before = self.naming();
        let mut outcomes: Vec<Outcome> = batch.edits.iter().map(|edit| self.edit(edit)).collect();
        if batch.atomic && outcomes.iter().any(Result::is_err) {
            let offered = std::mem::take(&mut self.offered);
            *self = Model { offered, ..before };
            outcomes
                .iter_mut()
                .filter(|outcome| outcome.is_ok())
                .for_each(|outcome| *outcome = Err(Refused::Batch));
        }
        let named = self.naming();
        let touched: BTreeSet<_> = named
            .symmetric_difference(&named_before)
            .map(|(hash, ..)| *hash)
            .collect();
        for attachment in batch.edits.iter().flat_map(attachments_of) {
            if let AttachmentSource::Staged(content) = &attachment.source
                && (touched.contains(&content.hash) || self.offered.contains(&content.hash))
            {
                self.present.insert(content.hash);
            }
        }
        self.forget_unnamed();
        outcomes
    }

    fn naming(&self) -> Naming {
        let mut naming = Naming::new();
        for (id, doc) in &self.docs {
            for (rev, _) in doc.tree.leaves() {
                let attachments = doc.bodies[rev].1.iter();
                naming.extend(attachments.map(|stored| (stored.content.hash, id.clone(), rev.clone())));
            }
        }
        naming
    }

    fn forget_unnamed(&mut self) {
        let naming = self.naming();
        let named: BTreeSet<_> = naming.into_iter().map(|(hash, ..)| hash).collect();
        self.present.retain(|hash| named.contains(hash));
    }

    pub(crate) fn absent(&self) -> BTreeSet<ContentHash> {
        let named: BTreeSet<_> = self.naming().into_iter().map(|(hash, ..)| hash).collect();
        named.difference(&self.present).copied().collect()
    }

    /// Bytes have come; answers whether anybody names them.
    pub(crate) fn supply(&mut self, hash: ContentHash) -> bool {
        self.present.insert(hash);
        self.forget_unnamed();
        self.present.contains(&hash)
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        match edit {
            Edit::Interactive(edit) => self.interactive(edit),
            Edit::Replicated(edit) => self.replicated(edit),
        }
    }

    fn interactive(&mut self, edit: &InteractiveEdit) -> Outcome {
        if self.mirror {
            return Err(Refused::Mirror);
        }
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
                AttachmentSource::Staged(content)
                | AttachmentSource::Named(content)
                | AttachmentSource::Later(content) => Ok(attachment(wanted, content, generation)),
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
        let seq = self.merge(
            edit.id.as_str(),
            &path,
            (edit.deleted, 0),
            &edit.body,
            attachments,
        );
        Ok(Written { rev, seq })
    }

    fn replicated(&mut self, edit: &ReplicatedEdit) -> Outcome {
        let rev = edit.path.rev().unwrap();
        let doc = self.docs.get(edit.id.as_str());
        if doc.is_some_and(|doc| doc.tree.contains(&rev)) {
            for attachment in &edit.attachments {
                if let AttachmentSource::Staged(content) = &attachment.source {
                    self.offered.insert(content.hash);
                }
            }
        }
        let attachments = edit.attachments.iter().map(|wanted| match &wanted.source {
            AttachmentSource::Staged(content)
            | AttachmentSource::Named(content)
            | AttachmentSource::Later(content) => {
                attachment(wanted, content, wanted.revpos.unwrap_or(rev.generation))
            }
            AttachmentSource::Stub { .. } => unreachable!("the test makes none"),
        });
        let seq = self.merge(
            edit.id.as_str(),
            &edit.path,
            (edit.deleted, edit.age_ms),
            &edit.body,
            attachments.collect(),
        );
        Ok(Written { rev, seq })
    }

    fn merge(
        &mut self,
        id: &str,
        path: &RevPath,
        (deleted, age_ms): (bool, u64),
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
            let of_batch = if doc.batch == self.batches { doc.age_ms } else { 0 };
            doc.age_ms = of_batch.max(age_ms);
            doc.batch = self.batches;
        }
        doc.seq
    }

    pub(crate) fn purge(&mut self, id: &str, revs: &[Rev]) -> Vec<Rev> {
        let Some(doc) = self.docs.get_mut(id) else {
            return Vec::new();
        };
        let removed: Vec<Rev> = doc.tree.purge(revs).into_iter().map(|(rev, _)| rev).collect();
        if !removed.is_empty() {
            self.seq += 1;
            self.purge_seq += 1;
            doc.seq = self.seq;
            doc.age_ms = 0;
        }
        if doc.tree.is_empty() {
            self.docs.remove(id);
        }
        self.forget_unnamed();
        removed
    }

    /// Compares everything a reader can see.
    pub(crate) fn assert_equals(&self, database: &Database) {
        assert_eq!(database.last_seq().unwrap(), self.seq);
        assert_eq!(database.is_mirror().unwrap(), self.mirror);
        let absent = database.absent(None, usize::MAX).unwrap();
        let expected: Vec<_> = self.absent().into_iter().collect();
        assert_eq!(
            absent.iter().map(|content| content.hash).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(database.lacking(&absent).unwrap(), absent);
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
        let by_seq = self
            .docs
            .iter()
            .map(|(id, doc)| (doc.seq, id.clone(), doc.age_ms));
        let mut by_seq: Vec<_> = by_seq.collect();
        by_seq.sort();
        assert_eq!(changes(database), by_seq);
        let live: Vec<_> = self
            .docs
            .iter()
            .filter(|(_, doc)| !deleted(doc))
            .map(|(id, _)| id.clone())
            .collect();
        assert_eq!(all_docs(database), live);
        for since in [0, 1, self.seq / 2, self.seq / 2 + 3, self.seq] {
            let pending = by_seq.iter().filter(|(seq, ..)| *seq > since).count() as u64;
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

fn attachments_of(edit: &Edit) -> &[AttachmentEdit] {
    match edit {
        Edit::Interactive(edit) => &edit.attachments,
        Edit::Replicated(edit) => &edit.attachments,
    }
}

/// Seq, id and age of every row.
pub(crate) fn changes(database: &Database) -> Vec<(u64, String, u64)> {
    let scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut rows = Vec::new();
    let mut look = |row: ChangeRow<'_>| {
        rows.push((row.seq, row.id.to_owned(), row.age_ms));
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
