//! `_purge` and `_purged_infos`. A request is read by [`crate::revs_diff::parse`].

use crate::{open_revs, revs_diff};
use trunkline_core::json;
use trunkline_core::rev::Rev;

/// Appends the answer of `_purge` from (id, revisions removed).
pub fn write<'a>(out: &mut Vec<u8>, rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    out.extend_from_slice(b"{\"purge_seq\":null,\"purged\":");
    revs_diff::write_request(out, rows);
    out.extend_from_slice(b"}\n");
}

/// Appends the answer of `_purged_infos` from (id, revisions removed).
pub fn write_infos<'a>(out: &mut Vec<u8>, rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    out.extend_from_slice(b"{\"purged_infos\":[");
    for (index, (id, revs)) in rows.into_iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"id\":" } else { b"{\"id\":" });
        json::quote(id, out);
        out.extend_from_slice(b",\"revs\":");
        open_revs::write_revs(out, revs);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_couchdb_writes_them() {
        let revs = [Rev::parse("2-b").unwrap()];
        let rows = [("d", revs.as_slice()), ("e", &[])];
        let mut out = Vec::new();
        write(&mut out, rows);
        assert_eq!(
            out,
            b"{\"purge_seq\":null,\"purged\":{\"d\":[\"2-b\"],\"e\":[]}}\n"
        );
        let mut out = Vec::new();
        write_infos(&mut out, rows);
        assert_eq!(
            out,
            b"{\"purged_infos\":[{\"id\":\"d\",\"revs\":[\"2-b\"]},{\"id\":\"e\",\"revs\":[]}]}\n"
        );
    }
}
