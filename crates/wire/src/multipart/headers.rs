//! Header lines of a part, and the parameters in their values.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The header lines of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes a line without its line break; one that starts with white space goes on with the line before. What is no
    /// header is passed over.
    pub(super) fn push_line(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            self.0
                .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The value of a header; `name` in lower case.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// `filename` of `Content-Disposition`.
    pub fn filename(&self) -> Option<String> {
        let disposition = self.value("content-disposition")?;
        if let Some(extended) = parameter(disposition, "filename*") {
            let (_, encoded) = extended.split_once("''")?;
            return percent_decode_str(encoded)
                .decode_utf8()
                .ok()
                .map(Cow::into_owned);
        }
        parameter(disposition, "filename").map(|name| unescape_filename(&name))
    }

    /// `name` of `Content-Disposition`: a field of a form.
    pub fn form_name(&self) -> Option<String> {
        parameter(self.value("content-disposition")?, "name")
    }

    /// `Content-Length`, when it is a number.
    pub fn content_length(&self) -> Option<u64> {
        self.value("content-length")?.parse().ok()
    }
}

/// Appends what can stand in quotes in a header. Characters that would end the quotes or the line are spelled as
/// browsers spell them in forms; all others, of any script, stand as they are, as CouchDB writes them.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"%22"),
            b'\r' => out.extend_from_slice(b"%0D"),
            b'\n' => out.extend_from_slice(b"%0A"),
            _ => out.push(byte),
        }
    }
}

fn unescape_filename(name: &str) -> String {
    name.replace("%22", "\"")
        .replace("%0D", "\r")
        .replace("%0A", "\n")
}

/// The value of a parameter in `value; name=token; name="quoted"`.
pub(super) fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    loop {
        rest = skip_to_parameter(rest)?;
        let (key, after) = rest.split_once('=')?;
        let (text, after) = parameter_value(after.trim_start());
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = after;
    }
}

/// What stands behind the next semicolon.
fn skip_to_parameter(text: &str) -> Option<&str> {
    text.split_once(';').map(|(_, rest)| rest)
}

/// A token or quoted string at the start of `text`, and what stands behind it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        return (token.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(char),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters() {
        let check = |value: &str, expected: Option<&str>| {
            assert_eq!(parameter(value, "boundary").as_deref(), expected, "{value}");
        };
        check("multipart/mixed; boundary=abc", Some("abc"));
        check("multipart/mixed;BOUNDARY = abc ; x=y", Some("abc"));
        check("multipart/mixed; boundary=\"a b;c\\\"\"", Some("a b;c\""));
        check("multipart/related; type=\"a; boundary=x\"; boundary=y", Some("y"));
        check("multipart/mixed; boundary=\"open", Some("open"));
        check("multipart/mixed", None);
        check("multipart/mixed; boundary", None);
        check("", None);
        for wrong in [
            "a/b; boundary=",
            "a/b; boundary=\"\"",
            "a/b; boundary=\"a\nb\"",
            "a/b",
        ] {
            assert!(crate::multipart::boundary(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn header_lines() {
        let mut headers = Headers::default();
        for line in [
            "Content-Type:  text/plain;",
            "  charset=utf-8 ",
            "no header",
            "Content-Length: 12",
            "content-type: second",
            "CONTENT-DISPOSITION: attachment; filename*=UTF-8''%C3%A9%22.txt",
        ] {
            headers.push_line(line.as_bytes());
        }
        assert_eq!(headers.value("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(headers.content_length(), Some(12));
        assert_eq!(headers.filename().as_deref(), Some("é\".txt"));
        assert_eq!(headers.value("x"), None);
    }

    proptest! {
        #[test]
        fn file_names_survive(name in "([a-zé日\"\r\n;+/ ]|%2){1,12}") {
            let mut line = b"Content-Disposition: attachment; filename=\"".to_vec();
            escape(&mut line, &name);
            line.push(b'"');
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            let mut headers = Headers::default();
            headers.push_line(&line);
            prop_assert_eq!(headers.filename().unwrap(), name);
        }
    }
}
