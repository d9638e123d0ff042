//! Edits before those who have a say in whether they are taken: the one whose they are, and the database's guard.

use super::apply::{Commit, path_of};
use super::decide::Decision;
use super::entry::{Head, Tree};
use crate::guard::DESIGN;
use crate::tables::attachment::decode_attachments;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow};
use crate::tables::bytes::Malformed;
use crate::{Candidate, Error, Leaf, Refused, Seen};
use redb::ReadableTable;
use trunkline_core::attachment::{Attachment, Content};
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::rev::Rev;
use trunkline_core::revtree::LeafState;

/// An edit as it is judged.
pub(super) struct Proposal<'p> {
    pub(super) interactive: bool,
    /// What the edit adds to the tree.
    pub(super) path: &'p RevPath,
    pub(super) deleted: bool,
    pub(super) body: &'p str,
    pub(super) attachments: &'p [Attachment],
}

impl<'a> Commit<'a, '_> {
    /// Asks the one whose edit it is may make it, and the guard, where there are such.
    pub(super) fn judged(&mut self, index: usize, proposal: &Proposal<'_>) -> Decision<()> {
        let asks = self.asker.is_some_and(|asker| asker.takes.is_some());
        if !asks && self.guard.is_none() {
            return Ok(Ok(()));
        }
        let rev = proposal.path.rev();
        let rev = rev.ok_or_else(|| Error::Corrupt("an edit without a revision".into()))?;
        if asks {
            let winner = self.winner(index)?;
            if let Err(refused) = self.taken(index, proposal, &rev, winner.as_ref())? {
                return Ok(Err(refused));
            }
            let old = self.predecessor(index, proposal.path)?;
            let is_other = |old: &Leaf| winner.as_ref().is_none_or(|winner| winner.rev != old.rev);
            if let Some(old) = old.filter(is_other)
                && let Err(refused) = self.taken(index, proposal, &rev, Some(&old))?
            {
                return Ok(Err(refused));
            }
        }
        let id = self.entry_mut(index)?.id;
        let Some(guard) = self.guard.clone().filter(|_| !id.starts_with(DESIGN)) else {
            return Ok(Ok(()));
        };
        let old = self.predecessor(index, proposal.path)?;
        Ok(guard(&self.candidate(index, proposal, &rev, old.as_ref())?))
    }

    /// Whether the one whose edit it is may change a document as it is, where somebody is to be asked that.
    pub(super) fn may_change(&mut self, index: usize, interactive: bool) -> Decision<()> {
        if self.asker.is_none_or(|asker| asker.takes.is_none()) {
            return Ok(Ok(()));
        }
        let Some(winner) = self.winner(index)? else {
            return Ok(Ok(()));
        };
        let path = path_of(&winner.rev, None);
        let proposal = Proposal {
            interactive,
            path: &path,
            deleted: winner.deleted,
            body: winner.body.as_str(),
            attachments: &winner.attachments,
        };
        self.taken(index, &proposal, &winner.rev, Some(&winner))
    }

    /// Whether the document has ended, and nothing of its end is seen by the one whose edit it is.
    pub(super) fn conceals(&mut self, index: usize) -> Result<bool, Error> {
        let Some(asker) = self.asker else {
            return Ok(false);
        };
        let Some(sees) = &asker.sees else {
            return Ok(false);
        };
        let Some(Head { winner, state, .. }) = self.entry_mut(index)?.head()? else {
            return Ok(false);
        };
        if !state.deleted {
            return Ok(false);
        }
        let leaf = self.leaf(index, winner, state)?;
        let entry = self.entry_mut(index)?;
        let is_seen = sees(&Seen {
            id: entry.id,
            rev: &leaf.rev,
            deleted: true,
            body: leaf.body.as_str(),
            attachments: &leaf.attachments,
        });
        // A tombstone stays in the feeds that its document was in before this commit.
        let Some(seq) = entry.old.as_ref().map(|old| old.seq) else {
            return Ok(!is_seen);
        };
        Ok(!is_seen && !self.is_followed(&asker.tombstones_of, seq)?)
    }

    /// Whether the document has a leaf with this content, which the one whose edit it is sees.
    pub(super) fn shows(&mut self, index: usize, content: &Content) -> Result<bool, Error> {
        let Some(sees) = self.asker.and_then(|asker| asker.sees.as_ref()) else {
            return Ok(true);
        };
        let entry = self.entry_mut(index)?;
        if matches!(entry.now.tree, Tree::Absent) {
            return Ok(false);
        }
        let id = entry.id;
        let leaves = super::entry::owned_leaves(entry.decoded()?);
        for (place, (rev, state)) in leaves.into_iter().enumerate() {
            let leaf = self.leaf(index, rev, state)?;
            let is_seen = sees(&Seen {
                id,
                rev: &leaf.rev,
                deleted: leaf.deleted,
                body: leaf.body.as_str(),
                attachments: &leaf.attachments,
            });
            let has_it = || leaf.attachments.iter().any(|own| own.content == *content);
            match is_seen {
                true if has_it() => return Ok(true),
                false if place == 0 => return Ok(false),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Why an edit is refused, as far as the one whose it is may know.
    pub(super) fn reason(
        &mut self,
        index: usize,
        interactive: bool,
        refused: Refused,
    ) -> Result<Refused, Error> {
        Ok(self.may_change(index, interactive)?.err().unwrap_or(refused))
    }

    /// Asks the one whose edit it is.
    fn taken(
        &mut self,
        index: usize,
        proposal: &Proposal<'_>,
        rev: &Rev,
        old: Option<&Leaf>,
    ) -> Decision<()> {
        let Some(takes) = self.asker.and_then(|asker| asker.takes.as_ref()) else {
            return Ok(Ok(()));
        };
        let follows = self.asker.is_some_and(|asker| !asker.tombstones_of.is_empty());
        let foreign = follows && old.is_some_and(|old| old.deleted) && self.conceals(index)?;
        let candidate = self.candidate(index, proposal, rev, old)?;
        Ok(takes(&Candidate { foreign, ..candidate }))
    }

    fn candidate<'c>(
        &self,
        index: usize,
        proposal: &Proposal<'c>,
        rev: &'c Rev,
        old: Option<&'c Leaf>,
    ) -> Result<Candidate<'c>, Error>
    where
        'a: 'c,
    {
        let entry = self.entries.get(index);
        let entry = entry.ok_or_else(|| Error::Corrupt("an edit's document was not gathered".into()))?;
        Ok(Candidate {
            foreign: false,
            commit: self.number,
            id: entry.id,
            rev,
            path: proposal.path,
            deleted: proposal.deleted,
            body: proposal.body,
            attachments: proposal.attachments,
            old,
            interactive: proposal.interactive,
            user: self.asker.map(|asker| &*asker.user),
        })
    }

    /// The leaf that the document shows.
    fn winner(&mut self, index: usize) -> Result<Option<Leaf>, Error> {
        match self.entry_mut(index)?.head()? {
            Some(head) => self.leaf(index, head.winner, head.state).map(Some),
            None => Ok(None),
        }
    }

    /// The nearest ancestor that is a leaf: no other has a body.
    fn predecessor(&mut self, index: usize, path: &RevPath) -> Result<Option<Leaf>, Error> {
        let entry = self.entry_mut(index)?;
        if matches!(entry.now.tree, Tree::Absent) {
            return Ok(None);
        }
        let only = entry.encoded()?.filter(|tree| tree.is_linear());
        let only = only.map(|tree| tree.winner());
        let mut ancestors = path.revs().skip(1);
        let found = match only {
            Some(leaf) => ancestors.any(|rev| rev == leaf.0).then_some(leaf),
            None => {
                let tree = entry.decoded()?;
                ancestors.find_map(|rev| tree.leaf(&rev).map(|state| (rev, state)))
            }
        };
        found.map(|(rev, state)| self.leaf(index, rev, state)).transpose()
    }

    fn leaf(&mut self, index: usize, rev: Rev, state: LeafState) -> Result<Leaf, Error> {
        let (body, attachments) = self.leaf_content(index, state)?;
        Ok(Leaf {
            rev,
            deleted: state.deleted,
            body: Body::from_stored(body.as_str()),
            attachments,
            seq: self.entry_mut(index)?.now.seq,
        })
    }

    fn leaf_content(&mut self, index: usize, state: LeafState) -> Result<(String, Vec<Attachment>), Error> {
        let entry = self.entry_mut(index)?;
        if let Some(fresh) = entry.fresh(state.body) {
            return Ok((fresh.body.to_owned(), fresh.attachments.clone()));
        }
        let old_seq = entry.old.as_ref().map(|old| old.seq);
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Error::Corrupt("a body is no text".into())),
        };
        if state.body != 0 {
            let row = self.tables.bodies()?.get(&state.body.to_be_bytes())?;
            let row = row.ok_or_else(|| Error::Corrupt("a leaf's body is missing".into()))?;
            let row = BodyRow::decode(row.value())?;
            return Ok((text(row.body)?, decode_attachments(row.attachments)?));
        }
        let row = old_seq
            .map(|seq| self.tables.by_seq_get(seq))
            .transpose()?
            .flatten();
        let row = row.ok_or_else(|| Error::Corrupt("a document's by_seq row is missing".into()))?;
        let row = SeqRow::decode(row.value())?;
        match row.body {
            RowBody::Inline(body) => Ok((text(body)?, row.attachments()?)),
            _ => Err(Malformed.into()),
        }
    }
}
