//! `open_revs`: revisions of one document, as a query value and as an answer in JSON.

use crate::invalid::{BadAnswer, Invalid};
use trunkline_core::rev::Rev;

/// The value of `open_revs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenRevs {
    /// `all`: every leaf.
    All,
    /// These.
    These(Vec<Rev>),
}

/// Reads `all`, `"all"` or a JSON array of revision ids.
pub fn parse(_text: &str) -> Result<OpenRevs, Invalid> {
    todo!()
}

/// Reads a JSON array of revision ids: `atts_since`.
pub fn parse_revs(_text: &str) -> Result<Vec<Rev>, Invalid> {
    todo!()
}

/// Appends a JSON array of revision ids.
pub fn write_revs<'a>(_out: &mut Vec<u8>, _revs: impl IntoIterator<Item = &'a Rev>) {
    todo!()
}

/// Appends `{"ok":` and what `write` appends and `}`.
pub fn write_ok(_out: &mut Vec<u8>, _write: impl FnOnce(&mut Vec<u8>)) {
    todo!()
}

/// Appends `{"missing":"3-y"}`.
pub fn write_missing(_out: &mut Vec<u8>, _rev: &Rev) {
    todo!()
}

/// One item of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenRev<'a> {
    /// A document's JSON text.
    Ok(&'a str),
    /// This revision is not there.
    Missing(String),
}

/// Reads an answer in JSON: an array.
pub fn parse_response(_text: &[u8]) -> Result<Vec<OpenRev<'_>>, BadAnswer> {
    todo!()
}

/// Reads one item: an element of the array, or a part of a multipart answer with `error="true"`.
pub fn parse_item(_text: &[u8]) -> Result<OpenRev<'_>, BadAnswer> {
    todo!()
}
