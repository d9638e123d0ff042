//! `_all_docs` and its kin: rows in id order, and the bodies of POST requests.

use crate::document::AppendDoc;
use crate::invalid::{Invalid, one_more, utf8};
use crate::rev_text;
use std::io::Write;
use trunkline_core::json::{self, Reader};
use trunkline_core::rev::Rev;

/// The body of a POST: query options under their names, with JSON values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `keys`, each as JSON text (a key that is no string matches nothing).
    pub keys: Option<Vec<String>>,
    /// All other members: (name, JSON text), in order.
    pub options: Vec<(String, String)>,
}

/// Reads `{"keys":[..],..}`. An empty body is an empty query.
pub fn parse(text: &[u8]) -> Result<Query, Invalid> {
    if text.trim_ascii().is_empty() {
        return Ok(Query::default());
    }
    let mut reader = Reader::new(utf8(text)?);
    let query = query(&mut reader, &mut 0)?;
    reader.end()?;
    Ok(query)
}

/// Reads `{"queries":[{..},..]}`.
pub fn parse_queries(text: &[u8]) -> Result<Vec<Query>, Invalid> {
    let mut queries = None;
    let mut items = 0;
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        if key == "queries" && reader.peek() != Some(b'[') {
            return Err(Invalid::bad_request("`queries` member must be an array."));
        }
        if key == "queries" {
            let mut read = Vec::new();
            reader.elements(|reader| {
                one_more(items)?;
                items += 1;
                read.push(query(reader, &mut items)?);
                Ok::<_, Invalid>(())
            })?;
            queries = Some(read);
        }
        Ok::<_, Invalid>(())
    })?;
    reader.end()?;
    queries.ok_or_else(|| Invalid::bad_request("POST body must include `queries` parameter."))
}

/// `items` counts what all queries of the request list.
fn query(reader: &mut Reader<'_>, items: &mut usize) -> Result<Query, Invalid> {
    let mut query = Query::default();
    reader.members(|name, reader| {
        if name != "keys" {
            one_more(*items)?;
            *items += 1;
            let value = reader.raw()?.to_owned();
            query.options.push((name.into_owned(), value));
            return Ok(());
        }
        if reader.peek() != Some(b'[') {
            return Err(Invalid::bad_request("`keys` body member must be an array."));
        }
        let mut keys = Vec::new();
        reader.elements(|reader| {
            one_more(*items)?;
            *items += 1;
            keys.push(reader.raw()?.to_owned());
            Ok::<_, Invalid>(())
        })?;
        query.keys = Some(keys);
        Ok(())
    })?;
    Ok(query)
}

/// Writes one answer: [`Writer::open`], rows, [`Writer::close`]. Its buffer may be taken away between any two calls.
#[derive(Clone, Debug)]
pub struct Writer {
    rows: u64,
}

impl Writer {
    /// Appends the head. `None` is written as `null`, as for `keys`.
    pub fn open(out: &mut Vec<u8>, total_rows: Option<u64>, offset: Option<u64>) -> Writer {
        let number = |number: Option<u64>| number.map_or("null".into(), |number| number.to_string());
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{{\"total_rows\":{},\"offset\":{},\"rows\":[",
            number(total_rows),
            number(offset)
        );
        Writer { rows: 0 }
    }

    /// Appends the row of a document. `doc` appends the document's text, where asked for.
    pub fn row(&mut self, out: &mut Vec<u8>, id: &str, rev: &Rev, doc: Option<AppendDoc<'_>>) {
        self.value(out, id, rev);
        out.push(b'}');
        if let Some(doc) = doc {
            out.extend_from_slice(b",\"doc\":");
            doc(out);
        }
        out.push(b'}');
    }

    /// Appends the row of a deleted document that was asked for by key; with `"doc":null` when documents are shown.
    pub fn deleted(&mut self, out: &mut Vec<u8>, id: &str, rev: &Rev, docs: bool) {
        self.value(out, id, rev);
        out.extend_from_slice(b",\"deleted\":true}");
        if docs {
            out.extend_from_slice(b",\"doc\":null");
        }
        out.push(b'}');
    }

    /// Appends the row of a key (JSON text) without document.
    pub fn missing(&mut self, out: &mut Vec<u8>, key: &str) {
        self.separate(out);
        let _ = write!(out, "{{\"key\":{key},\"error\":\"not_found\"}}");
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends the end. `update_seq` is JSON text, where asked for.
    pub fn close(self, out: &mut Vec<u8>, update_seq: Option<&str>) {
        out.extend_from_slice(b"\r\n]");
        if let Some(update_seq) = update_seq {
            let _ = write!(out, ",\"update_seq\":{update_seq}");
        }
        out.extend_from_slice(b"}\n");
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.rows > 0 { b",\r\n" } else { b"\r\n" });
        self.rows += 1;
    }

    fn value(&mut self, out: &mut Vec<u8>, id: &str, rev: &Rev) {
        self.separate(out);
        out.extend_from_slice(b"{\"id\":");
        let from = out.len();
        json::quote(id, out);
        let to = out.len();
        out.extend_from_slice(b",\"key\":");
        out.extend_from_within(from..to);
        out.extend_from_slice(b",\"value\":{\"rev\":");
        rev_text::write(out, rev);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invalid::Kind;

    #[test]
    fn rows_of_each_kind() {
        let rev = Rev::parse("1-a").unwrap();
        let mut out = Vec::new();
        let mut writer = Writer::open(&mut out, Some(9), None);
        writer.row(&mut out, "a\"", &rev, None);
        writer.row(&mut out, "b", &rev, Some(&mut |out| out.extend_from_slice(b"{}")));
        writer.deleted(&mut out, "c", &rev, true);
        writer.missing(&mut out, "7");
        assert_eq!(writer.rows(), 4);
        writer.close(&mut out, Some("\"5-x\""));
        let expected = [
            r#"{"total_rows":9,"offset":null,"rows":["#,
            r#"{"id":"a\"","key":"a\"","value":{"rev":"1-a"}},"#,
            r#"{"id":"b","key":"b","value":{"rev":"1-a"},"doc":{}},"#,
            r#"{"id":"c","key":"c","value":{"rev":"1-a","deleted":true},"doc":null},"#,
            r#"{"key":7,"error":"not_found"}"#,
            "],\"update_seq\":\"5-x\"}\n",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.join("\r\n"));
    }

    #[test]
    fn bodies_of_posts() {
        let query = parse(br#"{"keys":["a", 7, [1]],"limit":3,"start_key" : "b"}"#).unwrap();
        assert_eq!(query.keys.unwrap(), ["\"a\"", "7", "[1]"]);
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            query.options,
            [option("limit", "3"), option("start_key", "\"b\"")]
        );
        assert_eq!(parse(b" \n").unwrap(), Query::default());
        let queries = parse_queries(br#"{"queries":[{},{"keys":[]}]}"#).unwrap();
        assert_eq!(queries.len(), 2);
        assert_eq!(queries[1].keys, Some(Vec::new()));
        for wrong in ["", "{}", r#"{"queries":{}}"#, r#"{"queries":[1]}"#] {
            assert!(parse_queries(wrong.as_bytes()).is_err(), "{wrong}");
        }
        for wrong in ["[]", r#"{"keys":1}"#, "{", "{} {}"] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let half = format!(
            "\"keys\":[{}1]",
            "1,".repeat(trunkline_core::limits::REQUEST_ITEMS_MAX / 2)
        );
        assert!(parse(format!("{{{half}}}").as_bytes()).is_ok());
        let twice = format!("{{\"queries\":[{{{half}}},{{{half}}}]}}");
        assert_eq!(parse_queries(twice.as_bytes()).unwrap_err().kind, Kind::TooLarge);
    }
}
