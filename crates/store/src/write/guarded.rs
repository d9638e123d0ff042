//! Edits before a database's guard.

use super::apply::Commit;
use super::decide::Decision;
use super::entry::Tree;
use crate::guard::DESIGN;
use crate::tables::attachment::decode_attachments;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow};
use crate::tables::bytes::Malformed;
use crate::{Candidate, Error, Leaf};
use redb::ReadableTable;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::revtree::LeafState;

impl Commit<'_, '_> {
    /// Asks the guard about an edit, where there is one. `path` is what the edit adds to the tree.
    pub(super) fn guarded(
        &mut self,
        index: usize,
        path: &RevPath,
        deleted: bool,
        body: &Body,
        attachments: &[Attachment],
    ) -> Decision<()> {
        let Some(guard) = self.guard.clone() else {
            return Ok(Ok(()));
        };
        let id = self.entry_mut(index)?.id;
        let Some(rev) = path.rev().filter(|_| !id.starts_with(DESIGN)) else {
            return Ok(Ok(()));
        };
        let old = self.predecessor(index, path)?;
        Ok(guard(&Candidate {
            commit: self.number,
            id,
            rev: &rev,
            path,
            deleted,
            body: body.as_str(),
            attachments,
            old: old.as_ref(),
        }))
    }

    /// The nearest ancestor that is a leaf: no other has a body.
    fn predecessor(&mut self, index: usize, path: &RevPath) -> Result<Option<Leaf>, Error> {
        let entry = self.entry_mut(index)?;
        if matches!(entry.now.tree, Tree::Absent) {
            return Ok(None);
        }
        let leaves = match entry.encoded()?.map(|tree| (tree.is_linear(), tree.winner())) {
            Some((true, winner)) => vec![winner],
            _ => super::entry::owned_leaves(entry.decoded()?),
        };
        let mut ancestors = path.revs().skip(1);
        let found = ancestors.find_map(|rev| leaves.iter().find(|(leaf, _)| *leaf == rev).cloned());
        let Some((rev, state)) = found else {
            return Ok(None);
        };
        let (body, attachments) = self.leaf_content(index, state)?;
        Ok(Some(Leaf {
            rev,
            deleted: state.deleted,
            body: Body::from_stored(body.as_str()),
            attachments,
            seq: self.entry_mut(index)?.now.seq,
        }))
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
