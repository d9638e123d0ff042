//! `_bulk_get`: revisions of many documents in one answer, with a row for each one asked for.

use crate::invalid::{BadAnswer, Invalid, one_more, utf8};
use crate::open_revs::{parse_revs, write_revs};
use crate::rev_text;
use std::borrow::Cow;
use trunkline_core::doc_id::DocId;
use trunkline_core::json::{self, JsonError, Reader};
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
    /// The error word.
    pub error: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl BadAsk {
    /// Appends the error, as a multipart answer shows it; what the entry lacks is `null`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        text_or_null(out, self.id.as_deref());
        out.extend_from_slice(b",\"rev\":");
        text_or_null(out, self.rev.as_deref());
        out.extend_from_slice(b",\"error\":");
        json::quote(self.error, out);
        out.extend_from_slice(b",\"reason\":");
        json::quote(&self.reason, out);
        out.push(b'}');
    }
}

fn text_or_null(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => json::quote(text, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// Reads a request: `{"docs":[..]}`.
pub fn parse(text: &[u8]) -> Result<Vec<Result<Ask, BadAsk>>, Invalid> {
    let mut asks = None;
    let mut items = 0;
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        if key == "docs" && reader.peek() == Some(b'[') {
            let mut read = Vec::new();
            reader.elements(|reader| {
                one_more(items)?;
                let ask = ask(reader)?;
                items += 1 + ask.as_ref().map_or(0, |ask| ask.atts_since.len());
                read.push(ask);
                Ok::<_, Invalid>(())
            })?;
            asks = Some(read);
        }
        Ok::<_, Invalid>(())
    })?;
    reader.end()?;
    asks.ok_or_else(|| Invalid::bad_request("Missing JSON list of 'docs'."))
}

fn ask(reader: &mut Reader<'_>) -> Result<Result<Ask, BadAsk>, Invalid> {
    if reader.peek() != Some(b'{') {
        reader.raw()?;
        return Ok(Err(BadAsk {
            id: None,
            rev: None,
            error: "bad_request",
            reason: "document must be a JSON object".into(),
        }));
    }
    let (mut id, mut rev, mut atts_since) = (None, None, None);
    reader.members(|key, reader| {
        let value = reader.raw()?;
        match &*key {
            "id" => id = json::string(value).map(Cow::into_owned),
            "rev" => rev = Some(value),
            "atts_since" => atts_since = Some(value),
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    let spelled = |rev: &str| json::string(rev).map_or_else(|| rev.to_owned(), Cow::into_owned);
    let bad = |id: Option<String>, reason: &str| BadAsk {
        id,
        rev: rev.map(spelled),
        error: "bad_request",
        reason: reason.into(),
    };
    let Some(id) = id else {
        let nameless = BadAsk {
            rev: None,
            ..bad(None, "document id missed")
        };
        return Ok(Err(nameless));
    };
    // A local document can be asked for like any; it has no revisions to show.
    let illegal = DocId::parse(&id).err().filter(|_| !id.starts_with("_local/"));
    if let Some(invalid) = illegal {
        return Ok(Err(BadAsk {
            id: Some(id),
            rev: None,
            error: "illegal_docid",
            reason: invalid.to_string(),
        }));
    }
    let parsed_rev = match rev {
        None => None,
        Some(rev) => match Rev::parse(&spelled(rev)) {
            Ok(rev) => Some(rev),
            Err(_) => return Ok(Err(bad(Some(id), "Invalid rev format"))),
        },
    };
    let Ok(atts_since) = atts_since.map_or(Ok(Vec::new()), parse_revs) else {
        return Ok(Err(bad(Some(id), "att_since value must be array of revs.")));
    };
    Ok(Ok(Ask {
        id,
        rev: parsed_rev,
        atts_since,
    }))
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
    pub fn open(out: &mut Vec<u8>) -> Writer {
        out.extend_from_slice(b"{\"results\":[");
        Writer {
            rows: 0,
            docs_in_row: 0,
        }
    }

    /// Appends the row of an entry that cannot be answered.
    pub fn bad_row(&mut self, out: &mut Vec<u8>, bad: &BadAsk) {
        self.start_row(out);
        text_or_null(out, bad.id.as_deref());
        out.extend_from_slice(b",\"docs\":[{\"error\":");
        bad.write(out);
        out.push(b'}');
        self.end_row(out);
    }

    /// Starts the row of a document.
    pub fn row(&mut self, out: &mut Vec<u8>, id: &str) {
        self.start_row(out);
        json::quote(id, out);
        out.extend_from_slice(b",\"docs\":[");
    }

    fn start_row(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.rows > 0 {
            b",\n{\"id\":"
        } else {
            b"\n{\"id\":"
        });
        self.rows += 1;
        self.docs_in_row = 0;
    }

    /// Appends a found revision; `write` appends the document's text.
    pub fn ok(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.separate(out);
        out.extend_from_slice(b"{\"ok\":");
        write(out);
        out.push(b'}');
    }

    /// Appends a revision that is not there or cannot be shown. `rev` as it was asked for; `None` is `"undefined"`.
    pub fn error(&mut self, out: &mut Vec<u8>, id: &str, rev: Option<&str>, error: &str, reason: &str) {
        self.separate(out);
        out.extend_from_slice(b"{\"error\":");
        write_multipart_error(out, id, rev, error, reason);
        out.push(b'}');
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        if self.docs_in_row > 0 {
            out.push(b',');
        }
        self.docs_in_row += 1;
    }

    /// Ends the row.
    pub fn end_row(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}");
    }

    /// Appends the end of the answer.
    pub fn close(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n]}\n");
    }
}

/// Appends what a multipart answer shows, in a part with `error="true"`, for a revision that is not there.
pub fn write_multipart_error(out: &mut Vec<u8>, id: &str, rev: Option<&str>, error: &str, reason: &str) {
    let mut member = |head: &[u8], value: &str| {
        out.extend_from_slice(head);
        json::quote(value, out);
    };
    member(b"{\"id\":", id);
    member(b",\"rev\":", rev.unwrap_or("undefined"));
    member(b",\"error\":", error);
    member(b",\"reason\":", reason);
    out.push(b'}');
}

/// Appends a request's body from (id, revision, revisions the asker has).
pub fn write_request<'a>(out: &mut Vec<u8>, asks: impl IntoIterator<Item = (&'a str, &'a Rev, &'a [Rev])>) {
    out.extend_from_slice(b"{\"docs\":[");
    for (index, (id, rev, atts_since)) in asks.into_iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"id\":" } else { b"{\"id\":" });
        json::quote(id, out);
        out.extend_from_slice(b",\"rev\":");
        rev_text::write(out, rev);
        if !atts_since.is_empty() {
            out.extend_from_slice(b",\"atts_since\":");
            write_revs(out, atts_since);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
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

/// Reads an answer. Members this does not know are passed over; an item is `{"ok":{..}}`, `{"error":{..}}` or, from
/// some servers, an error object itself or `{"missing":rev}`.
pub fn parse_response(text: &[u8]) -> Result<Vec<ResponseRow<'_>>, BadAnswer> {
    let mut rows = None;
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        if key == "results" {
            let mut read = Vec::new();
            reader.elements(|reader| {
                read.push(response_row(reader)?);
                Ok::<_, BadAnswer>(())
            })?;
            rows = Some(read);
        }
        Ok::<_, BadAnswer>(())
    })?;
    reader.end()?;
    rows.ok_or_else(|| BadAnswer("the answer lacks results".into()))
}

fn response_row<'a>(reader: &mut Reader<'a>) -> Result<ResponseRow<'a>, BadAnswer> {
    let mut id = None;
    let mut docs = Vec::new();
    reader.members(|key, reader| {
        match &*key {
            "id" => id = json::string(reader.raw()?).map(Cow::into_owned),
            "docs" => reader.elements(|reader| {
                docs.push(got(reader)?);
                Ok::<_, BadAnswer>(())
            })?,
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    Ok(ResponseRow {
        id: id.ok_or_else(|| BadAnswer("a row of the answer lacks its id".into()))?,
        docs,
    })
}

fn got<'a>(reader: &mut Reader<'a>) -> Result<Got<'a>, JsonError> {
    let mut doc = None;
    let (mut error, mut rev, mut missing) = (None, None, None);
    let text = reader.raw()?;
    json::members(text, |key, value| {
        match &*key {
            "ok" if value.starts_with('{') => doc = Some(value),
            "error" if value.starts_with('{') => error = Some(value),
            "rev" => rev = json::string(value).map(Cow::into_owned),
            "missing" => missing = json::string(value).map(Cow::into_owned),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    if let Some(doc) = doc {
        return Ok(Got::Doc(doc));
    }
    if missing.is_some() {
        return Ok(Got::Error {
            rev: missing,
            error: "not_found".into(),
            reason: "missing".into(),
        });
    }
    if let Some(error) = error {
        json::members(error, |key, value| {
            if key == "rev" {
                rev = json::string(value).map(Cow::into_owned);
            }
            Ok::<_, JsonError>(())
        })?;
    }
    let fault = crate::fault::parse(error.unwrap_or(text).as_bytes());
    Ok(Got::Error {
        rev,
        error: fault.error,
        reason: fault.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rev(text: &str) -> Rev {
        Rev::parse(text).unwrap()
    }

    #[test]
    fn a_request_written_is_a_request_read() {
        let (b, since) = (rev("2-b"), [rev("1-a")]);
        let mut out = Vec::new();
        write_request(&mut out, [("d\"", &b, since.as_slice()), ("e", &b, &[])]);
        assert_eq!(
            out,
            br#"{"docs":[{"id":"d\"","rev":"2-b","atts_since":["1-a"]},{"id":"e","rev":"2-b"}]}"#
        );
        let ask = |id: &str, atts_since: &[Rev]| {
            Ok(Ask {
                id: id.into(),
                rev: Some(b.clone()),
                atts_since: atts_since.to_vec(),
            })
        };
        assert_eq!(parse(&out).unwrap(), [ask("d\"", &since), ask("e", &[])]);
    }

    #[test]
    fn revisions_that_the_asker_has_count_as_items() {
        let half = "\"1-a\",".repeat(trunkline_core::limits::REQUEST_ITEMS_MAX / 2);
        let ask = format!("{{\"id\":\"d\",\"atts_since\":[{half}\"1-b\"]}}");
        assert!(parse(format!("{{\"docs\":[{ask}]}}").as_bytes()).is_ok());
        let refused = parse(format!("{{\"docs\":[{ask},{ask},{ask}]}}").as_bytes()).unwrap_err();
        assert_eq!(refused.kind, crate::invalid::Kind::TooLarge);
    }

    #[test]
    fn one_bad_entry_spoils_no_other() {
        let asks = parse(
            br#"{"docs":[{"id":"a"},{"rev":"1-a"},{"id":"b","rev":"x"},{"id":"c","rev":7},{"id":"d","atts_since":"x"},7,{"id":"_x","rev":"1-a"}]}"#,
        )
        .unwrap();
        assert_eq!(asks[0].as_ref().unwrap().rev, None);
        let bad = |id: Option<&str>, rev: Option<&str>, reason: &str| {
            Err(BadAsk {
                id: id.map(Into::into),
                rev: rev.map(Into::into),
                error: if id == Some("_x") {
                    "illegal_docid"
                } else {
                    "bad_request"
                },
                reason: reason.into(),
            })
        };
        assert_eq!(asks[1], bad(None, None, "document id missed"));
        assert_eq!(asks[2], bad(Some("b"), Some("x"), "Invalid rev format"));
        assert_eq!(asks[3], bad(Some("c"), Some("7"), "Invalid rev format"));
        assert_eq!(
            asks[4],
            bad(Some("d"), None, "att_since value must be array of revs.")
        );
        assert_eq!(asks[5], bad(None, None, "document must be a JSON object"));
        let reserved = "Only reserved document ids may start with underscore.";
        assert_eq!(asks[6], bad(Some("_x"), None, reserved));
        let mut out = Vec::new();
        Writer::open(&mut out).bad_row(&mut out, asks[5].as_ref().unwrap_err());
        let row = r#"{"id":null,"docs":[{"error":{"id":null,"rev":null,"error":"bad_request","reason":"document must be a JSON object"}}]}"#;
        assert_eq!(out, format!("{{\"results\":[\n{row}").as_bytes());
        let missing = parse(b"{}").unwrap_err();
        assert_eq!(missing.reason, "Missing JSON list of 'docs'.");
        for wrong in ["", "[]", r#"{"docs":{}}"#, r#"{"docs":[1}"#] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    fn error(rev: &str, error: &str, reason: &str) -> Got<'static> {
        Got::Error {
            rev: Some(rev.into()),
            error: error.into(),
            reason: reason.into(),
        }
    }

    #[test]
    fn an_answer_written_is_an_answer_read() {
        let mut out = Vec::new();
        let mut writer = Writer::open(&mut out);
        writer.row(&mut out, "d");
        writer.ok(&mut out, |out| out.extend_from_slice(b"{\"_id\":\"d\"}"));
        writer.ok(&mut out, |out| out.extend_from_slice(b"{}"));
        writer.end_row(&mut out);
        writer.row(&mut out, "e");
        writer.error(&mut out, "e", None, "not_found", "missing");
        writer.end_row(&mut out);
        writer.close(&mut out);
        let text = String::from_utf8(out.clone()).unwrap().replace('\n', "");
        assert_eq!(
            text,
            concat!(
                r#"{"results":[{"id":"d","docs":[{"ok":{"_id":"d"}},{"ok":{}}]},"#,
                r#"{"id":"e","docs":[{"error":{"id":"e","rev":"undefined","error":"not_found","reason":"missing"}}]}]}"#
            )
        );
        let rows = parse_response(&out).unwrap();
        assert_eq!(rows[0].docs, [Got::Doc(r#"{"_id":"d"}"#), Got::Doc("{}")]);
        assert_eq!(rows[1].id, "e");
        assert_eq!(rows[1].docs, [error("undefined", "not_found", "missing")]);
    }

    #[test]
    fn answers_of_other_servers() {
        let other = br#"{"total":1,"results":[{"id":"f","docs":[{"missing":"1-a"},
            {"error":"not_found","reason":"deleted","rev":"2-b"},{"error":{"status":404,"name":"not_found","rev":"3-c"}}]}]}"#;
        assert_eq!(
            parse_response(other).unwrap()[0].docs,
            [
                error("1-a", "not_found", "missing"),
                error("2-b", "not_found", "deleted"),
                error("3-c", "not_found", "")
            ]
        );
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"results":[{}]}"#,
            r#"{"results":[{"id":"a","docs":[1]}]}"#,
        ] {
            assert!(parse_response(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
