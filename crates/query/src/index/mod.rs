//! Index files: the rows that a design document's views make of the documents of a database, in key order.
//!
//! An index is one redb file. Its rows are not kept one by one but in blocks of some kilobytes, and of each block, and of
//! each hundred blocks, and so on, there is a head: how many rows, and what their reductions come to. So a reduction over
//! millions of rows reads a few hundred heads and the two blocks at its ends, and so do an offset and a skip.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `state` | up to where the documents were read, and of which incarnation of the database |
//! | `blocks` | label | rows (`block`) |
//! | `heads` | view, level, rest of the label | count, bytes, partial reductions (`heads`) |
//! | `docs` | document id | view and sort key of each row it emitted, so that they are found when it changes |
//!
//! A row's place ([`Row::place`]) is its view, in an index by partition the document's partition, the sort key of the
//! emitted key, the document's id, and its number among the rows that the document emitted in that view. A label is no
//! place but lies between two; the first of a view is the view's number alone.
//!
//! Each value ends in a checksum of itself and its key (`seal`).
//!
//! An index can always be deleted and made anew, so nothing in it is migrated: a file that is of another version or
//! damaged is.

mod block;
mod edits;
mod groups;
mod heads;
mod read;
mod row;
mod rows;
mod seal;
mod state;
mod values;
mod write;

pub use groups::{EachGroup, Grouping};
pub use heads::{Head, Parts};
pub use read::{Part, Snapshot, Step, behind, whole};
pub use row::{Row, ViewNumber, put_emitted};
pub(crate) use row::{put_id, view_of};
pub use rows::Rows;
pub use state::IndexState;
pub use values::survives;
pub use write::Reduce;

use crate::Error;
use redb::{Durability, ReadableDatabase, ReadableTable, TableDefinition};
use row::is_document;
use state::Stored;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use write::Writer;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const META: Table = TableDefinition::new("meta");
const BLOCKS: Table = TableDefinition::new("blocks");
const HEADS: Table = TableDefinition::new("heads");
const DOCUMENTS: Table = TableDefinition::new("docs");

const STATE: &[u8] = b"state";

/// An open index file.
#[derive(Debug)]
pub struct Index {
    /// Until it is closed.
    redb: Option<redb::Database>,
    /// Somebody found it so.
    damaged: AtomicBool,
}

/// Bytes that are not what this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Index {
    /// Opens a file, and makes it when it is not there, for so many views.
    pub fn open(path: &Path, views: u16, cache_bytes: usize) -> Result<Index, Error> {
        let open = || redb::Builder::new().set_cache_size(cache_bytes).create(path);
        Index::opened_by(&open, views)
    }

    /// As redb opens it.
    pub(crate) fn opened_by(
        open: &dyn Fn() -> Result<redb::Database, redb::DatabaseError>,
        views: u16,
    ) -> Result<Index, Error> {
        caught(|| Index::of(open()?, views))
    }

    fn of(redb: redb::Database, views: u16) -> Result<Index, Error> {
        let txn = redb.begin_write()?;
        let made = {
            let mut meta = txn.open_table(META)?;
            let made = meta.get(STATE)?.is_none();
            if made {
                let stored = Stored {
                    tops: vec![0; usize::from(views)],
                    ..Stored::default()
                };
                meta.insert(STATE, stored.encode().as_slice())?;
                for table in [BLOCKS, HEADS, DOCUMENTS] {
                    txn.open_table(table)?;
                }
            }
            made
        };
        match made {
            true => txn.commit()?,
            false => txn.abort()?,
        }
        Ok(Index {
            redb: Some(redb),
            damaged: AtomicBool::new(false),
        })
    }

    fn redb(&self) -> Result<&redb::Database, Error> {
        self.redb.as_ref().ok_or(Error::Damaged)
    }

    /// Does something that reads the file, and remembers it if it is damaged.
    fn watched<T>(&self, then: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let done = caught(then);
        if let Err(Error::Damaged) = done {
            self.damaged.store(true, Ordering::Relaxed);
        }
        done
    }

    /// Whether someone found that it is damaged: it has to be made anew.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Up to where it has read its database.
    pub fn state(&self) -> Result<IndexState, Error> {
        self.watched(|| {
            let txn = self.redb()?.begin_read()?;
            let meta = txn.open_table(META)?;
            let state = meta.get(STATE)?.ok_or(Malformed)?;
            Ok(Stored::decode(state.value())?.state)
        })
    }

    /// Replaces what documents emitted before by what they emit now, and moves on to `state`. `rows` are sorted, and have
    /// all of each document; the relaxed kind is seen at once and is durable with the next that is not.
    pub fn apply(
        &self,
        rows: &Rows,
        state: &IndexState,
        reduce: &mut dyn Reduce,
        relaxed: bool,
    ) -> Result<(), Error> {
        self.write(
            relaxed,
            |writer| writer.replace(rows).map(|()| Some(state)),
            reduce,
        )
    }

    /// Adds rows to an index that had none: sorted, view by view, and behind them, by id, what documents emitted. Those of
    /// a last, unfinished block are left while `more` of the same view will come; answers how many were added.
    pub fn append(&self, rows: &Rows, more: bool, reduce: &mut dyn Reduce) -> Result<usize, Error> {
        let mut added = 0;
        let append = |writer: &mut Writer<'_, '_>| {
            if rows.get(0).as_ref().is_some_and(is_document) {
                writer.append_documents(rows.iter())?;
                added = rows.len();
            } else {
                added = writer.append(rows, more)?;
            }
            Ok(None)
        };
        self.write(true, append, reduce)?;
        Ok(added)
    }

    /// Ends what [`Index::append`] began: the index is whole, and of `state`.
    pub fn finish(&self, state: &IndexState, reduce: &mut dyn Reduce) -> Result<(), Error> {
        let grow = |writer: &mut Writer<'_, '_>| {
            for view in 0..writer.views() {
                writer.grow(view, 0)?;
            }
            Ok(Some(state))
        };
        self.write(false, grow, reduce)
    }

    fn write<'s>(
        &self,
        relaxed: bool,
        then: impl FnOnce(&mut Writer<'_, '_>) -> Result<Option<&'s IndexState>, Error>,
        reduce: &mut dyn Reduce,
    ) -> Result<(), Error> {
        self.watched(|| {
            let mut txn = self.redb()?.begin_write()?;
            if relaxed {
                txn.set_durability(Durability::None)?;
            }
            {
                let mut meta = txn.open_table(META)?;
                let before = meta.get(STATE)?.ok_or(Malformed)?.value().to_vec();
                let before = Stored::decode(&before)?;
                let mut writer = Writer::open(&txn, before.tops, reduce)?;
                let stored = Stored {
                    state: then(&mut writer)?.cloned().unwrap_or(before.state),
                    tops: writer.into_tops(),
                };
                meta.insert(STATE, stored.encode().as_slice())?;
            }
            txn.commit()?;
            Ok(())
        })
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // redb writes when it closes, of what it read.
        let _ = self.redb.take().map(|redb| {
            caught(|| {
                drop(redb);
                Ok(())
            })
        });
    }
}

/// Does something with a file that a disk may have damaged: redb trusts what its pages say of themselves, and panics
/// where that cannot be.
fn caught<T>(then: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(then)).unwrap_or(Err(Error::Damaged))
}
