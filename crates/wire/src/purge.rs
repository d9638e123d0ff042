//! `_purge` and `_purged_infos`. A request is read by [`crate::revs_diff::parse`].

use trunkline_core::rev::Rev;

/// Appends the answer of `_purge` from (id, revisions removed).
pub fn write<'a>(_out: &mut Vec<u8>, _rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    todo!()
}

/// Appends the answer of `_purged_infos` from (id, revisions removed).
pub fn write_infos<'a>(_out: &mut Vec<u8>, _rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    todo!()
}
