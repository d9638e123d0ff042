//! Local documents: `_rev` is `0-N`, and all else is the body.

use crate::document::InvalidDoc;
use trunkline_core::doc::Body;

/// A local document as it came in.
#[derive(Clone, Debug)]
pub struct IncomingLocalDoc {
    /// `_id` as given, unchecked.
    pub id: Option<String>,
    /// N of `_rev`; `None` when there is no `_rev`.
    pub number: Option<u64>,
    /// `_deleted`.
    pub deleted: bool,
    /// The rest.
    pub body: Body,
}

/// Reads `0-N` (or a bare `N`).
pub fn parse_rev(_rev: &str) -> Result<u64, InvalidDoc> {
    todo!()
}

/// Parses a local document. `_revisions` is dropped, as replicators send it.
pub fn parse(_text: &[u8]) -> Result<IncomingLocalDoc, InvalidDoc> {
    todo!()
}

/// Appends a local document: `{"_id":"_local/ID"[,"_rev":"0-N"],` and the body's members. `id` without `_local/`.
pub fn write(_out: &mut Vec<u8>, _id: &str, _number: Option<u64>, _body: &str) {
    todo!()
}
