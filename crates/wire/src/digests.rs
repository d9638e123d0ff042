//! Digests of ranges of documents, and the leaves in one: how two nodes find out where they differ.

use crate::invalid::{BadAnswer, Invalid, one_more, utf8};
use trunkline_core::json::{self, Reader};

/// Which ranges are asked for; they follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Ranges of so many documents.
    Each {
        /// Documents of a range.
        docs: usize,
        /// Most ranges.
        at_most: usize,
    },
    /// Ranges that end with these ids, in order; `None` for one without an end.
    Ending(Vec<Option<Box<str>>>),
}

/// A question for digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The first range starts behind this id; `None` at the first document.
    pub after: Option<Box<str>>,
    /// Which ranges.
    pub ranges: Ranges,
}

/// One range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its last document; `None` where it has no end.
    pub last_id: Option<Box<str>>,
    /// How many documents.
    pub docs: u64,
    /// Of their ids and leaves.
    pub digest: [u8; 16],
}

/// Appends `{"after":..,"docs":..,"ranges":..}` or `{"after":..,"ends":[..]}`.
pub fn write_ask(out: &mut Vec<u8>, ask: &Ask) {
    out.extend_from_slice(b"{\"after\":");
    id_or_null(out, ask.after.as_deref());
    match &ask.ranges {
        Ranges::Each { docs, at_most } => {
            out.extend_from_slice(format!(",\"docs\":{docs},\"ranges\":{at_most}}}").as_bytes());
        }
        Ranges::Ending(ends) => {
            out.extend_from_slice(b",\"ends\":[");
            for (at, end) in ends.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                id_or_null(out, end.as_deref());
            }
            out.extend_from_slice(b"]}");
        }
    }
}

/// Reads what [`write_ask`] wrote.
pub fn parse_ask(text: &[u8]) -> Result<Ask, Invalid> {
    let (mut after, mut docs, mut at_most, mut ends) = (None, 0, 0, None);
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        match &*key {
            "after" => after = id(reader.raw()?)?,
            "docs" => docs = number(reader.raw()?)?,
            "ranges" => at_most = number(reader.raw()?)?,
            "ends" => {
                let mut list = Vec::new();
                reader.elements(|reader| {
                    one_more(list.len())?;
                    list.push(id(reader.raw()?)?);
                    Ok::<_, Invalid>(())
                })?;
                ends = Some(list);
            }
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    reader.end()?;
    let ranges = match ends {
        Some(ends) => Ranges::Ending(ends),
        None => Ranges::Each { docs, at_most },
    };
    Ok(Ask { after, ranges })
}

/// A question for the leaves behind one id, up to and with another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavesAsk {
    /// Behind this document.
    pub after: Option<Box<str>>,
    /// Up to and with this one.
    pub until: Option<Box<str>>,
    /// Most documents.
    pub limit: usize,
}

/// Appends `{"after":..,"until":..,"limit":..}`. The answer has the shape of a request for `_revs_diff`.
pub fn write_leaves_ask(out: &mut Vec<u8>, ask: &LeavesAsk) {
    out.extend_from_slice(b"{\"after\":");
    id_or_null(out, ask.after.as_deref());
    out.extend_from_slice(b",\"until\":");
    id_or_null(out, ask.until.as_deref());
    out.extend_from_slice(format!(",\"limit\":{}}}", ask.limit).as_bytes());
}

/// Reads what [`write_leaves_ask`] wrote.
pub fn parse_leaves_ask(text: &[u8]) -> Result<LeavesAsk, Invalid> {
    let mut ask = LeavesAsk {
        after: None,
        until: None,
        limit: 0,
    };
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        match &*key {
            "after" => ask.after = id(reader.raw()?)?,
            "until" => ask.until = id(reader.raw()?)?,
            "limit" => ask.limit = number(reader.raw()?)?,
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    reader.end()?;
    Ok(ask)
}

/// Appends `[[last id, documents, digest],..]`.
pub fn write(out: &mut Vec<u8>, ranges: &[Range]) {
    out.push(b'[');
    for (at, range) in ranges.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
        id_or_null(out, range.last_id.as_deref());
        let digest = u128::from_be_bytes(range.digest);
        out.extend_from_slice(format!(",{},\"{digest:032x}\"]", range.docs).as_bytes());
    }
    out.push(b']');
}

/// Reads what [`write()`] wrote.
pub fn parse(text: &[u8]) -> Result<Vec<Range>, BadAnswer> {
    let bad = || BadAnswer("the answer is no list of digests".into());
    let mut ranges = Vec::new();
    let mut reader = Reader::new(utf8(text)?);
    reader.elements(|reader| {
        let mut parts = Vec::new();
        reader.elements(|reader| {
            parts.push(reader.raw()?);
            Ok::<_, BadAnswer>(())
        })?;
        let [last_id, docs, digest] = parts.as_slice() else {
            return Err(bad());
        };
        let digest = json::string(digest).ok_or_else(bad)?;
        ranges.push(Range {
            last_id: id(last_id).map_err(|_| bad())?,
            docs: docs.parse().map_err(|_| bad())?,
            digest: u128::from_str_radix(&digest, 16)
                .map_err(|_| bad())?
                .to_be_bytes(),
        });
        Ok::<_, BadAnswer>(())
    })?;
    reader.end()?;
    Ok(ranges)
}

fn id_or_null(out: &mut Vec<u8>, id: Option<&str>) {
    match id {
        Some(id) => json::quote(id, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn id(raw: &str) -> Result<Option<Box<str>>, Invalid> {
    match raw {
        "null" => Ok(None),
        _ => match json::string(raw) {
            Some(id) => Ok(Some(id.into())),
            None => Err(Invalid::bad_request("A document id must be a string.")),
        },
    }
}

fn number(raw: &str) -> Result<usize, Invalid> {
    raw.parse()
        .map_err(|_| Invalid::bad_request("A number of documents must be a whole number."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_written_are_questions_read() {
        let asks = [
            Ask {
                after: None,
                ranges: Ranges::Each {
                    docs: 4096,
                    at_most: 8,
                },
            },
            Ask {
                after: Some("a\"b".into()),
                ranges: Ranges::Ending(vec![Some("c".into()), None]),
            },
        ];
        for ask in asks {
            let mut out = Vec::new();
            write_ask(&mut out, &ask);
            assert_eq!(parse_ask(&out).unwrap(), ask);
        }
        let ask = LeavesAsk {
            after: Some("a".into()),
            until: None,
            limit: 5,
        };
        let mut out = Vec::new();
        write_leaves_ask(&mut out, &ask);
        assert_eq!(parse_leaves_ask(&out).unwrap(), ask);
        for wrong in ["", "[]", r#"{"after":1}"#, r#"{"docs":-1}"#, r#"{"ends":[7]}"#] {
            assert!(parse_ask(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_written_are_answers_read() {
        let range = |last_id: Option<&str>, docs, digest| Range {
            last_id: last_id.map(Into::into),
            docs,
            digest: [digest; 16],
        };
        let ranges = [range(Some("é"), 3, 0), range(None, 0, 0xfe)];
        let mut out = Vec::new();
        write(&mut out, &ranges);
        assert_eq!(parse(&out).unwrap(), ranges);
        for wrong in ["{}", "[[]]", r#"[["a",1,"x"]]"#, r#"[["a","1","00"]]"#, "[1]"] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
