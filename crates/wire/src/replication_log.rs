//! Checkpoint documents: CouchDB's format written, CouchDB's and PouchDB's read.

use crate::invalid::BadAnswer;
use trunkline_core::checkpoint::ReplicationLog;

/// One run, as a checkpoint's `history` tells it. Seqs are JSON text, times RFC 1123.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Names the run.
    pub session_id: String,
    /// When it started.
    pub start_time: String,
    /// When this was written.
    pub end_time: String,
    /// The source seq it started from.
    pub start_last_seq: String,
    /// The source seq it has reached.
    pub end_last_seq: String,
    /// Revisions compared.
    pub missing_checked: u64,
    /// Of these, missing at the target.
    pub missing_found: u64,
    /// Documents fetched.
    pub docs_read: u64,
    /// Documents the target took.
    pub docs_written: u64,
    /// Documents the target refused.
    pub doc_write_failures: u64,
}

/// A checkpoint document as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLog {
    /// What decides where to start.
    pub log: ReplicationLog,
    /// `history`, newest first, each entry's JSON text: to be kept by the next checkpoint.
    pub history: Vec<String>,
}

/// Appends one entry of a history.
pub fn write_entry(_out: &mut Vec<u8>, _entry: &Entry) {
    todo!()
}

/// Appends the body (no `_id`, no `_rev`) of a checkpoint whose newest entry is `newest`. `older` as
/// [`StoredLog::history`] has it; what is over [`trunkline_core::limits::REPLICATION_HISTORY_MAX`] is left out.
pub fn write<'a>(_out: &mut Vec<u8>, _newest: &Entry, _older: impl IntoIterator<Item = &'a str>) {
    todo!()
}

/// Reads a checkpoint document (with or without `_id` and `_rev`). Entries that make no sense are passed over.
pub fn parse(_text: &[u8]) -> Result<StoredLog, BadAnswer> {
    todo!()
}
