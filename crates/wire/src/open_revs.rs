//! `open_revs`: revisions of one document, as a query value and as an answer in JSON.

use crate::invalid::{BadAnswer, Invalid, one_more, utf8};
use crate::rev_text;
use trunkline_core::json::{self, JsonError, Reader};
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
pub fn parse(text: &str) -> Result<OpenRevs, Invalid> {
    match text {
        "all" | "\"all\"" => Ok(OpenRevs::All),
        _ => Ok(OpenRevs::These(parse_revs(text)?)),
    }
}

/// Reads a JSON array of revision ids: `atts_since`.
pub fn parse_revs(text: &str) -> Result<Vec<Rev>, Invalid> {
    let mut revs = Vec::new();
    json::elements(text, |rev| {
        one_more(revs.len())?;
        let rev = json::string(rev).and_then(|rev| Rev::parse(&rev).ok());
        revs.push(rev.ok_or_else(|| Invalid::bad_request("Invalid rev format"))?);
        Ok::<_, Invalid>(())
    })?;
    Ok(revs)
}

/// Appends a JSON array of revision ids.
pub fn write_revs<'a>(out: &mut Vec<u8>, revs: impl IntoIterator<Item = &'a Rev>) {
    out.push(b'[');
    for (index, rev) in revs.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        rev_text::write(out, rev);
    }
    out.push(b']');
}

/// Appends `{"ok":` and what `write` appends and `}`.
pub fn write_ok(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"ok\":");
    write(out);
    out.push(b'}');
}

/// Appends `{"missing":"3-y"}`.
pub fn write_missing(out: &mut Vec<u8>, rev: &Rev) {
    out.extend_from_slice(b"{\"missing\":");
    rev_text::write(out, rev);
    out.push(b'}');
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
pub fn parse_response(text: &[u8]) -> Result<Vec<OpenRev<'_>>, BadAnswer> {
    let mut items = Vec::new();
    let mut reader = Reader::new(utf8(text)?);
    reader.elements(|reader| {
        items.push(item(reader)?);
        Ok::<_, BadAnswer>(())
    })?;
    reader.end()?;
    Ok(items)
}

/// Reads one item: an element of the array, or a part of a multipart answer with `error="true"`.
pub fn parse_item(text: &[u8]) -> Result<OpenRev<'_>, BadAnswer> {
    let mut reader = Reader::new(utf8(text)?);
    let item = item(&mut reader)?;
    reader.end()?;
    Ok(item)
}

fn item<'a>(reader: &mut Reader<'a>) -> Result<OpenRev<'a>, BadAnswer> {
    let mut item = None;
    reader.members(|key, reader| {
        match &*key {
            "ok" if reader.peek() == Some(b'{') => item = Some(OpenRev::Ok(reader.raw()?)),
            "missing" => {
                item = json::string(reader.raw()?).map(|rev| OpenRev::Missing(rev.into_owned()));
            }
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    item.ok_or_else(|| BadAnswer("an open revision is neither ok nor missing".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_value() {
        let these =
            |revs: &[&str]| OpenRevs::These(revs.iter().map(|rev| Rev::parse(rev).unwrap()).collect());
        assert_eq!(parse("all").unwrap(), OpenRevs::All);
        assert_eq!(parse("\"all\"").unwrap(), OpenRevs::All);
        assert_eq!(parse(r#"["5-x", "3-y"]"#).unwrap(), these(&["5-x", "3-y"]));
        assert_eq!(parse("[]").unwrap(), these(&[]));
        for wrong in ["", "al", "{}", "[1]", r#"["x"]"#, r#"["1-a"] 2"#, "[\"1-a\""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = b"[".to_vec();
        write_ok(&mut out, |out| out.extend_from_slice(b"{\"_id\":\"d\"}"));
        out.push(b',');
        write_missing(&mut out, &Rev::parse("3-y").unwrap());
        out.push(b']');
        assert_eq!(out, br#"[{"ok":{"_id":"d"}},{"missing":"3-y"}]"#);
        let items = parse_response(&out).unwrap();
        assert_eq!(
            items,
            [OpenRev::Ok(r#"{"_id":"d"}"#), OpenRev::Missing("3-y".into())]
        );
        assert_eq!(parse_item(br#"{"missing":"3-y"}"#).unwrap(), items[1]);
        for wrong in ["", "{}", "[{}]", "[7]", "[{\"ok\":7}]", "[] x"] {
            assert!(parse_response(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
