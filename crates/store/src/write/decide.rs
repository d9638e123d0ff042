//! What an edit does to a document: the rules of interactive edits, and the merge of replicated ones.

use super::apply::{Commit, path_of};
use super::entry::{Fresh, Head, Tree};
use super::guarded::Proposal;
use crate::{Error, Outcome, Refused, Written};
use std::sync::atomic::Ordering;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::{Body, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::{DOCUMENT_BYTES_MAX, GENERATION_MAX, INLINE_BODY_BYTES_MAX};
use trunkline_core::partition;
use trunkline_core::rev::Rev;
use trunkline_core::revid;
use trunkline_core::revtree::{LeafState, Merged};

/// A refusal now, or what it takes to go on.
pub(super) type Decision<T> = Result<Result<T, Refused>, Error>;

impl<'a> Commit<'a, '_> {
    /// An edit under the rules for clients: its parent must be a leaf.
    pub(super) fn interactive(
        &mut self,
        index: usize,
        edit: &'a InteractiveEdit,
        claimed: Option<&Rev>,
    ) -> Result<Outcome, Error> {
        match self.interactive_edit(index, edit, claimed)? {
            Err(refused) => Ok(Err(self.reason(index, true, refused)?)),
            written => Ok(written),
        }
    }

    fn interactive_edit(
        &mut self,
        index: usize,
        edit: &'a InteractiveEdit,
        claimed: Option<&Rev>,
    ) -> Result<Outcome, Error> {
        if self.file.mirror.load(Ordering::Relaxed) {
            return Ok(Err(Refused::Mirror));
        }
        if edit.body.as_str().len() > DOCUMENT_BYTES_MAX {
            return Ok(Err(Refused::DocumentTooLarge));
        }
        if let Err(refused) = self.in_partition(&edit.id) {
            return Ok(Err(refused));
        }
        let parent = match self.parent_of(index, edit)? {
            Ok(parent) => parent,
            Err(refused) => return Ok(Err(refused)),
        };
        if parent
            .as_ref()
            .is_some_and(|parent| parent.generation >= GENERATION_MAX)
        {
            return Ok(Err(Refused::Conflict));
        }
        // Whoever does not see the end of a document begins it anew, above all that was there: a revision that went on from
        // the end would tell which that was, and what was before.
        let ends = match &parent {
            Some(end) if edit.parent.is_none() && self.conceals(index)? => end.generation,
            _ => 0,
        };
        let parent = parent.filter(|_| ends == 0);
        let generation = parent.as_ref().map_or(ends, |parent| parent.generation) + 1;
        let attachments = match self.interactive_attachments(index, parent.as_ref(), generation, edit)? {
            Ok(attachments) => attachments,
            Err(refused) => return Ok(Err(refused)),
        };
        let rev = match claimed {
            Some(rev) if parent == edit.parent => rev.clone(),
            _ => revision_of(edit, parent.as_ref(), &attachments),
        };
        let rev = Rev { generation, ..rev };
        // A tree of several branches may hold the very same edit already.
        if self.knows(index, &rev)? {
            return Ok(Err(Refused::Conflict));
        }
        let path = path_of(&rev, parent.as_ref());
        // A document that comes back is a new one to a guard.
        let claimed = path_of(&rev, edit.parent.as_ref());
        let proposal = Proposal {
            interactive: true,
            path: &claimed,
            deleted: edit.deleted,
            body: edit.body.as_str(),
            attachments: &attachments,
        };
        if let Err(refused) = self.judged(index, &proposal)? {
            return Ok(Err(refused));
        }
        let seq = self.grow(index, &path, edit.deleted, &edit.body, attachments)?;
        Ok(Ok(Written { rev, seq }))
    }

    /// The leaf that an interactive edit replaces; `None` when it creates the document.
    fn parent_of(&mut self, index: usize, edit: &InteractiveEdit) -> Decision<Option<Rev>> {
        let entry = self.entry_mut(index)?;
        let Some(Head {
            winner,
            state,
            linear,
        }) = entry.head()?
        else {
            return Ok(match edit.parent {
                None => Ok(None),
                Some(_) => Err(Refused::Conflict),
            });
        };
        Ok(match &edit.parent {
            // The winner is deleted when all leaves are: only a new life goes on from there.
            parent if state.deleted => match parent {
                None if !edit.deleted => Ok(Some(winner)),
                _ => Err(Refused::Conflict),
            },
            None => Err(Refused::Conflict),
            Some(parent) if *parent == winner => Ok(Some(winner)),
            Some(parent) if !linear && entry.decoded()?.leaf(parent).is_some() => Ok(Some(parent.clone())),
            Some(_) => Err(Refused::Conflict),
        })
    }

    /// A revision made elsewhere: merged, whatever is here.
    pub(super) fn replicated(&mut self, index: usize, edit: &'a ReplicatedEdit) -> Result<Outcome, Error> {
        match self.replicated_edit(index, edit)? {
            Err(refused) => Ok(Err(self.reason(index, false, refused)?)),
            written => Ok(written),
        }
    }

    fn replicated_edit(&mut self, index: usize, edit: &'a ReplicatedEdit) -> Result<Outcome, Error> {
        if edit.body.as_str().len() > DOCUMENT_BYTES_MAX {
            return Ok(Err(Refused::DocumentTooLarge));
        }
        if let Err(refused) = self.in_partition(&edit.id) {
            return Ok(Err(refused));
        }
        let Some(digest) = edit.path.digests.first() else {
            return Err(Error::Corrupt("a replicated edit without a revision".into()));
        };
        let rev = Rev {
            generation: edit.path.generation,
            digest: digest.clone(),
        };
        // What is here of a document whose end is not seen is no answer to anybody.
        let known = self.knows(index, &rev)? && !self.conceals(index)?;
        let attachments = if known {
            if let Err(refused) = self.may_change(index, false)? {
                return Ok(Err(refused));
            }
            self.offer_staged(&edit.attachments);
            Vec::new()
        } else {
            let attachments = match self.replicated_attachments(index, edit)? {
                Ok(attachments) => attachments,
                Err(refused) => return Ok(Err(refused)),
            };
            let proposal = Proposal {
                interactive: false,
                path: &edit.path,
                deleted: edit.deleted,
                body: edit.body.as_str(),
                attachments: &attachments,
            };
            if let Err(refused) = self.judged(index, &proposal)? {
                return Ok(Err(refused));
            }
            attachments
        };
        let before = self.entry_mut(index)?.now.seq;
        let seq = self.grow(index, &edit.path, edit.deleted, &edit.body, attachments)?;
        if seq != before {
            let now = &mut self.entry_mut(index)?.now;
            now.age_ms = now.age_ms.max(edit.age_ms);
        }
        Ok(Ok(Written { rev, seq }))
    }

    /// Whether a document may be here by its id.
    fn in_partition(&self, id: &DocId) -> Result<(), Refused> {
        if !self.file.partitioned {
            return Ok(());
        }
        partition::check(id.as_str()).map_err(Refused::Member)
    }

    /// Whether a revision is any node of a document's tree.
    fn knows(&mut self, index: usize, rev: &Rev) -> Result<bool, Error> {
        let entry = self.entry_mut(index)?;
        if matches!(entry.now.tree, Tree::Absent) {
            return Ok(false);
        }
        if let Some(known) = entry.encoded()?.and_then(|tree| tree.linear_contains(rev)) {
            return Ok(known);
        }
        Ok(entry.decoded()?.contains(rev))
    }

    /// Adds a path to a document's tree, and its newest revision's body; answers the document's seq then.
    fn grow(
        &mut self,
        index: usize,
        path: &RevPath,
        deleted: bool,
        body: &'a Body,
        attachments: Vec<Attachment>,
    ) -> Result<u64, Error> {
        let body = body.as_str();
        let fresh = Fresh { body, attachments };
        let inline = body.len() <= INLINE_BODY_BYTES_MAX;
        let number = if inline { 0 } else { self.next_body() };
        let limit = self.revs_limit;
        let entry = self.entry_mut(index)?;
        match entry.grow_linear(
            path,
            LeafState {
                deleted,
                body: number,
            },
            limit,
        )? {
            Some(Merged::Known) => return Ok(entry.now.seq),
            Some(_) => {
                entry.now.fresh.clear();
                entry.now.fresh.insert(number, fresh);
            }
            None => {
                let number = self.next_body();
                let entry = self.entry_mut(index)?;
                let was_stemmed = std::mem::replace(&mut entry.now.stemmed, true);
                let tree = entry.decoded()?;
                let known = path.rev().is_some_and(|rev| tree.contains(&rev));
                if known && was_stemmed && tree.holds(path) {
                    return Ok(entry.now.seq);
                }
                let before = known.then(|| tree.clone());
                let state = LeafState {
                    deleted,
                    body: number,
                };
                tree.merge_stemmed(path, state, limit, was_stemmed);
                // Of a known revision older ancestors may be learnt, and with them, in odd histories, that what was
                // a leaf is none.
                match before {
                    None => drop(entry.now.fresh.insert(number, fresh)),
                    Some(before) if tree.leaves() == before.leaves() => {
                        let learnt = *tree != before;
                        entry.now.learnt |= learnt;
                        return Ok(entry.now.seq);
                    }
                    Some(_) => {}
                }
            }
        }
        let seq = self.next_seq();
        self.entry_mut(index)?.now.seq = seq;
        Ok(seq)
    }

    pub(super) fn entry_mut(&mut self, index: usize) -> Result<&mut super::entry::Entry<'a>, Error> {
        let entry = self.entries.get_mut(index);
        entry.ok_or_else(|| Error::Corrupt("an edit's document was not gathered".into()))
    }
}

fn revision_of(edit: &InteractiveEdit, parent: Option<&Rev>, attachments: &[Attachment]) -> Rev {
    let terms: Vec<_> = attachments
        .iter()
        .map(|attachment| {
            (
                &*attachment.name,
                &*attachment.content_type,
                attachment.content.md5,
            )
        })
        .collect();
    revid::revision(edit.deleted, parent, &edit.body, &terms)
}
