//! Where request lines stand among heads and bodies.

/// Follows a connection's bytes from request to request. After anything that it does not understand it is lost, and lets
/// nothing more pass: the HTTP library refuses such things, too, and if it ever took one, it would read on unwatched. A head
/// that two readers may understand differently (where its lines end, how long its body is) is made one that nobody takes:
/// what one of them takes for a body, the other may take for a request.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    place: Place,
    /// The start of the line being read: enough of it to know the headers that matter.
    line: Vec<u8>,
    /// Whether there is more of it.
    is_longer: bool,
    /// Its last byte.
    last: u8,
    body: Body,
    /// The head being read is not to be taken.
    is_unclear: bool,
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
    /// HTTP/2, which is not looked at. HTTP/1 refuses the line that begins it.
    Newer,
    /// In a head that is not to be taken.
    Poison,
    /// Behind nonsense.
    Lost,
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
    /// Whether no more bytes are to be read.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.place, Place::Poison | Place::Lost)
    }

    /// What is to pass in place of the rest of a head that is not to be taken: once.
    pub(super) fn poison(&mut self) -> Option<&'static [u8]> {
        let is_due = self.place == Place::Poison;
        is_due.then(|| {
            self.place = Place::Lost;
            // No header has such a name, and the library looks at heads that are whole.
            b"\0\r\n\r\n" as &[u8]
        })
    }

    /// Follows `bytes`, up to the first one that is to be repaired, or that is not to pass; answers where it stands.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.place {
                Place::Newer => return None,
                Place::Poison | Place::Lost => return Some(at),
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
                        Some(b'\n') => self.place = Place::Poison,
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
                        self.place = Place::Poison;
                    }
                    self.take_line();
                }
                Place::Headers
                    if self.line.is_empty()
                        && (rest.first() == Some(&b'\n')
                            || self.is_unclear && rest.first() == Some(&b'\r')) =>
                {
                    self.place = Place::Poison;
                    return Some(at);
                }
                Place::Version | Place::Headers | Place::ChunkSize | Place::Trailers => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    self.keep(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                    let end = end?;
                    at += end + 1;
                    let (line, is_longer) = self.take_line();
                    self.place = self.behind_line(&line, is_longer);
                }
            }
        }
        None
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        self.line.extend(bytes.iter().take(room));
        self.is_longer |= bytes.len() > room;
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// The line that has ended, and whether it went on beyond what was kept of it.
    fn take_line(&mut self) -> (Vec<u8>, bool) {
        (
            std::mem::take(&mut self.line),
            std::mem::take(&mut self.is_longer),
        )
    }

    /// Where a whole line leads.
    fn behind_line(&mut self, line: &[u8], is_longer: bool) -> Place {
        let ends_well = std::mem::take(&mut self.last) == b'\r';
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        match (self.place, text) {
            (Place::Version, b"HTTP/1.1" | b"HTTP/1.0") => {
                self.body = Body::None;
                self.is_unclear = !ends_well;
                Place::Headers
            }
            (Place::Version, b"HTTP/2.0") if ends_well => Place::Newer,
            (Place::Headers, b"") => match self.body {
                _ if !ends_well => Place::Poison,
                Body::None | Body::Length(0) => Place::Method,
                Body::Length(bytes) => Place::Bytes(bytes),
                Body::Chunked => Place::ChunkSize,
            },
            (Place::Headers, text) => {
                self.is_unclear |= !ends_well;
                self.header(text, is_longer);
                Place::Headers
            }
            (Place::ChunkSize, _) if !ends_well => Place::Lost,
            (Place::ChunkSize, text) => match chunk_size(text, is_longer) {
                Some(0) => Place::Trailers,
                Some(size) => Place::Bytes(size.saturating_add(2)),
                None => Place::Lost,
            },
            (Place::Trailers, _) if !ends_well => Place::Lost,
            (Place::Trailers, b"") => Place::Method,
            (Place::Trailers, _) => Place::Trailers,
            _ => Place::Poison,
        }
    }

    fn header(&mut self, line: &[u8], is_longer: bool) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let says = match (name.trim_ascii(), value) {
            (name, _) if name.eq_ignore_ascii_case(b"transfer-encoding") => Body::Chunked,
            (name, value) if name.eq_ignore_ascii_case(b"content-length") => {
                match number(value, 10).filter(|_| !is_longer) {
                    Some(length) => Body::Length(length),
                    None => {
                        self.is_unclear = true;
                        return;
                    }
                }
            }
            _ => return,
        };
        self.is_unclear |= is_longer || self.body != Body::None && self.body != says;
        self.body = says;
    }

    /// Bytes, of which the first is to be repaired, with all repairs made, as far as they may pass.
    pub(super) fn repair(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 32);
        let mut rest = bytes;
        while let Some((bare, behind)) = rest.split_first() {
            match (self.place, bare) {
                (Place::Poison | Place::Lost, _) => break,
                (_, b'"') => out.extend_from_slice(b"%22"),
                (_, b'<') => out.extend_from_slice(b"%3C"),
                (_, b'>') => out.extend_from_slice(b"%3E"),
                (_, other) => out.push(*other),
            }
            let good = self.scan(behind).unwrap_or(behind.len());
            let (good, more) = behind.split_at_checked(good).unwrap_or((behind, &[]));
            out.extend_from_slice(good);
            rest = more;
        }
        out
    }
}

/// The digits of a chunk's size, which an extension may follow.
fn chunk_size(line: &[u8], is_longer: bool) -> Option<u64> {
    let mut parts = line.splitn(2, |byte| *byte == b';');
    let digits = parts.next()?;
    if is_longer && parts.next().is_none() {
        return None;
    }
    number(digits.trim_ascii(), 16)
}

/// A number of digits alone.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_plain = text.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(text, radix).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when `text` comes in pieces of `piece` bytes.
    fn repaired(text: &str, piece: usize) -> String {
        let mut scanner = Scanner::default();
        let mut out = Vec::new();
        for bytes in text.as_bytes().chunks(piece) {
            if scanner.is_lost() {
                break;
            }
            match scanner.scan(bytes) {
                None => out.extend_from_slice(bytes),
                Some(good) => {
                    out.extend_from_slice(&bytes[..good]);
                    out.extend(scanner.repair(&bytes[good..]));
                }
            }
        }
        out.extend(scanner.poison().unwrap_or_default());
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
            "DELETE /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n\r\n",
            "PUT /d HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n\"\"\"",
        ];
        for body in bodies {
            check(&format!("{body}{request}{body}"), &format!("{body}{fixed}{body}"));
        }
    }

    #[test]
    fn another_protocol_passes_and_nonsense_does_not_get_far() {
        let newer = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n GET /\" HTTP/1.1\r\n";
        check(newer, newer);
        for nonsense in [
            "BAD\r\n",
            "GET /\r\n",
            "GET / HTTP/1.2\r\n",
            "GET  / HTTP/1.1\r\n",
            "PRI * HTTP/2.0\n",
        ] {
            check(
                &format!("{nonsense}GET /\" HTTP/1.1\r\n\r\n"),
                &format!("{nonsense}\0\r\n\r\n"),
            );
        }
    }

    #[test]
    fn unclear_heads_are_made_ones_that_nobody_takes() {
        let blanks = " ".repeat(200);
        for headers in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: -3\r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Content-Length: 3, 3\r\n",
            &format!("Content-Length:{blanks}3\r\n"),
            &format!("Transfer-Encoding:{blanks}chunked\r\n"),
            "Content-Length: 3\nX-A: b\r\n",
            "X-A: b\n",
        ] {
            let head = format!("PUT /d HTTP/1.1\r\n{headers}");
            let behind = "\r\nGET /\" HTTP/1.1\r\n\r\n";
            check(&format!("{head}{behind}"), &format!("{head}\0\r\n\r\n"));
        }
        for head in [
            "GET /%22 HTTP/1.1\n",
            "GET / HTTP/1.1\r\nX-A: b\r\n",
            "GET / HTTP/1.1\r\n",
        ] {
            check(
                &format!("{head}\nGET / HTTP/1.1\r\n\r\n"),
                &format!("{head}\0\r\n\r\n"),
            );
        }
        check("GET /\" HTTP/1.1\n\n", "GET /%22 HTTP/1.1\n\0\r\n\r\n");
    }

    #[test]
    fn after_chunks_that_are_not_understood_nothing_passes() {
        let head = "PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let zeros = "0".repeat(200);
        for chunks in [
            "+3\r\n",
            "\r\n",
            "3\n",
            &format!("{zeros}3\r\n"),
            "fffffffffffffffff\r\n",
            "0\r\nT: x\n",
        ] {
            let good = format!("{head}{chunks}");
            check(&format!("{good}abc\r\n0\r\n\r\nGET /\" HTTP/1.1\r\n\r\n"), &good);
        }
    }
}
