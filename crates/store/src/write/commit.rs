//! The rows of a commit, written table by table in key order, which redb is fastest at.

use super::apply::Commit;
use super::entry::{Tree, owned_leaves};
use crate::Error;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow, attachments_bytes, put_leaf};
use crate::tables::bytes::Malformed;
use crate::tables::{self, Numbered, Rows, State, meta};
use redb::{AccessGuard, ReadableTable, WriteTransaction};
use std::borrow::Cow;
use std::ops::Bound;
use trunkline_core::Seq;
use trunkline_core::attachment::ContentHash;
use trunkline_core::limits::INLINE_BODY_BYTES_MAX;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{EncodedTree, LeafState};

/// The tables of one write transaction; those that few commits need are opened when one does.
pub(super) struct Tables<'t> {
    txn: &'t WriteTransaction,
    pub(super) meta: Rows<'t>,
    docs: Rows<'t>,
    by_seq: Numbered<'t>,
    bodies: Option<Numbered<'t>>,
    attachments: Option<Rows<'t>>,
    local: Option<Rows<'t>>,
    purges: Option<Numbered<'t>>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(txn: &'t WriteTransaction) -> Result<Tables<'t>, Error> {
        Ok(Tables {
            txn,
            meta: txn.open_table(tables::META)?,
            docs: txn.open_table(tables::DOCS)?,
            by_seq: txn.open_table(tables::BY_SEQ)?,
            bodies: None,
            attachments: None,
            local: None,
            purges: None,
        })
    }

    pub(super) fn docs_get(&self, id: &str) -> Result<Option<AccessGuard<'_, &'static [u8]>>, Error> {
        Ok(self.docs.get(id.as_bytes())?)
    }

    pub(super) fn docs_last(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.docs.last()?.map(|(key, _)| key.value().to_vec()))
    }

    pub(super) fn by_seq_get(&self, seq: Seq) -> Result<Option<AccessGuard<'_, &'static [u8]>>, Error> {
        Ok(self.by_seq.get(&seq.to_be_bytes())?)
    }

    pub(super) fn bodies(&mut self) -> Result<&mut Numbered<'t>, Error> {
        opened(&mut self.bodies, || self.txn.open_table(tables::BODIES))
    }

    pub(super) fn attachments(&mut self) -> Result<&mut Rows<'t>, Error> {
        opened(&mut self.attachments, || self.txn.open_table(tables::ATTACHMENTS))
    }

    pub(super) fn local(&mut self) -> Result<&mut Rows<'t>, Error> {
        opened(&mut self.local, || self.txn.open_table(tables::LOCAL))
    }

    pub(super) fn purges(&mut self) -> Result<&mut Numbered<'t>, Error> {
        opened(&mut self.purges, || self.txn.open_table(tables::PURGES))
    }
}

fn opened<T>(
    slot: &mut Option<T>,
    open: impl FnOnce() -> Result<T, redb::TableError>,
) -> Result<&mut T, Error> {
    match slot {
        Some(table) => Ok(table),
        None => Ok(slot.insert(open()?)),
    }
}

/// The by_seq row of a changed document, before it is laid out as bytes.
struct Planned<'a> {
    seq: Seq,
    index: usize,
    deleted: bool,
    leaves: Vec<u8>,
    attachments: Vec<u8>,
    body: PlannedBody<'a>,
}

enum PlannedBody<'a> {
    Inline(Cow<'a, [u8]>),
    Elsewhere { number: u64, length: u64 },
}

/// A by_seq row that a newer one replaces.
struct Replaced {
    seq: Seq,
    /// Whether its winner is no leaf any more and is yet to be counted out.
    winner_gone: bool,
}

/// Body and encoded attachments of a leaf.
struct Stored<'a> {
    body: Cow<'a, [u8]>,
    attachments: Vec<u8>,
}

impl<'a> Commit<'a, '_> {
    /// Writes every row of the commit; answers attachment files that nothing refers to any more.
    pub(super) fn write_rows(&mut self) -> Result<Vec<ContentHash>, Error> {
        let mut planned = Vec::with_capacity(self.entries.len());
        let mut replaced = Vec::new();
        for index in 0..self.entries.len() {
            self.plan(index, &mut planned, &mut replaced)?;
        }
        self.wrote |= !planned.is_empty();
        self.write_docs()?;
        replaced.sort_unstable_by_key(|replaced| replaced.seq);
        self.remove_replaced(&replaced)?;
        planned.sort_unstable_by_key(|planned| planned.seq);
        self.append_by_seq(&planned)?;
        let unreferenced = self.write_refs()?;
        if self.wrote {
            self.tables
                .meta
                .insert(meta::STATE, self.state.encode().as_slice())?;
        }
        Ok(unreferenced)
    }

    /// Decides where the bodies of a changed document go, counts what comes and goes, and plans its by_seq row.
    fn plan(
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
        let fresh = entry.now.fresh.pop().ok_or(Malformed)?;
        let mut leaves = Vec::with_capacity(24);
        put_leaf(&mut leaves, &rev, state);
        let attachments = attachments_bytes(&fresh.attachments);
        let body = fresh.body.as_bytes();
        self.state.external_bytes += body.len() as u64 + self.refs.count(&fresh.attachments, 1);
        let body = if state.body == 0 {
            PlannedBody::Inline(Cow::Borrowed(body))
        } else {
            self.write_body(state.body, &attachments, body)?;
            PlannedBody::Elsewhere {
                number: state.body,
                length: body.len() as u64,
            }
        };
        Ok(Some(Planned {
            seq,
            index,
            deleted: state.deleted,
            leaves,
            attachments,
            body,
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
        for leaf in &old_leaves {
            let (_, state) = leaf;
            if !leaves.contains(leaf) {
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
                self.write_body(number, &stored.attachments, &stored.body)?;
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
            body: match number {
                0 => PlannedBody::Inline(stored.body),
                number => PlannedBody::Elsewhere {
                    number,
                    length: stored.body.len() as u64,
                },
            },
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
                body: Cow::Borrowed(fresh.body.as_bytes()),
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
                body: Cow::Owned(body.to_vec()),
                attachments: row.attachments.to_vec(),
            }
        } else {
            let row = self.tables.bodies()?.get(&state.body.to_be_bytes())?;
            let row = row.ok_or_else(|| Error::Corrupt("a leaf's body is missing".into()))?;
            let row = BodyRow::decode(row.value())?;
            Stored {
                body: Cow::Owned(row.body.to_vec()),
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

    fn write_body(&mut self, number: u64, attachments: &[u8], body: &[u8]) -> Result<(), Error> {
        let mut row = Vec::with_capacity(body.len() + attachments.len() + 16);
        BodyRow { attachments, body }.encode(&mut row);
        self.tables
            .bodies()?
            .insert(&number.to_be_bytes(), row.as_slice())?;
        self.state.active_bytes += row.len() as u64 + 8;
        Ok(())
    }

    fn remove_body(&mut self, number: u64) -> Result<(), Error> {
        let row = self.tables.bodies()?.remove(&number.to_be_bytes())?;
        let bytes = row
            .ok_or_else(|| Error::Corrupt("a leaf's body is missing".into()))?
            .value()
            .len() as u64;
        self.state.active_bytes = self.state.active_bytes.saturating_sub(bytes + 8);
        Ok(())
    }

    fn write_docs(&mut self) -> Result<(), Error> {
        let docs = &mut self.tables.docs;
        let last = self.last_id.as_deref();
        let mut appended = Vec::new();
        let mut bytes = 0i64;
        let mut row = Vec::new();
        for entry in &self.entries {
            if !entry.is_changed() && !entry.now.learnt {
                continue;
            }
            self.wrote = true;
            bytes -= entry.old.as_ref().map_or(0, |old| old.row_bytes as i64);
            if last.is_none_or(|last| entry.id.as_bytes() > last) {
                if !entry.is_empty() {
                    appended.push(entry);
                }
                continue;
            }
            if entry.is_empty() {
                docs.remove(entry.id.as_bytes())?;
                continue;
            }
            row.clear();
            entry.encode_row(&mut row);
            bytes += (entry.id.len() + row.len()) as i64;
            docs.insert(entry.id.as_bytes(), row.as_slice())?;
        }
        // Ids past the last one, as time-ordered ids are, go in as one run.
        if !appended.is_empty() {
            let mut cursor = docs.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
            for entry in appended {
                row.clear();
                entry.encode_row(&mut row);
                bytes += (entry.id.len() + row.len()) as i64;
                cursor.insert_before(entry.id.as_bytes(), row.as_slice())?;
            }
            cursor.close()?;
        }
        self.state.active_bytes = self.state.active_bytes.saturating_add_signed(bytes);
        Ok(())
    }

    fn remove_replaced(&mut self, replaced: &[Replaced]) -> Result<(), Error> {
        for Replaced { seq, winner_gone } in replaced {
            let row = self.tables.by_seq.remove(&seq.to_be_bytes())?;
            let row = row.ok_or_else(|| Error::Corrupt("a document's by_seq row is missing".into()))?;
            let row = row.value();
            self.state.active_bytes = self.state.active_bytes.saturating_sub(row.len() as u64 + 8);
            let row = SeqRow::decode(row)?;
            if *winner_gone {
                let bytes = row.body.length() + self.refs.count(&row.attachments()?, -1);
                self.state.external_bytes = self.state.external_bytes.saturating_sub(bytes);
            }
        }
        Ok(())
    }

    fn append_by_seq(&mut self, planned: &[Planned<'a>]) -> Result<(), Error> {
        if planned.is_empty() {
            return Ok(());
        }
        let mut cursor = self.tables.by_seq.upper_bound_mut(Bound::<&[u8; 8]>::Unbounded)?;
        let mut row = Vec::new();
        for plan in planned {
            let Some(entry) = self.entries.get(plan.index) else {
                continue;
            };
            row.clear();
            SeqRow {
                deleted: plan.deleted,
                time_ms: self.state.time_ms,
                id: entry.id.as_bytes(),
                leaves: &plan.leaves,
                attachments: &plan.attachments,
                body: match &plan.body {
                    PlannedBody::Inline(body) => RowBody::Inline(body),
                    PlannedBody::Elsewhere { number, length } => RowBody::Elsewhere {
                        number: *number,
                        length: *length,
                    },
                },
            }
            .encode(&mut row);
            self.state.active_bytes += row.len() as u64 + 8;
            cursor.insert_before(&plan.seq.to_be_bytes(), row.as_slice())?;
        }
        cursor.close()?;
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
