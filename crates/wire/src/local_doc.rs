//! Local documents: `_rev` is `0-N`, and all else is the body.

use crate::document::InvalidDoc;
use crate::invalid::utf8;
use std::io::Write;
use trunkline_core::doc::Body;
use trunkline_core::json::{self, JsonError};
use trunkline_core::limits::DOCUMENT_BYTES_MAX;

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

/// Reads `0-N`.
pub fn parse_rev(rev: &str) -> Result<u64, InvalidDoc> {
    rev.strip_prefix("0-")
        .and_then(|number| number.parse().ok())
        .ok_or(InvalidDoc::BadRev)
}

/// Parses a local document. `_revisions` is dropped, as replicators send it.
pub fn parse(text: &[u8]) -> Result<IncomingLocalDoc, InvalidDoc> {
    let text = utf8(text)?;
    let (mut id, mut number, mut deleted) = (None, None, false);
    let body = json::split_object(text, |key, value| {
        match &*key {
            "_id" => id = Some(json::string(value).ok_or(InvalidDoc::IdNotText)?.into_owned()),
            "_rev" => {
                let rev = json::string(value).ok_or(InvalidDoc::BadRev)?;
                number = Some(parse_rev(&rev)?);
            }
            "_deleted" => deleted = value.parse().map_err(|_| InvalidDoc::BadMember(key.into()))?,
            "_revisions" | "_revs_info" | "_local_seq" | "_conflicts" | "_deleted_conflicts" => {}
            _ => return Err(InvalidDoc::BadMember(key.into())),
        }
        Ok(())
    })
    .map_err(|error| match error {
        InvalidDoc::Json(JsonError::Expected(_)) => InvalidDoc::NotAnObject,
        error => error,
    })?;
    if body.as_str().len() > DOCUMENT_BYTES_MAX {
        return Err(InvalidDoc::TooLarge(id.unwrap_or_default()));
    }
    Ok(IncomingLocalDoc {
        id,
        number,
        deleted,
        body,
    })
}

/// Appends a local document: `{"_id":"_local/ID"[,"_rev":"0-N"],` and the body's members. `id` without `_local/`.
pub fn write(out: &mut Vec<u8>, id: &str, number: Option<u64>, body: &str) {
    out.extend_from_slice(b"{\"_id\":");
    json::quote(&format!("_local/{id}"), out);
    if let Some(number) = number {
        // Writing to a Vec cannot fail.
        let _ = write!(out, ",\"_rev\":\"0-{number}\"");
    }
    let members = body.as_bytes().get(1..).unwrap_or(b"}");
    if members != b"}" {
        out.push(b',');
    }
    out.extend_from_slice(members);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (number, body) in [(Some(3), r#"{"a":1.0}"#), (None, "{}"), (Some(0), "{}")] {
            let mut out = Vec::new();
            write(&mut out, "x==\"", number, body);
            let doc = parse(&out).unwrap();
            assert_eq!(doc.id.as_deref(), Some("_local/x==\""));
            assert_eq!((doc.number, doc.body.as_str()), (number, body));
        }
    }

    #[test]
    fn what_replicators_send() {
        let doc = parse(
            br#"{"_id":"_local/a","_rev":"0-3","_revisions":{"start":0,"ids":["3"]},"session_id":"x","_deleted":true}"#,
        )
        .unwrap();
        assert_eq!((doc.number, doc.deleted), (Some(3), true));
        assert_eq!(doc.body.as_str(), r#"{"session_id":"x"}"#);
    }

    #[test]
    fn refusals() {
        let check = |text: &str, expected: InvalidDoc| {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), expected, "{text}");
        };
        check(r#"{"_rev":"1-x"}"#, InvalidDoc::BadRev);
        check(r#"{"_rev":"0-x"}"#, InvalidDoc::BadRev);
        check(r#"{"_rev":3}"#, InvalidDoc::BadRev);
        check("[]", InvalidDoc::NotAnObject);
        check(r#"{"_x":1}"#, InvalidDoc::BadMember("_x".into()));
    }
}
