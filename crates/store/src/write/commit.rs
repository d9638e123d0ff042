//! The rows of a commit, written table by table in key order, which redb is fastest at.

use super::apply::Commit;
use super::plan::{Planned, Replaced};
use crate::Error;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow};
use crate::tables::feed::FeedRows;
use crate::tables::{self, Numbered, Rows, meta};
use redb::{AccessGuard, ReadableTable, WriteTransaction};
use std::ops::Bound;
use trunkline_core::Seq;
use trunkline_core::attachment::ContentHash;

/// The tables of one write transaction; those that few commits need are opened when one does.
pub(super) struct Tables<'t> {
    txn: &'t WriteTransaction,
    pub(super) meta: Rows<'t>,
    docs: Rows<'t>,
    by_seq: Numbered<'t>,
    bodies: Option<Numbered<'t>>,
    attachments: Option<Rows<'t>>,
    absent: Option<Rows<'t>>,
    local: Option<Rows<'t>>,
    purges: Option<Numbered<'t>>,
    feeds: Option<Rows<'t>>,
    feed_rows: Option<FeedRows<'t>>,
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
            absent: None,
            local: None,
            purges: None,
            feeds: None,
            feed_rows: None,
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

    pub(super) fn absent(&mut self) -> Result<&mut Rows<'t>, Error> {
        opened(&mut self.absent, || self.txn.open_table(tables::ABSENT))
    }

    pub(super) fn local(&mut self) -> Result<&mut Rows<'t>, Error> {
        opened(&mut self.local, || self.txn.open_table(tables::LOCAL))
    }

    pub(super) fn purges(&mut self) -> Result<&mut Numbered<'t>, Error> {
        opened(&mut self.purges, || self.txn.open_table(tables::PURGES))
    }

    pub(super) fn feeds(&mut self) -> Result<&mut Rows<'t>, Error> {
        opened(&mut self.feeds, || self.txn.open_table(tables::feed::FEEDS))
    }

    pub(super) fn feed_rows(&mut self) -> Result<&mut FeedRows<'t>, Error> {
        opened(&mut self.feed_rows, || {
            self.txn.open_table(tables::feed::FEED_ROWS)
        })
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

/// What others need to know of the rows written.
pub(super) struct Written {
    /// Attachment files that nothing refers to any more.
    pub(super) unreferenced: Vec<ContentHash>,
    pub(super) replaced: Vec<Seq>,
    pub(super) added: u64,
}

impl<'a> Commit<'a, '_> {
    /// Writes every row of the commit.
    pub(super) fn write_rows(&mut self) -> Result<Written, Error> {
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
        self.define_feeds(&planned)?;
        self.write_feed_rows(&planned, &replaced)?;
        let unreferenced = self.write_refs()?;
        if self.wrote {
            self.tables
                .meta
                .insert(meta::STATE, self.state.encode().as_slice())?;
        }
        Ok(Written {
            unreferenced,
            replaced: replaced.iter().map(|replaced| replaced.seq).collect(),
            added: planned.len() as u64,
        })
    }

    pub(super) fn write_body(&mut self, number: u64, attachments: &[u8], body: &[u8]) -> Result<(), Error> {
        let mut row = Vec::with_capacity(body.len() + attachments.len() + 16);
        BodyRow { attachments, body }.encode(&mut row);
        self.tables
            .bodies()?
            .insert(&number.to_be_bytes(), row.as_slice())?;
        self.state.active_bytes += row.len() as u64 + 8;
        Ok(())
    }

    pub(super) fn remove_body(&mut self, number: u64) -> Result<(), Error> {
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
        for Replaced { seq, winner_gone, .. } in replaced {
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
                age_ms: entry.now.age_ms,
                id: entry.id.as_bytes(),
                leaves: &plan.leaves,
                attachments: &plan.attachments,
                body: match plan.elsewhere {
                    None => RowBody::Inline(plan.body.as_bytes()),
                    Some(number) => RowBody::Elsewhere {
                        number,
                        length: plan.body.len() as u64,
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
