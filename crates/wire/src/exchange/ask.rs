//! The JSON around the frames: what a feed is asked for, lists of contents, what became of documents.

use crate::bulk_docs::{self, ResponseRow};
use crate::invalid::{BadAnswer, Invalid, one_more, utf8};
use std::borrow::Cow;
use std::fmt::Write;
use trunkline_core::attachment::ContentHash;
use trunkline_core::json;
use trunkline_core::selector::Selector;

/// What a feed is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// JSON text; from the beginning when absent.
    pub since: Option<Box<str>>,
    /// JSON text of the seq where even a continuous feed ends.
    pub until: Option<Box<str>>,
    /// Goes on waiting at the end.
    pub continuous: bool,
    /// Rows carry their documents.
    pub docs: bool,
    /// Also those with attachments, which are named by their content.
    pub contents: bool,
    /// Only winners.
    pub main_only: bool,
    /// Leaves out documents all of whose leaves are deleted.
    pub without_deleted: bool,
    /// Only these documents.
    pub doc_ids: Option<Vec<String>>,
    /// Only documents that match; its JSON text too.
    pub selector: Option<(String, Selector)>,
    /// Only what is in this named feed.
    pub feed_name: Option<String>,
}

/// Appends what a feed is asked for.
pub fn write_ask(out: &mut Vec<u8>, ask: &Ask) {
    out.push(b'{');
    for (key, seq) in [("since", &ask.since), ("until", &ask.until)] {
        if let Some(seq) = seq {
            member(out, key);
            out.extend_from_slice(seq.as_bytes());
        }
    }
    for (key, set) in [
        ("continuous", ask.continuous),
        ("docs", ask.docs),
        ("contents", ask.contents),
        ("main_only", ask.main_only),
        ("without_deleted", ask.without_deleted),
    ] {
        if set {
            member(out, key);
            out.extend_from_slice(b"true");
        }
    }
    if let Some(ids) = &ask.doc_ids {
        member(out, "doc_ids");
        list(out, ids.iter().map(String::as_str));
    }
    if let Some((selector, _)) = &ask.selector {
        member(out, "selector");
        out.extend_from_slice(selector.as_bytes());
    }
    if let Some(name) = &ask.feed_name {
        member(out, "feed_name");
        json::quote(name, out);
    }
    out.push(b'}');
}

/// Reads what [`write_ask`] writes.
pub fn parse_ask(text: &[u8]) -> Result<Ask, Invalid> {
    let mut ask = Ask::default();
    json::members(utf8(text)?, |key, value| {
        match &*key {
            "since" => ask.since = Some(value.into()),
            "until" => ask.until = Some(value.into()),
            "continuous" => ask.continuous = value == "true",
            "docs" => ask.docs = value == "true",
            "contents" => ask.contents = value == "true",
            "main_only" => ask.main_only = value == "true",
            "without_deleted" => ask.without_deleted = value == "true",
            "feed_name" => {
                let name = json::string(value).filter(|name| !name.is_empty());
                // Not passed over: that would mean everything.
                let name = name.ok_or_else(|| Invalid::bad_request("`feed_name` must name a feed"))?;
                ask.feed_name = Some(name.into_owned());
            }
            "doc_ids" => ask.doc_ids = Some(texts(value)?),
            "selector" => {
                let selector = Selector::parse(value);
                let selector = selector.map_err(|invalid| Invalid::bad_request(invalid.to_string()))?;
                ask.selector = Some((value.to_owned(), selector));
            }
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    Ok(ask)
}

/// Appends a list of contents: those asked about, or those lacking.
pub fn write_contents<'a>(out: &mut Vec<u8>, contents: impl IntoIterator<Item = &'a ContentHash>) {
    out.extend_from_slice(b"{\"contents\":");
    let texts: Vec<String> = contents.into_iter().map(hash_text).collect();
    list(out, texts.iter().map(String::as_str));
    out.push(b'}');
}

/// Reads what [`write_contents`] writes.
pub fn parse_contents(text: &[u8]) -> Result<Vec<ContentHash>, Invalid> {
    let mut contents = Vec::new();
    json::members(utf8(text)?, |key, value| {
        if key == "contents" {
            for text in texts(value)? {
                let hash = parse_hash(&text);
                contents.push(hash.ok_or_else(|| Invalid::bad_request("A content's hash has 64 digits."))?);
            }
        }
        Ok::<_, Invalid>(())
    })?;
    Ok(contents)
}

/// A content's hash, hexadecimal.
pub fn hash_text(hash: &ContentHash) -> String {
    hex(hash)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let text = String::with_capacity(2 * bytes.len());
    bytes.iter().fold(text, |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads what [`hash_text`] writes.
pub fn parse_hash(text: &str) -> Option<ContentHash> {
    parse_hex(text)
}

pub(super) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut hash = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// What became of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocsAnswer {
    /// Those that were refused.
    pub refused: Vec<ResponseRow>,
    /// The checkpoint's new number, where one came with them.
    pub log_number: Option<u64>,
    /// Of the database that they are durable in.
    pub instance_start_time: Option<Box<str>>,
}

/// Appends the answer to documents; `refused` appends rows as [`bulk_docs::write_error`] does, with commas between.
pub fn write_docs_answer(
    out: &mut Vec<u8>,
    refused: impl FnOnce(&mut Vec<u8>),
    log_number: Option<u64>,
    instance_start_time: &str,
) {
    out.extend_from_slice(b"{\"refused\":[");
    refused(out);
    out.push(b']');
    if let Some(number) = log_number {
        member(out, "log_number");
        out.extend_from_slice(number.to_string().as_bytes());
    }
    member(out, "instance_start_time");
    json::quote(instance_start_time, out);
    out.extend_from_slice(b"}\n");
}

/// Reads what [`write_docs_answer`] writes.
pub fn parse_docs_answer(text: &[u8]) -> Result<DocsAnswer, BadAnswer> {
    let mut answer = DocsAnswer::default();
    let mut complete = false;
    json::members(utf8(text)?, |key, value| {
        match &*key {
            "refused" => {
                answer.refused = bulk_docs::parse_response(value.as_bytes())?;
                complete = true;
            }
            "log_number" => answer.log_number = value.parse().ok(),
            "instance_start_time" => {
                answer.instance_start_time = json::string(value).map(Into::into);
            }
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    if complete {
        Ok(answer)
    } else {
        Err(BadAnswer("the answer does not tell what was refused".into()))
    }
}

pub(super) fn member(out: &mut Vec<u8>, key: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    json::quote(key, out);
    out.push(b':');
}

fn list<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::quote(text, out);
    }
    out.push(b']');
}

fn texts(value: &str) -> Result<Vec<String>, Invalid> {
    let mut texts = Vec::new();
    json::elements(value, |element| {
        one_more(texts.len())?;
        let text = json::string(element).map(Cow::into_owned);
        texts.push(text.ok_or_else(|| Invalid::bad_request("The list must hold texts."))?);
        Ok::<_, Invalid>(())
    })?;
    Ok(texts)
}
