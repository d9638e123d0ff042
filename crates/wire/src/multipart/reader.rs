//! Parts of a multipart body, one level of them.

use super::headers::Headers;
use crate::invalid::Invalid;
use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;
use trunkline_core::limits::PART_HEADER_BYTES_MAX;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartEvent {
    /// Nothing until more bytes are fed.
    More,
    /// A part starts.
    Start(Headers),
    /// Bytes of its body.
    Body(Bytes),
    /// The part ends.
    End,
    /// The last part has ended; anything behind it is ignored.
    Closed,
}

/// Finds parts in bytes fed by chunks. Lines may end with CR LF, as they should, or with LF alone. A part's body is
/// handed on as it comes; what is held back is no longer than a delimiter.
#[derive(Debug)]
pub struct PartReader {
    buffer: BytesMut,
    /// A line feed, two dashes and the boundary.
    delimiter: Vec<u8>,
    place: Place,
    headers: Headers,
    header_bytes: usize,
}

/// What the buffer starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// What stands before the first delimiter.
    Preamble,
    /// What stands behind a delimiter, up to the end of its line.
    DelimiterLine,
    Headers,
    /// The first byte of a body; or a delimiter, whose line break was the empty line behind the headers.
    BodyStart,
    Body,
    Closed,
}

/// What is found in the bytes at hand.
enum Found {
    /// So many bytes that belong to no delimiter.
    Plain(usize),
    /// A delimiter behind so many bytes of body; it is so long, with the line break before it.
    Delimiter { body: usize, length: usize },
}

impl PartReader {
    /// Before the first byte. `boundary` without its dashes.
    pub fn new(boundary: &str) -> PartReader {
        PartReader {
            // So that a delimiter at the very start has a line break before it, as all others have.
            buffer: BytesMut::from(&b"\n"[..]),
            delimiter: format!("\n--{boundary}").into_bytes(),
            place: Place::Preamble,
            headers: Headers::default(),
            header_bytes: 0,
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        if self.place != Place::Closed {
            self.buffer.extend_from_slice(chunk);
        }
    }

    /// What comes next.
    pub fn next_event(&mut self) -> Result<PartEvent, Invalid> {
        loop {
            match self.place {
                Place::Closed => return Ok(PartEvent::Closed),
                Place::Preamble => match self.find() {
                    Found::Plain(bytes) => {
                        self.buffer.advance(bytes);
                        return Ok(PartEvent::More);
                    }
                    Found::Delimiter { body, length } => {
                        self.buffer.advance(body + length);
                        self.place = Place::DelimiterLine;
                    }
                },
                Place::BodyStart => match self.body_is_missing() {
                    None => return Ok(PartEvent::More),
                    Some(false) => self.place = Place::Body,
                    Some(true) => {
                        self.buffer.advance(self.delimiter.len() - 1);
                        self.place = Place::DelimiterLine;
                        return Ok(PartEvent::End);
                    }
                },
                Place::Body => match self.find() {
                    Found::Plain(0) => return Ok(PartEvent::More),
                    Found::Plain(bytes)
                    | Found::Delimiter {
                        body: bytes @ 1.., ..
                    } => {
                        return Ok(PartEvent::Body(self.buffer.split_to(bytes).freeze()));
                    }
                    Found::Delimiter { length, .. } => {
                        self.buffer.advance(length);
                        self.place = Place::DelimiterLine;
                        return Ok(PartEvent::End);
                    }
                },
                Place::DelimiterLine => {
                    if self.buffer.starts_with(b"--") {
                        self.place = Place::Closed;
                        self.buffer = BytesMut::new();
                    } else if self.line()?.is_some() {
                        self.place = Place::Headers;
                    } else {
                        return Ok(PartEvent::More);
                    }
                }
                Place::Headers => match self.line()? {
                    None => return Ok(PartEvent::More),
                    Some(line) if line.is_empty() => {
                        self.place = Place::BodyStart;
                        self.header_bytes = 0;
                        return Ok(PartEvent::Start(std::mem::take(&mut self.headers)));
                    }
                    Some(line) => self.headers.push_line(&line),
                },
            }
        }
    }

    /// Whether the last part has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    /// Takes a line, without its line break, once it is complete.
    fn line(&mut self) -> Result<Option<BytesMut>, Invalid> {
        let end = memchr::memchr(b'\n', &self.buffer);
        let bytes = end.unwrap_or(self.buffer.len());
        if self.header_bytes + bytes > PART_HEADER_BYTES_MAX {
            return Err(Invalid::bad_request(format!(
                "The headers of a part are longer than {PART_HEADER_BYTES_MAX} bytes."
            )));
        }
        let Some(end) = end else {
            return Ok(None);
        };
        self.header_bytes += bytes;
        let mut line = self.buffer.split_to(end);
        self.buffer.advance(1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line))
    }

    /// Whether a delimiter stands right here; `None` when it is too early to tell.
    fn body_is_missing(&self) -> Option<bool> {
        let delimiter = self.delimiter.get(1..).unwrap_or_default();
        match self.buffer.strip_prefix(delimiter) {
            Some(behind) => ends_delimiter(behind),
            None if delimiter.starts_with(&self.buffer) => None,
            None => Some(false),
        }
    }

    fn find(&self) -> Found {
        let finder = Finder::new(&self.delimiter);
        let mut from = 0;
        while let Some(at) = finder.find(self.buffer.get(from..).unwrap_or_default()) {
            let at = from + at;
            let carriage_return = at
                .checked_sub(1)
                .filter(|before| self.buffer.get(*before) == Some(&b'\r'));
            let body = carriage_return.unwrap_or(at);
            let end = at + self.delimiter.len();
            match ends_delimiter(self.buffer.get(end..).unwrap_or_default()) {
                None => return Found::Plain(body),
                Some(true) => {
                    let length = end - body;
                    return Found::Delimiter { body, length };
                }
                Some(false) => from = at + 1,
            }
        }
        // The start of a delimiter, and a carriage return before it, may be here already.
        let held = self.delimiter.len();
        let held_from = self.buffer.len().saturating_sub(held);
        let tail = self.buffer.get(held_from..).unwrap_or_default();
        let starts = |at: &usize| {
            let rest = tail.get(*at..).unwrap_or_default();
            let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
            self.delimiter.starts_with(rest)
        };
        let start = (0..tail.len()).find(starts).unwrap_or(tail.len());
        Found::Plain(held_from + start)
    }
}

/// Whether what stands behind a boundary makes it a delimiter, and not the start of a longer boundary; `None` when it
/// is too early to tell.
fn ends_delimiter(behind: &[u8]) -> Option<bool> {
    match behind {
        [] | [b'-'] => None,
        [b'\r' | b'\n' | b' ' | b'\t', ..] | [b'-', b'-', ..] => Some(true),
        _ => Some(false),
    }
}
