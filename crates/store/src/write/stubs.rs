//! The attachments of an edit: stubs resolved against what is stored, staged content verified to be here.

use super::DEFAULT_CONTENT_TYPE;
use super::apply::Commit;
use super::decide::Decision;
use super::entry::Tree;
use super::refs::Unfit;
use crate::tables::attachment::decode_attachments;
use crate::tables::by_seq::{BodyRow, SeqRow};
use crate::{Error, Refused};
use redb::ReadableTable;
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, Content};
use trunkline_core::doc::{InteractiveEdit, ReplicatedEdit};
use trunkline_core::limits::ATTACHMENT_BYTES_MAX;
use trunkline_core::rev::Rev;

impl Commit<'_, '_> {
    /// A client's stub stands for the parent's attachment of that name.
    pub(super) fn interactive_attachments(
        &mut self,
        index: usize,
        parent: Option<&Rev>,
        generation: u64,
        edit: &InteractiveEdit,
    ) -> Decision<Vec<Attachment>> {
        let later = |edit: &&AttachmentEdit| matches!(edit.source, AttachmentSource::Later(_));
        if let Some(edit) = edit.attachments.iter().find(later) {
            let what = format!("{} comes without its bytes", edit.name);
            return Ok(Err(Refused::BadAttachment(what)));
        }
        let stored = match parent {
            Some(parent) if has_stubs(&edit.attachments) => self.leaf_attachments(index, parent)?,
            _ => Vec::new(),
        };
        self.resolve(index, &edit.attachments, |wanted, source| match source {
            AttachmentSource::Stub { .. } => stored
                .iter()
                .find(|stored| stored.name == wanted.name)
                .filter(|stored| wanted.revpos.is_none_or(|revpos| revpos == stored.revpos))
                .cloned(),
            AttachmentSource::Staged(content)
            | AttachmentSource::Named(content)
            | AttachmentSource::Later(content) => Some(new_attachment(wanted, content, generation)),
        })
    }

    /// A replicated stub stands for the attachment of the nearest ancestor that still has a body, else for any of the
    /// document's attachments with that name and digest.
    pub(super) fn replicated_attachments(
        &mut self,
        index: usize,
        edit: &ReplicatedEdit,
    ) -> Decision<Vec<Attachment>> {
        let mut ancestor = Vec::new();
        let mut others = Vec::new();
        if has_stubs(&edit.attachments) && !matches!(self.entry_mut(index)?.now.tree, Tree::Absent) {
            let ancestors: Vec<Rev> = (0..edit.path.generation)
                .rev()
                .zip(edit.path.digests.iter().skip(1))
                .map(|(generation, digest)| Rev {
                    generation,
                    digest: digest.clone(),
                })
                .collect();
            let leaves = super::entry::owned_leaves(self.entry_mut(index)?.decoded()?);
            if let Some(nearest) = ancestors
                .iter()
                .find(|rev| leaves.iter().any(|(leaf, _)| leaf == *rev))
            {
                ancestor = self.leaf_attachments(index, nearest)?;
            }
            let from_ancestor = edit.attachments.iter().all(|wanted| match &wanted.source {
                AttachmentSource::Stub { md5 } => ancestor.iter().any(|stored| fits(stored, wanted, *md5)),
                AttachmentSource::Staged(_) | AttachmentSource::Named(_) | AttachmentSource::Later(_) => true,
            });
            for (leaf, _) in leaves.iter().filter(|_| !from_ancestor) {
                others.extend(self.leaf_attachments(index, leaf)?);
            }
        }
        let generation = edit.path.generation;
        self.resolve(index, &edit.attachments, |wanted, source| match source {
            AttachmentSource::Stub { md5 } => {
                let is_it = |stored: &&Attachment| fits(stored, wanted, *md5);
                let by_digest = || others.iter().filter(|_| md5.is_some()).find(is_it);
                let stored = ancestor.iter().find(is_it).or_else(by_digest)?;
                Some(Attachment {
                    revpos: wanted.revpos.unwrap_or(stored.revpos),
                    ..stored.clone()
                })
            }
            AttachmentSource::Staged(content)
            | AttachmentSource::Named(content)
            | AttachmentSource::Later(content) => Some(new_attachment(
                wanted,
                content,
                wanted.revpos.unwrap_or(generation),
            )),
        })
    }

    /// Of a revision that is here already, bytes may be what is not.
    pub(super) fn offer_staged(&mut self, edits: &[AttachmentEdit]) {
        for edit in edits {
            if let AttachmentSource::Staged(content) = &edit.source {
                self.refs.offer(content);
            }
        }
    }

    fn resolve(
        &mut self,
        index: usize,
        edits: &[AttachmentEdit],
        find: impl Fn(&AttachmentEdit, &AttachmentSource) -> Option<Attachment>,
    ) -> Decision<Vec<Attachment>> {
        let mut attachments = Vec::with_capacity(edits.len());
        for edit in edits {
            if let AttachmentSource::Staged(content)
            | AttachmentSource::Named(content)
            | AttachmentSource::Later(content) = &edit.source
            {
                if content.length.max(content.stored_bytes()) > ATTACHMENT_BYTES_MAX {
                    return Ok(Err(Refused::AttachmentTooLarge(edit.name.as_ref().into())));
                }
                let admitted = match self.asker.is_none_or(|asker| asker.sees.is_none()) {
                    true => self.admit(content, matches!(edit.source, AttachmentSource::Later(_)))?,
                    false => {
                        let brought = !matches!(edit.source, AttachmentSource::Named(_));
                        self.admit_own(index, content, brought)?
                    }
                };
                if let Err(unfit) = admitted {
                    let name = &edit.name;
                    return Ok(Err(match unfit {
                        Unfit::Absent => Refused::NotStaged(name.as_ref().into()),
                        Unfit::Described => Refused::BadAttachment(format!(
                            "{name} is described as other bytes than those of its hash"
                        )),
                    }));
                }
            }
            let missing = || Ok(Err(Refused::MissingStub(edit.name.as_ref().into())));
            let Some(attachment) = find(edit, &edit.source) else {
                return missing();
            };
            // A tombstone or a side branch that is not seen has bytes of others.
            let is_stub = matches!(edit.source, AttachmentSource::Stub { .. });
            if is_stub && !self.shows(index, &attachment.content)? {
                return missing();
            }
            attachments.push(attachment);
        }
        Ok(Ok(attachments))
    }

    /// The attachments of a leaf, be it stored or brought by this commit.
    fn leaf_attachments(&mut self, index: usize, leaf: &Rev) -> Result<Vec<Attachment>, Error> {
        let entry = self.entry_mut(index)?;
        let state = match entry.encoded()?.map(|tree| tree.winner()) {
            Some((winner, state)) if winner == *leaf => Some(state),
            _ => entry.decoded()?.leaf(leaf),
        };
        let Some(state) = state else { return Ok(Vec::new()) };
        if let Some(fresh) = entry.fresh(state.body) {
            return Ok(fresh.attachments.clone());
        }
        let old_seq = entry.old.as_ref().map(|old| old.seq);
        if state.body != 0 {
            let row = self.tables.bodies()?.get(&state.body.to_be_bytes())?;
            let row = row.ok_or_else(|| Error::Corrupt("a leaf's body is missing".into()))?;
            return Ok(decode_attachments(BodyRow::decode(row.value())?.attachments)?);
        }
        let Some(row) = old_seq
            .map(|seq| self.tables.by_seq_get(seq))
            .transpose()?
            .flatten()
        else {
            return Err(Error::Corrupt("a document's by_seq row is missing".into()));
        };
        Ok(SeqRow::decode(row.value())?.attachments()?)
    }
}

fn has_stubs(edits: &[AttachmentEdit]) -> bool {
    edits
        .iter()
        .any(|edit| matches!(edit.source, AttachmentSource::Stub { .. }))
}

/// Whether a stub may stand for stored bytes.
fn fits(stored: &Attachment, wanted: &AttachmentEdit, md5: Option<[u8; 16]>) -> bool {
    stored.name == wanted.name && md5.is_none_or(|md5| md5 == stored.content.md5)
}

fn new_attachment(edit: &AttachmentEdit, content: &Content, revpos: u64) -> Attachment {
    Attachment {
        name: edit.name.clone(),
        content_type: edit
            .content_type
            .as_deref()
            .unwrap_or(DEFAULT_CONTENT_TYPE)
            .into(),
        revpos,
        content: content.clone(),
    }
}
