//! Rows as something else than one JSON object around all: a JSON text a line, or comma-separated values (RFC 4180).

use trunkline_core::json;

/// How the rows of an answer are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As CouchDB does.
    #[default]
    Json,
    /// A JSON text a line, and nothing around them.
    Ndjson,
    /// A line of names, then a line a row, each ended by CR LF.
    Csv,
}

impl Format {
    /// By its name in requests.
    pub fn parse(name: &str) -> Option<Format> {
        Some(match name {
            "json" => Format::Json,
            "ndjson" => Format::Ndjson,
            "csv" => Format::Csv,
            _ => return None,
        })
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Appends a line of comma-separated texts.
pub fn csv_texts<'a>(texts: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    csv_line(texts, csv_text, out);
}

/// Appends a line of comma-separated values, each a JSON text or nothing: strings as their text, `null` as nothing,
/// numbers, booleans, arrays and objects as JSON.
pub fn csv_values<'a>(values: impl IntoIterator<Item = Option<&'a str>>, out: &mut Vec<u8>) {
    let value = |value: Option<&str>, out: &mut Vec<u8>| match value {
        None | Some("null") => {}
        Some(value) => match json::string(value) {
            Some(text) => csv_text(&text, out),
            None => csv_text(value, out),
        },
    };
    csv_line(values, value, out);
}

fn csv_line<T>(
    values: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    for (place, value) in values.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(value, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Between quotes where it would be read as something else.
fn csv_text(text: &str, out: &mut Vec<u8>) {
    let blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let bytes = text.as_bytes();
    let quoted =
        bytes.iter().any(|byte| b",\"\r\n".contains(byte)) || blank(bytes.first()) || blank(bytes.last());
    if !quoted {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut out = Vec::new();
        csv_texts(["id", "a, b", "say \"x\"", "", " c"], &mut out);
        let values = [
            r#""Müller\nSöhne""#,
            "1.50",
            "null",
            "true",
            r#"["a",1]"#,
            r#""plain""#,
        ];
        csv_values(values.map(Some).into_iter().chain([None]), &mut out);
        let expected = "id,\"a, b\",\"say \"\"x\"\"\",,\" c\"\r\n\"Müller\nSöhne\",1.50,,true,\"[\"\"a\"\",1]\",plain,\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
