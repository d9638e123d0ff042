//! Answers of views: rows as their map functions emitted them, or what groups of them come to.

use crate::document::AppendDoc;
use crate::format::{Format, csv_texts, csv_values};
use std::io::Write;
use trunkline_core::json::{self, JsonError, Reader};

/// Writes one answer: [`Writer::open`], rows, [`Writer::close`]. Its buffer may be taken away between any two calls.
#[derive(Clone, Debug)]
pub struct Writer {
    rows: u64,
    format: Format,
}

/// What stands before the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Whether rows are shown, each of a document, and not groups of them.
    pub rows: bool,
    /// `total_rows` and `offset`, of rows, where they are told.
    pub counts: Option<(u64, u64)>,
    /// `update_seq`, JSON text, where asked for.
    pub update_seq: Option<String>,
    /// Whether rows are shown with documents.
    pub docs: bool,
}

impl Writer {
    /// Appends the head.
    pub fn open(out: &mut Vec<u8>, head: &Head, format: Format) -> Writer {
        match format {
            Format::Json => Writer::head(out, head),
            Format::Ndjson => {}
            Format::Csv => {
                let rows = head.rows.then_some("id").into_iter();
                let docs = head.docs.then_some("doc");
                csv_texts(rows.chain(["key", "value"]).chain(docs), out);
            }
        }
        Writer { rows: 0, format }
    }

    fn head(out: &mut Vec<u8>, head: &Head) {
        out.push(b'{');
        // Writing to a Vec cannot fail.
        if let Some((total, offset)) = head.counts {
            let _ = write!(out, "\"total_rows\":{total},\"offset\":{offset},");
        }
        if let Some(update_seq) = &head.update_seq {
            let _ = write!(out, "\"update_seq\":{update_seq},");
        }
        out.extend_from_slice(b"\"rows\":[");
    }

    /// Appends a row; key and value are JSON texts. `doc` appends the text of a document, where asked for.
    pub fn row(
        &mut self,
        out: &mut Vec<u8>,
        id: &str,
        (key, value): (&[u8], &[u8]),
        doc: Option<AppendDoc<'_>>,
    ) {
        if self.format == Format::Csv {
            return csv_row(out, id, (key, value), doc);
        }
        self.separate(out);
        out.extend_from_slice(b"{\"id\":");
        json::quote(id, out);
        out.extend_from_slice(b",\"key\":");
        out.extend_from_slice(key);
        out.extend_from_slice(b",\"value\":");
        out.extend_from_slice(value);
        if let Some(doc) = doc {
            out.extend_from_slice(b",\"doc\":");
            doc(out);
        }
        out.push(b'}');
        self.end(out);
    }

    /// Appends what a group comes to; key and value are JSON texts.
    pub fn group(&mut self, out: &mut Vec<u8>, key: &str, value: &str) {
        if self.format == Format::Csv {
            return csv_values([Some(key), Some(value)], out);
        }
        self.separate(out);
        let _ = write!(out, "{{\"key\":{key},\"value\":{value}}}");
        self.end(out);
    }

    /// Appends the end.
    pub fn close(self, out: &mut Vec<u8>) {
        if self.format == Format::Json {
            out.extend_from_slice(b"\r\n]}\n");
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.format == Format::Ndjson {
            out.push(b'\n');
        }
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        if self.format != Format::Json {
            return;
        }
        out.extend_from_slice(if self.rows > 0 { b",\r\n" } else { b"\r\n" });
        self.rows += 1;
    }
}

fn csv_row(out: &mut Vec<u8>, id: &str, (key, value): (&[u8], &[u8]), doc: Option<AppendDoc<'_>>) {
    let mut quoted = Vec::new();
    json::quote(id, &mut quoted);
    let mut text = Vec::new();
    let has_doc = doc.is_some();
    if let Some(doc) = doc {
        doc(&mut text);
    }
    let cells = [&quoted, key, value, &text].map(String::from_utf8_lossy);
    let shown = cells.iter().take(if has_doc { 4 } else { 3 });
    csv_values(shown.map(|cell| Some(&**cell)), out);
}

/// What stands for a group: `null` for all rows, else the key of one of its rows, an array cut to `level` elements.
pub fn group_key(key: &str, level: Option<usize>) -> String {
    let Some(level) = level else {
        return key.to_owned();
    };
    if level == 0 {
        return "null".to_owned();
    }
    if Reader::new(key).peek() != Some(b'[') {
        return key.to_owned();
    }
    let mut cut = String::from("[");
    let mut elements = 0;
    // Keys are valid JSON.
    let _ = json::elements(key, |element| {
        if elements < level {
            if elements > 0 {
                cut.push(',');
            }
            cut.push_str(element);
        }
        elements += 1;
        Ok::<_, JsonError>(())
    });
    cut.push(']');
    cut
}

/// The document that a row is shown with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// `_id` of the value: another document than the one that emitted the row.
    pub id: Option<String>,
    /// `_rev` of the value: that revision, instead of the winner.
    pub rev: Option<String>,
}

/// Which document a row's value names.
pub fn linked(value: &str) -> Linked {
    let mut linked = Linked::default();
    if Reader::new(value).peek() != Some(b'{') {
        return linked;
    }
    // Values are valid JSON.
    let _ = json::members(value, |name, value| {
        match &*name {
            "_id" => linked.id = json::string(value).map(std::borrow::Cow::into_owned),
            "_rev" => linked.rev = json::string(value).map(std::borrow::Cow::into_owned),
            _ => {}
        }
        Ok::<_, JsonError>(())
    });
    linked
}

/// The value of a group that has none: CouchDB's for the failure of a built-in function. `caused_by` is JSON text.
pub fn builtin_reduce_error(reason: &str, caused_by: Option<&str>) -> String {
    let mut out = b"{\"error\":\"builtin_reduce_error\",\"reason\":".to_vec();
    json::quote(reason, &mut out);
    if let Some(caused_by) = caused_by {
        out.extend_from_slice(b",\"caused_by\":");
        out.extend_from_slice(caused_by.as_bytes());
    }
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

/// The value of a group whose reduction is too long: CouchDB's.
pub fn reduce_overflow_error(reason: &str) -> String {
    single("reduce_overflow_error", reason)
}

/// The value of a group whose function was ended: over its time, or its memory.
pub fn reduce_limit_error(reason: &str) -> String {
    single("reduce_limit_error", reason)
}

fn single(name: &str, reason: &str) -> String {
    let mut out = format!("{{\"{name}\":").into_bytes();
    json::quote(reason, &mut out);
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let mut out = Vec::new();
        let head = Head {
            rows: true,
            counts: Some((7, 2)),
            update_seq: Some("\"9-x\"".to_owned()),
            docs: false,
        };
        let mut writer = Writer::open(&mut out, &head, Format::Json);
        writer.row(&mut out, "a", (b"[1]", b"null"), None);
        writer.row(
            &mut out,
            "b",
            (b"2", b"{}"),
            Some(&mut |out| out.extend_from_slice(b"null")),
        );
        writer.close(&mut out);
        let expected = [
            r#"{"total_rows":7,"offset":2,"update_seq":"9-x","rows":["#,
            r#"{"id":"a","key":[1],"value":null},"#,
            r#"{"id":"b","key":2,"value":{},"doc":null}"#,
            "]}\n",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.join("\r\n"));
        let mut out = Vec::new();
        let mut writer = Writer::open(&mut out, &Head::default(), Format::Json);
        writer.group(&mut out, "null", "3");
        writer.close(&mut out);
        assert_eq!(out, b"{\"rows\":[\r\n{\"key\":null,\"value\":3}\r\n]}\n");
    }

    #[test]
    fn lines() {
        let head = Head {
            rows: true,
            counts: Some((1, 0)),
            docs: true,
            ..Head::default()
        };
        let write = |format: Format| {
            let mut out = Vec::new();
            let mut writer = Writer::open(&mut out, &head, format);
            let doc: AppendDoc<'_> = &mut |out| out.extend_from_slice(br#"{"a":1}"#);
            writer.row(&mut out, "x,1", (b"[1]", b"null"), Some(doc));
            writer.close(&mut out);
            String::from_utf8(out).unwrap()
        };
        let row = r#"{"id":"x,1","key":[1],"value":null,"doc":{"a":1}}"#;
        assert_eq!(write(Format::Ndjson), format!("{row}\n"));
        assert_eq!(
            write(Format::Csv),
            "id,key,value,doc\r\n\"x,1\",[1],,\"{\"\"a\"\":1}\"\r\n"
        );
        let mut out = Vec::new();
        let mut writer = Writer::open(&mut out, &Head::default(), Format::Csv);
        writer.group(&mut out, "\"a\"", "3");
        writer.close(&mut out);
        assert_eq!(out, b"key,value\r\na,3\r\n");
    }

    #[test]
    fn keys_of_groups() {
        for (key, level, expected) in [
            ("[1,[2,3],4]", None, "[1,[2,3],4]"),
            ("[1,[2,3],4]", Some(0), "null"),
            ("[1,[2,3],4]", Some(2), "[1,[2,3]]"),
            ("[1]", Some(2), "[1]"),
            ("[]", Some(1), "[]"),
            ("\"a\"", Some(1), "\"a\""),
        ] {
            assert_eq!(group_key(key, level), expected, "{key} {level:?}");
        }
    }

    #[test]
    fn documents_that_values_name() {
        let of = |id: Option<&str>, rev: Option<&str>| Linked {
            id: id.map(str::to_owned),
            rev: rev.map(str::to_owned),
        };
        for (value, expected) in [
            ("1", of(None, None)),
            (r#"{"x":1}"#, of(None, None)),
            (r#"{"_id":"a"}"#, of(Some("a"), None)),
            (r#"{"_id":"a","_rev":"1-b"}"#, of(Some("a"), Some("1-b"))),
            (r#"{"_rev":"1-b"}"#, of(None, Some("1-b"))),
        ] {
            assert_eq!(linked(value), expected, "{value}");
        }
    }

    #[test]
    fn values_that_are_none() {
        assert_eq!(
            builtin_reduce_error("no \"sum\"", Some("[1]")),
            r#"{"error":"builtin_reduce_error","reason":"no \"sum\"","caused_by":[1]}"#
        );
        assert_eq!(
            reduce_overflow_error("too long"),
            r#"{"reduce_overflow_error":"too long"}"#
        );
    }
}
