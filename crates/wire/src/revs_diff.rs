//! `_revs_diff` and `_missing_revs`: which revisions are not here.

use crate::invalid::{BadAnswer, Invalid, one_more, utf8};
use crate::open_revs::{parse_revs, write_revs};
use trunkline_core::json::{self, Reader};
use trunkline_core::rev::Rev;

/// Reads a request: `{"id":["rev",..],..}`, in order. `_purge` takes the same.
pub fn parse(text: &[u8]) -> Result<Vec<(String, Vec<Rev>)>, Invalid> {
    let mut rows = Vec::new();
    let mut items = 0;
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|id, reader| {
        let mut revs = Vec::new();
        one_more(items)?;
        items += 1;
        if reader.peek() != Some(b'[') {
            return Err(Invalid::bad_request(
                "The revisions of a document must be an array.",
            ));
        }
        reader.elements(|reader| {
            one_more(items)?;
            items += 1;
            let rev = json::string(reader.raw()?).and_then(|rev| Rev::parse(&rev).ok());
            revs.push(rev.ok_or_else(|| Invalid::bad_request("Invalid rev format"))?);
            Ok::<_, Invalid>(())
        })?;
        rows.push((id.into_owned(), revs));
        Ok(())
    })?;
    reader.end()?;
    Ok(rows)
}

/// Appends a request's body.
pub fn write_request<'a>(out: &mut Vec<u8>, rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    out.push(b'{');
    for (index, (id, revs)) in rows.into_iter().enumerate() {
        key(out, index == 0, id);
        write_revs(out, revs);
    }
    out.push(b'}');
}

/// Appends the answer of `_revs_diff` from (id, missing, possible ancestors); documents that miss nothing are left out.
pub fn write<'a>(out: &mut Vec<u8>, rows: impl IntoIterator<Item = (&'a str, &'a [Rev], &'a [Rev])>) {
    let rows = rows.into_iter().filter(|(_, missing, _)| !missing.is_empty());
    out.push(b'{');
    for (index, (id, missing, possible_ancestors)) in rows.enumerate() {
        key(out, index == 0, id);
        out.extend_from_slice(b"{\"missing\":");
        write_revs(out, missing);
        if !possible_ancestors.is_empty() {
            out.extend_from_slice(b",\"possible_ancestors\":");
            write_revs(out, possible_ancestors);
        }
        out.push(b'}');
    }
    out.push(b'}');
}

/// Appends the answer of `_missing_revs` from (id, missing); documents that miss nothing are left out.
pub fn write_missing_revs<'a>(out: &mut Vec<u8>, rows: impl IntoIterator<Item = (&'a str, &'a [Rev])>) {
    out.extend_from_slice(b"{\"missing_revs\":");
    write_request(out, rows.into_iter().filter(|(_, missing)| !missing.is_empty()));
    out.push(b'}');
}

/// Appends a member's key and what stands around it.
fn key(out: &mut Vec<u8>, first: bool, id: &str) {
    if !first {
        out.push(b',');
    }
    json::quote(id, out);
    out.push(b':');
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
pub fn parse_response(text: &[u8]) -> Result<Vec<Missing>, BadAnswer> {
    let mut rows = Vec::new();
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|id, reader| {
        let mut row = Missing {
            id: id.into_owned(),
            missing: Vec::new(),
            possible_ancestors: Vec::new(),
        };
        reader.members(|key, reader| {
            match &*key {
                "missing" => {
                    let revs = parse_revs(reader.raw()?);
                    row.missing = revs.map_err(|_| BadAnswer("the answer lists a malformed rev".into()))?;
                }
                // They only save bytes: one that is no revision here is none of anything that is sent.
                "possible_ancestors" => reader.elements(|reader| {
                    let rev = json::string(reader.raw()?).and_then(|rev| Rev::parse(&rev).ok());
                    row.possible_ancestors.extend(rev);
                    Ok::<_, BadAnswer>(())
                })?,
                _ => {}
            }
            Ok::<_, BadAnswer>(())
        })?;
        rows.push(row);
        Ok::<_, BadAnswer>(())
    })?;
    reader.end()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revs(texts: &[&str]) -> Vec<Rev> {
        texts.iter().map(|text| Rev::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_request_written_is_a_request_read() {
        let rows = [
            ("d\"1", revs(&["2-b", "2-c"])),
            ("e", revs(&[])),
            ("d\"1", revs(&["1-a"])),
        ];
        let mut out = Vec::new();
        write_request(&mut out, rows.iter().map(|(id, revs)| (*id, revs.as_slice())));
        assert_eq!(out, br#"{"d\"1":["2-b","2-c"],"e":[],"d\"1":["1-a"]}"#);
        let read = parse(&out).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|(id, revs)| (id.as_str(), revs.clone()))
            .collect();
        assert_eq!(read, rows);
        let mut out = Vec::new();
        write_request(&mut out, []);
        assert_eq!(out, b"{}");
        assert_eq!(parse(&out).unwrap(), []);
        for wrong in ["", "[]", r#"{"a":1}"#, r#"{"a":["x"]}"#, r#"{"a":[1]}"#, "{} x"] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers() {
        let (missing, ancestors) = (revs(&["2-c"]), revs(&["1-a"]));
        let rows = [
            ("d1", missing.as_slice(), ancestors.as_slice()),
            ("known", &[], &[]),
            ("d2", missing.as_slice(), &[]),
        ];
        let mut out = Vec::new();
        write(&mut out, rows);
        assert_eq!(
            out,
            br#"{"d1":{"missing":["2-c"],"possible_ancestors":["1-a"]},"d2":{"missing":["2-c"]}}"#
        );
        let read = parse_response(&out).unwrap();
        let row = |id: &str, possible_ancestors: &[Rev]| Missing {
            id: id.into(),
            missing: missing.clone(),
            possible_ancestors: possible_ancestors.to_vec(),
        };
        assert_eq!(read, [row("d1", &ancestors), row("d2", &[])]);
        let mut out = Vec::new();
        write(&mut out, []);
        assert_eq!(out, b"{}");
        let foreign = r#"{"d1":{"missing":["2-c"],"possible_ancestors":["1-é","1-a"]}}"#;
        assert_eq!(
            parse_response(foreign.as_bytes()).unwrap(),
            [row("d1", &ancestors)]
        );
        assert!(parse_response(br#"{"d":{"missing":["x"]}}"#).is_err());
        assert!(parse_response(br#"{"d":["1-a"]}"#).is_err());
    }

    #[test]
    fn missing_revs() {
        let missing = revs(&["2-c"]);
        let mut out = Vec::new();
        write_missing_revs(&mut out, [("d1", missing.as_slice()), ("d2", &[])]);
        assert_eq!(out, br#"{"missing_revs":{"d1":["2-c"]}}"#);
        let mut out = Vec::new();
        write_missing_revs(&mut out, []);
        assert_eq!(out, br#"{"missing_revs":{}}"#);
    }
}
