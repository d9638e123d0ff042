//! `_bulk_docs`: many documents in, one row for each out (with `new_edits=false`, for the refused ones only).

use crate::document::{IncomingDoc, InvalidDoc};
use crate::invalid::{BadAnswer, Invalid};
use trunkline_core::rev::Rev;

/// The body of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// One for each document, in order.
    pub docs: Vec<Result<IncomingDoc, InvalidDoc>>,
    /// Whether the edits are interactive; the default.
    pub new_edits: bool,
    /// `all_or_nothing`: all edits or none.
    pub atomic: bool,
}

/// Reads a request. One pass over the text; a document that is JSON but not acceptable fails alone.
pub fn parse(_text: &[u8]) -> Result<Request, Invalid> {
    todo!()
}

/// Appends `{"ok":true,"id":..,"rev":..}`.
pub fn write_ok(_out: &mut Vec<u8>, _id: &str, _rev: &Rev) {
    todo!()
}

/// Appends `{"id":..[,"rev":..],"error":..,"reason":..}`. `rev` is for `new_edits=false`.
pub fn write_error(_out: &mut Vec<u8>, _id: &str, _rev: Option<&Rev>, _error: &str, _reason: &str) {
    todo!()
}

/// Builds a request of `new_edits=false`.
#[derive(Clone, Debug)]
pub struct RequestWriter {
    out: Vec<u8>,
    docs: usize,
}

impl RequestWriter {
    /// Without a document yet.
    pub fn new() -> RequestWriter {
        todo!()
    }
    /// Appends a document; `write` appends its text, as [`crate::document::write_replicated`] does.
    pub fn push(&mut self, _write: impl FnOnce(&mut Vec<u8>)) {
        let _ = &self.out;
        todo!()
    }
    /// Documents so far.
    pub fn docs(&self) -> usize {
        self.docs
    }
    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.out.len()
    }
    /// The request's body.
    pub fn finish(self) -> Vec<u8> {
        todo!()
    }
}

impl Default for RequestWriter {
    fn default() -> RequestWriter {
        RequestWriter::new()
    }
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRow {
    /// Which document; empty when the peer does not say.
    pub id: String,
    /// Its revision, where the peer says it.
    pub rev: Option<String>,
    /// (error, reason); `None` for a document that was taken.
    pub error: Option<(String, String)>,
}

/// Reads an answer.
pub fn parse_response(_text: &[u8]) -> Result<Vec<ResponseRow>, BadAnswer> {
    todo!()
}
