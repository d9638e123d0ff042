//! `_bulk_get`: revisions of many documents in one answer, with a row for each one asked for.

use crate::invalid::{BadAnswer, Invalid};
use trunkline_core::rev::Rev;

/// One revision asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which document; any text.
    pub id: String,
    /// Which revision; `None` for all leaves.
    pub rev: Option<Rev>,
    /// Revisions the asker has: attachments newer than these come with their bytes.
    pub atts_since: Vec<Rev>,
}

/// One entry of a request that cannot be answered. It gets a row with this error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAsk {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Its `rev` as given.
    pub rev: Option<String>,
    /// What is wrong (`bad_request`).
    pub reason: String,
}

/// Reads a request: `{"docs":[..]}`.
pub fn parse(_text: &[u8]) -> Result<Vec<Result<Ask, BadAsk>>, Invalid> {
    todo!()
}

/// Writes an answer, row by row: [`Writer::open`], then for each row [`Writer::row`], its documents and
/// [`Writer::end_row`], then [`Writer::close`]. Its buffer may be taken away between any two calls.
#[derive(Clone, Debug)]
pub struct Writer {
    rows: usize,
    docs_in_row: usize,
}

impl Writer {
    /// Appends the head of an answer.
    pub fn open(_out: &mut Vec<u8>) -> Writer {
        todo!()
    }
    /// Starts the row of a document.
    pub fn row(&mut self, _out: &mut Vec<u8>, _id: &str) {
        let _ = (self.rows, self.docs_in_row);
        todo!()
    }
    /// Appends a found revision; `write` appends the document's text.
    pub fn ok(&mut self, _out: &mut Vec<u8>, _write: impl FnOnce(&mut Vec<u8>)) {
        todo!()
    }
    /// Appends a revision that is not there or cannot be shown. `rev` as it was asked for; `None` is `"undefined"`.
    pub fn error(&mut self, _out: &mut Vec<u8>, _id: &str, _rev: Option<&str>, _error: &str, _reason: &str) {
        todo!()
    }
    /// Ends the row.
    pub fn end_row(&mut self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the end of the answer.
    pub fn close(self, _out: &mut Vec<u8>) {
        todo!()
    }
}

/// Appends what a multipart answer shows, in a part with `error="true"`, for a revision that is not there.
pub fn write_multipart_error(_out: &mut Vec<u8>, _id: &str, _rev: Option<&str>, _error: &str, _reason: &str) {
    todo!()
}

/// Appends a request's body.
pub fn write_request<'a>(_out: &mut Vec<u8>, _asks: impl IntoIterator<Item = (&'a str, &'a Rev, &'a [Rev])>) {
    todo!()
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRow<'a> {
    /// Which document.
    pub id: String,
    /// What the peer has of it.
    pub docs: Vec<Got<'a>>,
}

/// One item of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got<'a> {
    /// A document's JSON text.
    Doc(&'a str),
    /// Not there, or not to be had.
    Error {
        /// Which revision, where the peer says it.
        rev: Option<String>,
        /// The error word.
        error: String,
        /// The reason.
        reason: String,
    },
}

/// Reads an answer. Members this does not know are passed over.
pub fn parse_response(_text: &[u8]) -> Result<Vec<ResponseRow<'_>>, BadAnswer> {
    todo!()
}
