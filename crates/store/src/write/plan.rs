//! Where the bodies of changed documents go: the winner's into its by_seq row, the others' into a table of their own.

use super::apply::Commit;
use super::entry::{Tree, owned_leaves};
use crate::Error;
use crate::read::text;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow, attachments_bytes, put_leaf};
use crate::tables::bytes::Malformed;
use crate::tables::{self, State};
use redb::ReadableTable;
use std::borrow::Cow;
use std::collections::HashMap;
use trunkline_core::Seq;
use trunkline_core::limits::INLINE_BODY_BYTES_MAX;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{EncodedTree, LeafState};

/// The by_seq row of a changed document, before it is laid out as bytes.
pub(super) struct Planned<'a> {
    pub(super) seq: Seq,
    pub(super) index: usize,
    pub(super) deleted: bool,
    pub(super) leaves: Vec<u8>,
    pub(super) attachments: Vec<u8>,
    pub(super) body: Cow<'a, str>,
    /// Its number in the bodies table, where it is there.
    pub(super) elsewhere: Option<u64>,
}

/// A by_seq row that a newer one replaces.
pub(super) struct Replaced {
    pub(super) seq: Seq,
    /// Of its document.
    pub(super) index: usize,
    /// Whether its winner is no leaf any more and is yet to be counted out.
    pub(super) winner_gone: bool,
}

/// Body and encoded attachments of a leaf.
struct Stored<'a> {
    pub(super) body: Cow<'a, str>,
    pub(super) attachments: Vec<u8>,
}

impl<'a> Commit<'a, '_> {
    /// Decides where the bodies of a changed document go, counts what comes and goes, and plans its by_seq row.
    pub(super) fn plan(
        &mut self,
        index: usize,
        planned: &mut Vec<Planned<'a>>,
        replaced: &mut Vec<Replaced>,
    ) -> Result<(), Error> {
        let Some(entry) = self.entries.get(index) else {
            return Ok(());
        };
        if !entry.is_changed() {
            return Ok(());
        }
        let linear = matches!(entry.now.tree, Tree::Linear(_));
        if let Some(old) = &entry.old {
            replaced.push(Replaced {
                seq: old.seq,
                index,
                winner_gone: linear,
            });
            let (_, state) = old.winner()?;
            self.count_document(state.deleted, -1);
            if linear && state.body != 0 {
                self.remove_body(state.body)?;
            }
        }
        let plan = if linear {
            self.plan_linear(index)?
        } else {
            self.plan_branched(index)?
        };
        if let Some(plan) = plan {
            self.count_document(plan.deleted, 1);
            planned.push(plan);
        }
        Ok(())
    }

    fn count_document(&mut self, deleted: bool, difference: i64) {
        let State {
            doc_count,
            doc_del_count,
            ..
        } = &mut self.state;
        let count = if deleted { doc_del_count } else { doc_count };
        *count = count.saturating_add_signed(difference);
    }

    /// The only leaf is fresh.
    fn plan_linear(&mut self, index: usize) -> Result<Option<Planned<'a>>, Error> {
        let entry = self.entry_mut(index)?;
        let Tree::Linear(bytes) = &entry.now.tree else {
            return Err(Malformed.into());
        };
        let (rev, state) = EncodedTree::new(bytes).map_err(Malformed::from)?.winner();
        let seq = entry.now.seq;
        let fresh = entry.now.fresh.remove(&state.body).ok_or(Malformed)?;
        let mut leaves = Vec::with_capacity(24);
        put_leaf(&mut leaves, &rev, state);
        let attachments = attachments_bytes(&fresh.attachments);
        let body = fresh.body;
        self.state.external_bytes += body.len() as u64 + self.refs.count(&fresh.attachments, 1);
        let elsewhere = (state.body != 0).then_some(state.body);
        if let Some(number) = elsewhere {
            self.write_body(number, &attachments, body.as_bytes())?;
        }
        Ok(Some(Planned {
            seq,
            index,
            deleted: state.deleted,
            leaves,
            attachments,
            body: Cow::Borrowed(body),
            elsewhere,
        }))
    }

    /// Several leaves, before or after: each leaf's body is brought to where it belongs.
    fn plan_branched(&mut self, index: usize) -> Result<Option<Planned<'a>>, Error> {
        let entry = self.entry_mut(index)?;
        let old_leaves = entry
            .old
            .as_ref()
            .map(|old| old.leaves())
            .transpose()?
            .unwrap_or_default();
        let old_seq = entry.old.as_ref().map(|old| old.seq);
        let leaves = owned_leaves(entry.decoded()?);
        let seq = entry.now.seq;
        let old_row = match old_seq {
            Some(seq) => self.tables.by_seq_get(seq)?.map(|row| row.value().to_vec()),
            None => None,
        };
        let old_row = old_row.as_deref();
        // A document may have very many.
        let kept: HashMap<&Rev, LeafState> = leaves.iter().map(|(rev, state)| (rev, *state)).collect();
        for (rev, state) in &old_leaves {
            if kept.get(rev) != Some(state) {
                let stored = self.stored(*state, old_row)?;
                self.count_leaf(&stored, -1)?;
                if state.body != 0 {
                    self.remove_body(state.body)?;
                }
            }
        }
        let mut moved = Vec::new();
        let mut winner = None;
        for (place, (rev, state)) in leaves.iter().enumerate() {
            let is_fresh = self
                .entries
                .get(index)
                .is_some_and(|entry| entry.fresh(state.body).is_some());
            if place > 0 && state.body != 0 && !is_fresh {
                // It stays where it is: not even looked at, or a document of a thousand leaves would be read as a whole.
                continue;
            }
            let (fresh, stored) = self.content(index, *state, old_row)?;
            if fresh {
                self.count_leaf(&stored, 1)?;
            }
            let inline = place == 0 && stored.body.len() <= INLINE_BODY_BYTES_MAX;
            let number = match (inline, state.body) {
                (true, _) => 0,
                (false, 0) => self.next_body(),
                (false, number) => number,
            };
            if state.body != 0 && inline && !fresh {
                self.remove_body(state.body)?;
            }
            if number != 0 && (fresh || state.body == 0) {
                self.write_body(number, &stored.attachments, stored.body.as_bytes())?;
            }
            if number != state.body {
                moved.push((rev.clone(), number));
            }
            if place == 0 {
                winner = Some((state.deleted, number, stored));
            }
        }
        let tree = self.entry_mut(index)?.decoded()?;
        moved.iter().for_each(|(rev, number)| tree.relocate(rev, *number));
        Ok(winner.map(|(deleted, number, stored)| Planned {
            seq,
            index,
            deleted,
            leaves: leaves_bytes(&leaves),
            attachments: stored.attachments,
            body: stored.body,
            elsewhere: (number != 0).then_some(number),
        }))
    }

    /// A leaf's body and attachments, and whether an edit of this commit brought them.
    fn content(
        &mut self,
        index: usize,
        state: LeafState,
        old_row: Option<&[u8]>,
    ) -> Result<(bool, Stored<'a>), Error> {
        let fresh = self.entries.get(index).and_then(|entry| entry.fresh(state.body));
        if let Some(fresh) = fresh {
            let stored = Stored {
                body: Cow::Borrowed(fresh.body),
                attachments: attachments_bytes(&fresh.attachments),
            };
            return Ok((true, stored));
        }
        Ok((false, self.stored(state, old_row)?))
    }

    /// A stored leaf's body and attachments.
    fn stored(&mut self, state: LeafState, old_row: Option<&[u8]>) -> Result<Stored<'a>, Error> {
        let stored = if state.body == 0 {
            let row = SeqRow::decode(old_row.ok_or(Malformed)?)?;
            let RowBody::Inline(body) = row.body else {
                return Err(Malformed.into());
            };
            Stored {
                body: Cow::Owned(text(body)?.to_owned()),
                attachments: row.attachments.to_vec(),
            }
        } else {
            let row = self.tables.bodies()?.get(&state.body.to_be_bytes())?;
            let row = row.ok_or_else(|| Error::Corrupt("a leaf's body is missing".into()))?;
            let row = BodyRow::decode(row.value())?;
            Stored {
                body: Cow::Owned(text(row.body)?.to_owned()),
                attachments: row.attachments.to_vec(),
            }
        };
        Ok(stored)
    }

    fn count_leaf(&mut self, leaf: &Stored<'_>, difference: i64) -> Result<(), Error> {
        let attachments = tables::attachment::decode_attachments(&leaf.attachments)?;
        let bytes = leaf.body.len() as u64 + self.refs.count(&attachments, difference);
        self.state.external_bytes = self
            .state
            .external_bytes
            .saturating_add_signed(difference * bytes as i64);
        Ok(())
    }
}

fn leaves_bytes(leaves: &[(Rev, LeafState)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(leaves.len() * 20);
    leaves
        .iter()
        .for_each(|(rev, state)| put_leaf(&mut out, rev, *state));
    out
}
