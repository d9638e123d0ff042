//! Error bodies: `{"error":..,"reason":..}`.

use crate::invalid::utf8;
use std::borrow::Cow;
use std::fmt;
use trunkline_core::json::{self, JsonError};

/// What a peer said was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The error word; empty when the peer gave none.
    pub error: String,
    /// The reason; the start of the body's text when the body is no such JSON (a proxy's HTML).
    pub reason: String,
}

/// Characters of a body that is no JSON which are worth telling.
const EXCERPT_CHARS_MAX: usize = 200;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.error.as_str(), self.reason.as_str()) {
            (error, "") => f.write_str(error),
            ("", reason) => f.write_str(reason),
            (error, reason) => write!(f, "{error}: {reason}"),
        }
    }
}

/// Appends an error body, with a line feed behind it as CouchDB's.
pub fn write(out: &mut Vec<u8>, error: &str, reason: &str) {
    out.extend_from_slice(b"{\"error\":");
    json::quote(error, out);
    out.extend_from_slice(b",\"reason\":");
    json::quote(reason, out);
    out.extend_from_slice(b"}\n");
}

/// Reads an error body, or whatever came in its place.
pub fn parse(text: &[u8]) -> Fault {
    let mut fault = Fault::default();
    let mut name = None;
    let read = utf8(text).and_then(|text| {
        json::members(text, |key, value| {
            let text = || json::string(value).map(Cow::into_owned);
            match &*key {
                "error" => fault.error = text().unwrap_or_default(),
                "name" => name = text(),
                "reason" => fault.reason = text().unwrap_or_else(|| value.to_owned()),
                _ => {}
            }
            Ok::<_, JsonError>(())
        })
    });
    if fault.error.is_empty() {
        fault.error = name.unwrap_or_default();
    }
    if read.is_err() {
        let start = text.get(..EXCERPT_CHARS_MAX * 4).unwrap_or(text);
        let start = String::from_utf8_lossy(start);
        fault = Fault {
            error: String::new(),
            reason: start.trim().chars().take(EXCERPT_CHARS_MAX).collect(),
        };
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        write(&mut out, "not_found", "a \"b\"");
        assert_eq!(out, b"{\"error\":\"not_found\",\"reason\":\"a \\\"b\\\"\"}\n");
        let fault = parse(&out);
        assert_eq!(fault.to_string(), "not_found: a \"b\"");
    }

    #[test]
    fn what_others_send() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text.as_bytes()).to_string(), expected);
        };
        check("", "");
        check(" <html>bad gateway</html>", "<html>bad gateway</html>");
        check(r#"{"error":true,"name":"conflict","reason":"x"}"#, "conflict: x");
        check(r#"{"error":"forbidden"}"#, "forbidden");
        check(r#"{"error":"x","reason":{"a":1}}"#, r#"x: {"a":1}"#);
        assert_eq!(parse(&vec![b'x'; 5000]).reason.len(), EXCERPT_CHARS_MAX);
    }
}
