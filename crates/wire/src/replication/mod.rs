//! What a replication needs beside whole documents and feeds: bodies of filtered feeds, a document's revision alone;
//! how replications are asked for, and what is written down of them.

mod asked;
mod state;
mod time;

pub use asked::{Asked, End};
pub use state::{Failure, Outcome, Stats, parse_failures, write_failures, write_outcome};
pub use time::rfc3339;

use trunkline_core::json::{self, JsonError};
use trunkline_core::rev::{InvalidRev, Rev};

/// Appends the body of `_changes?filter=_doc_ids`.
pub fn write_doc_ids_filter<'a>(out: &mut Vec<u8>, ids: impl IntoIterator<Item = &'a str>) {
    out.extend_from_slice(b"{\"doc_ids\":[");
    for (at, id) in ids.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::quote(id, out);
    }
    out.extend_from_slice(b"]}");
}

/// Appends the body of `_changes?filter=_selector`; `selector` is JSON text.
pub fn write_selector_filter(out: &mut Vec<u8>, selector: &str) {
    out.extend_from_slice(b"{\"selector\":");
    out.extend_from_slice(selector.as_bytes());
    out.push(b'}');
}

/// `_rev` of a document's JSON text, which may be none here. Servers write it near the front, and nothing behind it is
/// looked at.
pub fn rev_of(text: &str) -> Option<Result<Rev, InvalidRev>> {
    let stopped = json::members(text, |key, value| {
        if key != "_rev" {
            return Ok(());
        }
        Err(Stop(json::string(value).map(|rev| Rev::parse(&rev))))
    });
    stopped.err().and_then(|Stop(rev)| rev)
}

/// Ends the walk over members: with what was found, or with nothing in a text that is no document.
struct Stop(Option<Result<Rev, InvalidRev>>);

impl From<JsonError> for Stop {
    fn from(_: JsonError) -> Stop {
        Stop(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_revision_and_stops() {
        let rev = |text| rev_of(text).map(|rev| rev.unwrap().to_string());
        assert_eq!(rev(r#"{"_id":"a","_rev":"1-x","b":"#).as_deref(), Some("1-x"));
        assert_eq!(rev(r#"{"b":{"_rev":"1-x"}}"#), None);
        assert_eq!(rev(r#"{"_rev":7}"#), None);
        assert_eq!(rev("x"), None);
        let odd = InvalidRev("1-é".into());
        assert_eq!(rev_of(r#"{"_rev":"1-é"}"#), Some(Err(odd)));
    }

    #[test]
    fn filters_are_json() {
        let mut out = Vec::new();
        write_doc_ids_filter(&mut out, ["a\"b", "c"]);
        assert_eq!(out, br#"{"doc_ids":["a\"b","c"]}"#);
        out.clear();
        write_selector_filter(&mut out, r#"{"a":1}"#);
        assert_eq!(out, br#"{"selector":{"a":1}}"#);
    }
}
