//! `_revs_diff` and `_missing_revs`: which revisions are not here.

use crate::invalid::{BadAnswer, Invalid};
use trunkline_core::rev::Rev;

/// Reads a request: `{"id":["rev",..],..}`, in order. `_purge` takes the same.
pub fn parse(_text: &[u8]) -> Result<Vec<(String, Vec<Rev>)>, Invalid> {
    todo!()
}

/// Appends a request's body.
pub fn write_request<'a>(_out: &mut Vec<u8>, _rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    todo!()
}

/// Appends the answer of `_revs_diff` from (id, missing, possible ancestors); documents that miss nothing are left out.
pub fn write<'a>(_out: &mut Vec<u8>, _rows: impl IntoIterator<Item = (&'a str, &'a [Rev], &'a [Rev])>) {
    todo!()
}

/// Appends the answer of `_missing_revs` from (id, missing).
pub fn write_missing_revs<'a>(_out: &mut Vec<u8>, _rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    todo!()
}

/// What a peer lacks of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which document.
    pub id: String,
    /// Revisions it lacks.
    pub missing: Vec<Rev>,
    /// Leaves it has that may be their ancestors.
    pub possible_ancestors: Vec<Rev>,
}

/// Reads the answer of `_revs_diff`.
pub fn parse_response(_text: &[u8]) -> Result<Vec<Missing>, BadAnswer> {
    todo!()
}
