//! Where request lines stand among heads and bodies.

/// Follows a connection's bytes from request to request. It only has to agree with the HTTP library about requests
/// that the library takes; after anything odd it lets all bytes pass.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    place: Place,
    /// The start of the line being read: enough of it to know the headers that matter.
    line: Vec<u8>,
    body: Body,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A request line, up to its first blank.
    #[default]
    Method,
    Target,
    Version,
    Headers,
    /// So many bytes of a body, or of a chunk with its line break.
    Bytes(u64),
    ChunkSize,
    Trailers,
    /// Bytes that are not looked at any more: another protocol, or nonsense.
    Unknown,
}

/// What the headers say of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked,
}

/// Bytes kept of a line: no header that matters is longer.
const LINE_BYTES_MAX: usize = 128;

/// Characters that clients send in a target as they are, though they should not.
fn is_bare(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>')
}

impl Scanner {
    /// Follows `bytes`, up to the first one to be repaired; answers where it stands.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.place {
                Place::Unknown => return None,
                Place::Bytes(left) => {
                    let skipped = left.min(rest.len() as u64);
                    at += usize::try_from(skipped).unwrap_or(rest.len());
                    self.place = match (left - skipped, self.body) {
                        (0, Body::Chunked) => Place::ChunkSize,
                        (0, _) => Place::Method,
                        (left, _) => Place::Bytes(left),
                    };
                }
                Place::Target => {
                    let end = rest
                        .iter()
                        .position(|byte| is_bare(*byte) || matches!(byte, b' ' | b'\n'));
                    let end = end?;
                    at += end;
                    match rest.get(end) {
                        Some(b' ') => self.place = Place::Version,
                        Some(b'\n') => self.place = Place::Unknown,
                        _ => return Some(at),
                    }
                    at += 1;
                }
                Place::Method => {
                    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\n'));
                    self.keep(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                    let end = end?;
                    at += end + 1;
                    if rest.get(end) == Some(&b' ') {
                        self.place = Place::Target;
                    } else if !self.line.trim_ascii().is_empty() {
                        self.place = Place::Unknown;
                    }
                    self.line.clear();
                }
                Place::Version | Place::Headers | Place::ChunkSize | Place::Trailers => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    self.keep(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                    let end = end?;
                    at += end + 1;
                    let line = std::mem::take(&mut self.line);
                    self.place = self.behind_line(line.trim_ascii());
                }
            }
        }
        None
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        self.line.extend(bytes.iter().take(room));
    }

    /// Where a whole line leads.
    fn behind_line(&mut self, line: &[u8]) -> Place {
        match (self.place, line) {
            (Place::Version, b"HTTP/1.1" | b"HTTP/1.0") => {
                self.body = Body::None;
                Place::Headers
            }
            (Place::Headers, b"") => match self.body {
                Body::None | Body::Length(0) => Place::Method,
                Body::Length(bytes) => Place::Bytes(bytes),
                Body::Chunked => Place::ChunkSize,
            },
            (Place::Headers, line) => {
                self.header(line);
                Place::Headers
            }
            (Place::ChunkSize, line) => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits.trim_ascii()).ok();
                match size.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
                    Some(0) => Place::Trailers,
                    Some(size) => Place::Bytes(size.saturating_add(2)),
                    None => Place::Unknown,
                }
            }
            (Place::Trailers, b"") => Place::Method,
            (Place::Trailers, _) => Place::Trailers,
            _ => Place::Unknown,
        }
    }

    fn header(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.body = Body::Chunked;
        } else if name.eq_ignore_ascii_case(b"content-length") && self.body != Body::Chunked {
            let length = std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok());
            self.body = length.map_or(Body::None, Body::Length);
        }
    }

    /// Bytes, of which the first is to be repaired, with all repairs made.
    pub(super) fn repair(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 32);
        let mut rest = bytes;
        while let Some((bare, behind)) = rest.split_first() {
            out.extend_from_slice(match bare {
                b'"' => b"%22",
                b'<' => b"%3C",
                _ => b"%3E",
            });
            let good = self.scan(behind).unwrap_or(behind.len());
            let (good, more) = behind.split_at_checked(good).unwrap_or((behind, &[]));
            out.extend_from_slice(good);
            rest = more;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when `text` comes in pieces of `piece` bytes.
    fn repaired(text: &str, piece: usize) -> String {
        let mut scanner = Scanner::default();
        let mut out = Vec::new();
        for bytes in text.as_bytes().chunks(piece) {
            match scanner.scan(bytes) {
                None => out.extend_from_slice(bytes),
                Some(good) => {
                    out.extend_from_slice(&bytes[..good]);
                    out.extend(scanner.repair(&bytes[good..]));
                }
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        for piece in [1, 2, 3, 7, text.len()] {
            assert_eq!(repaired(text, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn only_targets_are_repaired() {
        check(
            "GET /a?k=\"<x>\" HTTP/1.1\r\nX-A: \"<>\"\r\n\r\n",
            "GET /a?k=%22%3Cx%3E%22 HTTP/1.1\r\nX-A: \"<>\"\r\n\r\n",
        );
        let plain = "GET /a?k=%22 HTTP/1.1\r\nHost: \"h\"\r\n\r\n";
        check(plain, plain);
    }

    #[test]
    fn bodies_pass_as_they_are_and_requests_behind_them_are_repaired() {
        let request = "GET /\"x\" HTTP/1.0\r\n\r\n";
        let fixed = "GET /%22x%22 HTTP/1.0\r\n\r\n";
        let bodies = [
            "PUT /d HTTP/1.1\r\ncontent-length:  18\r\n\r\nGET /\"a\" HTTP/1.1\n",
            "PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n12\r\nGET /\"a\" HTTP/1.1\n\r\n3;x=\"\r\n\"\"\"\r\n0\r\nT: \"\r\n\r\n",
            "DELETE /d HTTP/1.1\nContent-Length: 0\n\n\r\n",
            "PUT /d HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\"\r\n0\r\n\r\n",
        ];
        for body in bodies {
            check(&format!("{body}{request}{body}"), &format!("{body}{fixed}{body}"));
        }
    }

    #[test]
    fn other_protocols_and_nonsense_pass() {
        for text in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n GET /\" HTTP/1.1\r\n",
            "BAD\r\nGET /\" HTTP/1.1\r\n\r\n",
            "GET /\r\nGET /\" HTTP/1.1\r\n\r\n",
            "PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nGET /\" HTTP/1.1\r\n\r\n",
        ] {
            check(text, text);
        }
    }
}
