//! `_bulk_docs`: many documents in, one row for each out (with `new_edits=false`, for the refused ones only).

use crate::document::{self, IncomingDoc, InvalidDoc};
use crate::invalid::{BadAnswer, Invalid, one_more, utf8};
use crate::rev_text;
use std::borrow::Cow;
use trunkline_core::json::{self, Reader};
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

/// Bytes of a request for each ancestor that it lists, where it lists very many: a short id takes as much memory as any.
const ANCESTOR_BYTES_LEAST: usize = 32;

/// Reads a request. One pass over the text; a document that is JSON but not acceptable fails alone.
pub fn parse(text: &[u8]) -> Result<Request, Invalid> {
    let mut docs = None;
    let (mut new_edits, mut atomic) = (true, false);
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        match &*key {
            "docs" => {
                if reader.peek() != Some(b'[') {
                    return Err(Invalid::bad_request("`docs` parameter must be an array."));
                }
                let (mut read, mut ancestors) = (Vec::new(), 0);
                reader.elements(|reader| {
                    one_more(read.len())?;
                    let doc = document::read(reader)?;
                    let path = doc.as_ref().ok().and_then(|doc| doc.revisions.as_ref());
                    ancestors += path.map_or(0, |path| path.digests.len());
                    // Those that replicators send take 35 bytes each, and there may be as many as are sent.
                    if ancestors > text.len() / ANCESTOR_BYTES_LEAST {
                        one_more(ancestors)?;
                    }
                    read.push(doc);
                    Ok::<_, Invalid>(())
                })?;
                docs = Some(read);
            }
            "new_edits" => new_edits = boolean(&key, reader)?,
            "all_or_nothing" => atomic = boolean(&key, reader)?,
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    Ok(Request {
        docs: docs.ok_or_else(|| Invalid::bad_request("POST body must include `docs` parameter."))?,
        new_edits,
        atomic,
    })
}

fn boolean(key: &str, reader: &mut Reader<'_>) -> Result<bool, Invalid> {
    let value = reader.raw()?.parse();
    value.map_err(|_| Invalid::bad_request(format!("`{key}` parameter must be a boolean.")))
}

/// Appends `{"ok":true,"id":..,"rev":..}`.
pub fn write_ok(out: &mut Vec<u8>, id: &str, rev: &Rev) {
    out.extend_from_slice(b"{\"ok\":true,\"id\":");
    json::quote(id, out);
    out.extend_from_slice(b",\"rev\":");
    rev_text::write(out, rev);
    out.push(b'}');
}

/// Appends `{"id":..[,"rev":..],"error":..,"reason":..}`. `rev` is for `new_edits=false`.
pub fn write_error(out: &mut Vec<u8>, id: &str, rev: Option<&Rev>, error: &str, reason: &str) {
    out.extend_from_slice(b"{\"id\":");
    json::quote(id, out);
    if let Some(rev) = rev {
        out.extend_from_slice(b",\"rev\":");
        rev_text::write(out, rev);
    }
    out.extend_from_slice(b",\"error\":");
    json::quote(error, out);
    out.extend_from_slice(b",\"reason\":");
    json::quote(reason, out);
    out.push(b'}');
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
        RequestWriter {
            out: b"{\"new_edits\":false,\"docs\":[".to_vec(),
            docs: 0,
        }
    }
    /// Appends a document; `write` appends its text, as [`crate::document::write_replicated`] does.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.docs > 0 {
            self.out.push(b',');
        }
        write(&mut self.out);
        self.docs += 1;
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
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"]}");
        self.out
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

/// Reads an answer. PouchDB Server has `"error":true` and its word under `name`.
pub fn parse_response(text: &[u8]) -> Result<Vec<ResponseRow>, BadAnswer> {
    let mut rows = Vec::new();
    let mut reader = Reader::new(utf8(text)?);
    reader.elements(|reader| {
        rows.push(response_row(reader)?);
        Ok::<_, BadAnswer>(())
    })?;
    reader.end()?;
    Ok(rows)
}

fn response_row(reader: &mut Reader<'_>) -> Result<ResponseRow, BadAnswer> {
    let (mut id, mut rev, mut error, mut name, mut reason) = (None, None, None, None, None);
    let mut failed = false;
    reader.members(|key, reader| {
        let value = reader.raw()?;
        let text = || json::string(value).map(Cow::into_owned);
        match &*key {
            "id" => id = text(),
            "rev" => rev = text(),
            "error" => {
                failed = value != "false" && value != "null";
                error = text();
            }
            "name" => name = text(),
            "reason" => reason = text(),
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    Ok(ResponseRow {
        id: id.unwrap_or_default(),
        rev,
        error: failed.then(|| {
            let word = error.or(name).unwrap_or_else(|| "unknown_error".into());
            (word, reason.unwrap_or_default())
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whatever_the_order_of_its_members() {
        let request = parse(
            br#"{"docs":[{"_id":"a","n":1},{"_x":1},7,{"_id":"b"}],"w":2,"new_edits":false,"all_or_nothing":true}"#,
        )
        .unwrap();
        assert!(!request.new_edits && request.atomic);
        let read: Vec<_> = request
            .docs
            .iter()
            .map(|doc| {
                doc.as_ref()
                    .map(|doc| doc.id.as_deref())
                    .map_err(ToString::to_string)
            })
            .collect();
        assert_eq!(
            read,
            [
                Ok(Some("a")),
                Err("Bad special document member: _x".to_owned()),
                Err("Document must be a JSON object".to_owned()),
                Ok(Some("b"))
            ]
        );
        let request = parse(br#"{"docs":[]}"#).unwrap();
        assert!(request.new_edits && !request.atomic && request.docs.is_empty());
    }

    #[test]
    fn requests_that_are_refused() {
        let check = |text: &str, reason: &str| {
            assert_eq!(parse(text.as_bytes()).unwrap_err().reason, reason, "{text}");
        };
        check("{}", "POST body must include `docs` parameter.");
        check(r#"{"docs":{}}"#, "`docs` parameter must be an array.");
        check(
            r#"{"docs":[],"new_edits":1}"#,
            "`new_edits` parameter must be a boolean.",
        );
        check("[]", "Request body must be a JSON object");
        let many = format!(
            "{{\"docs\":[{}]}}",
            "7,".repeat(trunkline_core::limits::REQUEST_ITEMS_MAX + 1)
        );
        check(&many, "A request may list 100000 items at most; send several.");
        let ids = "\"b\",".repeat(50_001);
        let doc = format!("{{\"_revisions\":{{\"start\":50002,\"ids\":[{ids}\"b\"]}}}}");
        check(
            &format!("{{\"docs\":[{doc},{doc}]}}"),
            "A request may list 100000 items at most; send several.",
        );
        // As replicators list them.
        let ids = format!("\"{}\",", "0".repeat(32)).repeat(50_001);
        let doc = format!("{{\"_revisions\":{{\"start\":50002,\"ids\":[{ids}\"b\"]}}}}");
        let request = parse(format!("{{\"docs\":[{doc},{doc}]}}").as_bytes()).unwrap();
        assert!(request.docs.iter().all(Result::is_ok));
        check(r#"{"docs":[{]}"#, "invalid UTF-8 JSON");
        check(r#"{"docs":[{}]} {}"#, "invalid UTF-8 JSON");
    }

    #[test]
    fn rows_are_read_back() {
        let rev = Rev::parse("2-b").unwrap();
        let mut out = b"[".to_vec();
        write_ok(&mut out, "a", &rev);
        out.push(b',');
        write_error(&mut out, "b", None, "conflict", "Document update conflict.");
        out.push(b',');
        write_error(&mut out, "c", Some(&rev), "forbidden", "no");
        out.push(b']');
        assert_eq!(
            out,
            concat!(
                r#"[{"ok":true,"id":"a","rev":"2-b"},"#,
                r#"{"id":"b","error":"conflict","reason":"Document update conflict."},"#,
                r#"{"id":"c","rev":"2-b","error":"forbidden","reason":"no"}]"#
            )
            .as_bytes()
        );
        let rows = parse_response(&out).unwrap();
        let error = |error: &str, reason: &str| Some((error.to_owned(), reason.to_owned()));
        assert_eq!(rows[0].error, None);
        assert_eq!(rows[1].error, error("conflict", "Document update conflict."));
        assert_eq!((rows[2].id.as_str(), rows[2].rev.as_deref()), ("c", Some("2-b")));
        let pouch = parse_response(
            br#"[{"status":409,"name":"conflict","message":"x","error":true,"reason":"y","id":"d"}]"#,
        )
        .unwrap();
        assert_eq!(pouch[0].error, error("conflict", "y"));
        assert!(parse_response(b"{}").is_err());
        assert!(parse_response(b"[1]").is_err());
    }

    #[test]
    fn a_request_written_is_a_request_read() {
        let mut writer = RequestWriter::new();
        for doc in ["{\"_id\":\"a\"}", "{\"_id\":\"b\"}"] {
            writer.push(|out| out.extend_from_slice(doc.as_bytes()));
        }
        assert_eq!(writer.docs(), 2);
        let bytes = writer.bytes();
        let text = writer.finish();
        assert_eq!(text.len(), bytes + 2);
        let request = parse(&text).unwrap();
        assert!(!request.new_edits);
        assert_eq!(request.docs.len(), 2);
    }
}
