//! Documents on disk: a [`Store`] is a directory, a [`Database`] one redb file in it with its attachment files.
//!
//! Everything here blocks, and knows neither HTTP nor an async runtime. Two seams let a runtime use it without
//! blocking: [`Database::submit`] queues edits and calls back, and [`Database::listen`] gives a listener that can be
//! awaited.

mod error;
mod types;

pub use error::{Error, Refused};
pub use types::*;

use event_listener::EventListener;
use std::path::Path;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::attachment::{Attachment, Content};
use trunkline_core::db_name::DbName;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::{DocId, LocalId};
use trunkline_core::rev::Rev;

/// A directory of databases. Cheap to clone; one process at a time holds the directory.
#[derive(Clone, Debug)]
pub struct Store {}

/// A handle of one database. Cheap to clone; it does not keep the redb file open while idle.
#[derive(Clone, Debug)]
pub struct Database {}

impl Store {
    /// Opens a directory, and makes it when it is not there.
    pub fn open(_dir: impl AsRef<Path>) -> Result<Store, Error> {
        todo!()
    }
    /// Opens with other settings than the defaults.
    pub fn open_with(_dir: impl AsRef<Path>, _options: StoreOptions) -> Result<Store, Error> {
        todo!()
    }
    /// This node's uuid (32 hexadecimal digits), made with the directory and kept with it.
    pub fn uuid(&self) -> &str {
        todo!()
    }
    /// Creates a database. `Error::DatabaseExists` when there is one.
    pub fn create(&self, _name: &DbName) -> Result<Database, Error> {
        todo!()
    }
    /// Opens a database. `Error::DatabaseMissing` when there is none.
    pub fn database(&self, _name: &DbName) -> Result<Database, Error> {
        todo!()
    }
    /// Deletes a database, at once whatever it holds; its handles answer `Error::DatabaseMissing` from then on.
    pub fn delete(&self, _name: &DbName) -> Result<(), Error> {
        todo!()
    }
    /// All names, in byte order.
    pub fn names(&self) -> Vec<DbName> {
        todo!()
    }
    /// The databases created, updated or deleted after store seq `since`: the newest row per database, in order. The
    /// store seq counts from 1 within one process's opening of the store.
    pub fn db_updates(&self, _since: u64) -> (Vec<DbUpdate>, u64) {
        todo!()
    }
    /// Wakes at the next database created, updated or deleted.
    pub fn listen(&self) -> EventListener {
        todo!()
    }
    /// Makes all relaxed writes durable and closes every file. Later calls answer `Error::Closed`.
    pub fn close(&self) -> Result<(), Error> {
        todo!()
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &DbName {
        todo!()
    }
    /// Its store.
    pub fn store(&self) -> &Store {
        todo!()
    }

    // ---- writing: one door ----

    /// Applies edits and waits for the durability asked for. One outcome per edit, in order. With `batch.atomic`,
    /// one refusal refuses all (the others get `Refused::Batch`).
    pub fn update(&self, _batch: Batch) -> Result<Vec<Outcome>, Error> {
        todo!()
    }
    /// Queues edits without waiting; `done` is called exactly once, from whichever thread leads the commit. When a
    /// [`Leader`] comes back, the caller must run it on a thread that may block; until then nothing is written.
    pub fn submit(
        &self,
        _batch: Batch,
        _done: impl FnOnce(Result<Vec<Outcome>, Error>) + Send + 'static,
    ) -> Option<Leader> {
        todo!()
    }
    /// Removes leaves and what only they used. One list of removed revisions per document; consumes one purge seq.
    pub fn purge(&self, _purges: &[(DocId, Vec<Rev>)]) -> Result<Vec<Vec<Rev>>, Error> {
        todo!()
    }
    /// Writes a local document; `None` as body deletes it. Answers its new number (`_rev` is `0-N`): one more than
    /// `given` (0 when none is given), 0 for a deletion. `Refused::Missing` for deleting what is not there.
    pub fn put_local(&self, _id: &LocalId, _given: u64, _body: Option<&str>) -> Result<u64, Error> {
        todo!()
    }
    /// Stages attachment bytes outside of any lock. Abandoned staging leaves nothing behind.
    pub fn stage(&self, _expected_bytes: Option<u64>) -> Result<Staging, Error> {
        todo!()
    }
    /// Sets `_security` (JSON text).
    pub fn set_security(&self, _json: &str) -> Result<(), Error> {
        todo!()
    }
    /// Sets how many revisions each branch keeps, from the next edit of each document on. At least 1.
    pub fn set_revs_limit(&self, _limit: u32) -> Result<(), Error> {
        todo!()
    }
    /// Sets how many purges `_purged_infos` remembers. At least 1.
    pub fn set_purged_infos_limit(&self, _limit: u32) -> Result<(), Error> {
        todo!()
    }
    /// Waits until everything written so far, relaxed writes too, is durable.
    pub fn flush(&self) -> Result<(), Error> {
        todo!()
    }
    /// Gives free space in the file back to the file system, and drops attachment files nobody refers to. Blocks writers meanwhile.
    pub fn compact(&self) -> Result<(), Error> {
        todo!()
    }

    // ---- reading: each call on its own fresh snapshot ----

    /// Counts, sizes and seqs.
    pub fn info(&self) -> Result<Info, Error> {
        todo!()
    }
    /// The newest seq that readers see; no disk access.
    pub fn last_seq(&self) -> Result<Seq, Error> {
        todo!()
    }
    /// `_security` as it was set; `None` before it was.
    pub fn security(&self) -> Result<Option<String>, Error> {
        todo!()
    }
    /// Revisions each branch keeps.
    pub fn revs_limit(&self) -> Result<u32, Error> {
        todo!()
    }
    /// Purges remembered.
    pub fn purged_infos_limit(&self) -> Result<u32, Error> {
        todo!()
    }
    /// Remembered purges, oldest first: (purge seq, document, revisions).
    pub fn purged_infos(&self) -> Result<Vec<(u64, String, Vec<Rev>)>, Error> {
        todo!()
    }
    /// One leaf of a document: the winner, or `rev` when it is a leaf. `None` when there is no such leaf (a tombstone
    /// is a leaf).
    pub fn get(&self, _id: &str, _rev: Option<&Rev>) -> Result<Option<Leaf>, Error> {
        todo!()
    }
    /// The document's whole tree and its seq; `None` when the document was never here.
    pub fn tree(&self, _id: &str) -> Result<Option<Tree>, Error> {
        todo!()
    }
    /// Several documents' leaves from one snapshot, in order: what `_bulk_get` and `open_revs` ask.
    pub fn bulk_get(&self, _wants: &[Want]) -> Result<Vec<Option<Found>>, Error> {
        todo!()
    }
    /// `_revs_diff` for several documents from one snapshot, in order: (missing, possible ancestors).
    pub fn revs_diff(&self, _asked: &[(DocId, Vec<Rev>)]) -> Result<Vec<(Vec<Rev>, Vec<Rev>)>, Error> {
        todo!()
    }
    /// One chunk of the changes after (or, descending, before) a seq, at most [`trunkline_core::limits::SCAN_CHUNK_BYTES`]
    /// of rows or `limit` rows. `row` sees each borrowed from the snapshot; it answers whether to go on. Answers where
    /// the next chunk starts and whether the end was reached.
    pub fn changes(
        &self,
        _scan: &ChangesScan,
        _row: &mut dyn FnMut(ChangeRow<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<ScanEnd<Seq>, Error> {
        todo!()
    }
    /// One chunk of the documents in id order that are not deleted, as [`Database::changes`].
    pub fn all_docs(
        &self,
        _scan: &DocsScan,
        _row: &mut dyn FnMut(DocRow<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<ScanEnd<String>, Error> {
        todo!()
    }
    /// How many documents in the scan's range come before its start (for `offset`): counts, reads no body.
    pub fn count_docs(&self, _scan: &DocsScan) -> Result<u64, Error> {
        todo!()
    }
    /// How many changes come after `since`: `pending` of a feed. Counts rows; costs what it counts.
    pub fn count_changes(&self, _since: Seq) -> Result<u64, Error> {
        todo!()
    }
    /// The last seq committed at or before a wall-clock time (ms since 1970); 0 when all came later. A look-up.
    pub fn seq_at(&self, _time_ms: u64) -> Result<Seq, Error> {
        todo!()
    }
    /// A local document: its number N (`_rev` is `0-N`) and JSON text.
    pub fn local(&self, _id: &LocalId) -> Result<Option<(u64, String)>, Error> {
        todo!()
    }
    /// Local documents in id order from `start` on: (id, number, JSON text).
    pub fn locals(&self, _start: &str, _limit: usize) -> Result<Vec<(String, u64, String)>, Error> {
        todo!()
    }
    /// Opens stored attachment bytes (as stored, not decoded) for reading and seeking.
    pub fn open_content(&self, _content: &Content) -> Result<ContentReader, Error> {
        todo!()
    }
    /// Wakes at the next commit, and when the database is deleted or the store closed. Take the listener first, then
    /// look at [`Database::last_seq`], then wait.
    pub fn listen(&self) -> EventListener {
        todo!()
    }
    /// Checks every invariant of the file format; what is wrong, a line each.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        todo!()
    }
}

/// The duty to commit queued edits; see [`Database::submit`].
#[must_use = "queued edits wait until the leader runs"]
#[derive(Debug)]
pub struct Leader {
    _private: Arc<()>,
}

impl Leader {
    /// Commits queued edits until none wait.
    pub fn run(self) {
        todo!()
    }
}

/// Attachment bytes on their way in: write them, then finish. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct Staging {}

impl std::io::Write for Staging {
    fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
        todo!()
    }
    fn flush(&mut self) -> std::io::Result<()> {
        todo!()
    }
}

impl Staging {
    /// Ends the upload of identity bytes. The content stays staged until an edit takes it, or the store closes.
    pub fn finish(self) -> Result<Content, Error> {
        todo!()
    }
    /// Ends the upload of gzip bytes (as a CouchDB sends them); decodes once to learn `length`. `Refused` when it is not gzip.
    pub fn finish_gzip(self) -> Result<Content, Error> {
        todo!()
    }
}

/// Stored attachment bytes. Reads and seeks; `len` is the stored length.
#[derive(Debug)]
pub struct ContentReader {}

impl ContentReader {
    /// Bytes as stored.
    pub fn stored_bytes(&self) -> u64 {
        todo!()
    }
}

impl std::io::Read for ContentReader {
    fn read(&mut self, _buf: &mut [u8]) -> std::io::Result<usize> {
        todo!()
    }
}

impl std::io::Seek for ContentReader {
    fn seek(&mut self, _to: std::io::SeekFrom) -> std::io::Result<u64> {
        todo!()
    }
}

/// Helper so that unused imports of the skeleton stay honest.
#[doc(hidden)]
pub type _Uses = (Edit, Attachment);
