//! Splits a stream of JSON into documents without holding more than one of them.

use std::io::{self, BufRead};
use trunkline::core::limits;

/// Reads documents one after the other from whatever JSON a file holds: values behind each other (one, or one per
/// line), the elements of an array, or the elements of `docs` or `rows` in an object.
#[derive(Debug)]
pub(crate) struct Records<R> {
    input: R,
    line: u64,
    state: State,
    rows: bool,
}

/// One document's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) text: String,
    /// The line it starts on.
    pub(crate) line: u64,
    /// Whether it is a row of `rows`, which has the document in its member `doc`.
    pub(crate) row: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    Start,
    /// Between values behind each other.
    Values,
    /// In an array, before its first element.
    ArrayStart,
    /// In an array, behind an element.
    Array,
    /// What follows is not read.
    End,
}

/// Members that stand in front of `docs` or `rows` in what `_bulk_docs` takes and `_all_docs` and `_find` give.
const BEFORE_DOCUMENTS: [&str; 6] = [
    "\"new_edits\"",
    "\"total_rows\"",
    "\"offset\"",
    "\"update_seq\"",
    "\"bookmark\"",
    "\"warning\"",
];

/// Bytes of one document's text with its attachments: as much as a server would take in one request.
const RECORD_BYTES_MAX: usize = limits::REQUEST_BUFFER_BYTES_MAX;

impl<R: BufRead> Records<R> {
    pub(crate) fn new(input: R) -> Records<R> {
        Records {
            input,
            line: 1,
            state: State::Start,
            rows: false,
        }
    }

    /// The next document; `None` at the end. The text is delimited, not validated.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let Some(byte) = self.peek_past_space()? else {
                return match self.state {
                    State::Start | State::Values | State::End => Ok(None),
                    State::ArrayStart | State::Array => Err(self.wrong("the file ends inside an array")),
                };
            };
            match (self.state, byte) {
                (State::Start, 0xef) => self.take_byte_order_mark()?,
                (State::Start, b'[') => {
                    self.take()?;
                    self.state = State::ArrayStart;
                }
                (State::Start, b'{') => {
                    self.state = State::Values;
                    if let Some(record) = self.first_object()? {
                        return Ok(Some(record));
                    }
                }
                (State::Start, _) => self.state = State::Values,
                (State::Values, _) => return self.record().map(Some),
                (State::ArrayStart | State::Array, b']') => {
                    self.take()?;
                    self.state = State::End;
                }
                (State::ArrayStart, _) => {
                    self.state = State::Array;
                    return self.record().map(Some);
                }
                (State::Array, b',') => {
                    self.take()?;
                    self.peek_past_space()?;
                    return self.record().map(Some);
                }
                (State::Array, _) => return Err(self.wrong("a comma or ] was expected")),
                // The rest of the wrapping object: members behind `docs` say nothing about documents.
                (State::End, _) => return Ok(None),
            }
        }
    }

    /// What some programs put in front of UTF-8.
    fn take_byte_order_mark(&mut self) -> io::Result<()> {
        for byte in "\u{feff}".bytes() {
            if self.peek()? != Some(byte) {
                return Err(self.wrong("this is no JSON"));
            }
            self.take()?;
        }
        Ok(())
    }

    /// The first object of a file is a document, or wraps documents; then `None`, and the state is inside their array.
    fn first_object(&mut self) -> io::Result<Option<Record>> {
        let mut record = Record {
            text: String::new(),
            line: self.line,
            row: false,
        };
        let mut text = vec![b'{'];
        self.take()?;
        while self.peek_past_space()? == Some(b'"') {
            let key = text.len();
            self.value(&mut text)?;
            if self.peek_past_space()? != Some(b':') {
                break;
            }
            self.take()?;
            let next = self.peek_past_space()?;
            let key = text.get(key..).unwrap_or_default();
            if matches!(key, b"\"docs\"" | b"\"rows\"") && next == Some(b'[') {
                self.take()?;
                self.state = State::ArrayStart;
                self.rows = key == b"\"rows\"";
                return Ok(None);
            }
            let wraps = BEFORE_DOCUMENTS.iter().any(|member| member.as_bytes() == key);
            text.push(b':');
            if !wraps {
                break;
            }
            self.value(&mut text)?;
            if self.peek_past_space()? != Some(b',') {
                break;
            }
            self.take()?;
            text.push(b',');
        }
        self.rest(1, &mut text)?;
        record.text = self.utf8(text)?;
        Ok(Some(record))
    }

    fn record(&mut self) -> io::Result<Record> {
        let line = self.line;
        let mut text = Vec::new();
        self.value(&mut text)?;
        Ok(Record {
            text: self.utf8(text)?,
            line,
            row: self.rows,
        })
    }

    /// Appends one value's text.
    fn value(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        match self.peek()? {
            Some(b'{' | b'[' | b'"') => self.rest(0, text),
            _ => self.scalar(text),
        }
    }

    /// Appends up to the end of the value that `depth` brackets are open of.
    fn rest(&mut self, mut depth: usize, text: &mut Vec<u8>) -> io::Result<()> {
        let mut in_string = false;
        let mut escaped = false;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Err(self.wrong("the file ends inside a document"));
            }
            let mut used = 0;
            let mut ended = false;
            for &byte in chunk {
                used += 1;
                self.line += u64::from(byte == b'\n');
                if in_string {
                    in_string = escaped || byte != b'"';
                    escaped = !escaped && byte == b'\\';
                    ended = !in_string && depth == 0;
                } else {
                    match byte {
                        b'"' => in_string = true,
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => {
                            depth = depth.saturating_sub(1);
                            ended = depth == 0;
                        }
                        _ => {}
                    }
                }
                if ended {
                    break;
                }
            }
            text.extend_from_slice(chunk.get(..used).unwrap_or_default());
            self.input.consume(used);
            if text.len() > RECORD_BYTES_MAX {
                return Err(self.wrong("a document is larger than 128 MiB"));
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Appends a number or word: no document, but whoever reads it says so better.
    fn scalar(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b'{' | b'[') {
                break;
            }
            text.push(byte);
            self.take()?;
            if text.len() > RECORD_BYTES_MAX {
                return Err(self.wrong("this is no JSON"));
            }
        }
        if text.is_empty() {
            return Err(self.wrong("a document was expected"));
        }
        Ok(())
    }

    fn peek_past_space(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.take()?;
        }
        Ok(None)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn take(&mut self) -> io::Result<()> {
        self.line += u64::from(self.peek()? == Some(b'\n'));
        self.input.consume(1);
        Ok(())
    }

    fn utf8(&self, text: Vec<u8>) -> io::Result<String> {
        String::from_utf8(text).map_err(|error| {
            // The reader is at the text's end; of what it skipped before the text's start it kept nothing.
            let behind = error.as_bytes().iter().skip(error.utf8_error().valid_up_to());
            let lines = behind.filter(|byte| **byte == b'\n').count();
            wrong(self.line.saturating_sub(lines as u64), "this is no UTF-8")
        })
    }

    fn wrong(&self, what: &str) -> io::Error {
        wrong(self.line, what)
    }
}

fn wrong(line: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn read(text: &str, buffer: usize) -> io::Result<Vec<(u64, String)>> {
        let mut records = Records::new(BufReader::with_capacity(buffer, text.as_bytes()));
        let mut all = Vec::new();
        while let Some(record) = records.next()? {
            all.push((record.line, record.text));
        }
        Ok(all)
    }

    /// However the input is cut into buffers, the same documents come out.
    fn check(text: &str, expected: &[(u64, &str)]) {
        for buffer in [1, 2, 3, 7, 8192] {
            let read = read(text, buffer).unwrap();
            let read: Vec<_> = read.iter().map(|(line, text)| (*line, text.as_str())).collect();
            assert_eq!(read, expected, "{text} in buffers of {buffer}");
        }
    }

    #[test]
    fn every_shape_gives_its_documents() {
        check("", &[]);
        check(" \n ", &[]);
        check("{}", &[(1, "{}")]);
        check("{\"a\":1}\n{\"b\":2}\n", &[(1, "{\"a\":1}"), (2, "{\"b\":2}")]);
        check("{\"a\":1}{\"b\":2}", &[(1, "{\"a\":1}"), (1, "{\"b\":2}")]);
        check("[]", &[]);
        check(
            "[\n{\"a\":1},\n {\"b\":[2]}\n]",
            &[(2, "{\"a\":1}"), (3, "{\"b\":[2]}")],
        );
        check(
            "{\"docs\":[{\"a\":1},{}],\"new_edits\":false}",
            &[(1, "{\"a\":1}"), (1, "{}")],
        );
        check(
            "{\"total_rows\":2,\"offset\":0,\"rows\":[\n{\"id\":\"a\"}\n]}",
            &[(2, "{\"id\":\"a\"}")],
        );
    }

    #[test]
    fn what_only_looks_like_a_wrapper_is_a_document() {
        check("{\"docs\":7}", &[(1, "{\"docs\":7}")]);
        check(
            "{\"_id\":\"a\",\"docs\":[1]}",
            &[(1, "{\"_id\":\"a\",\"docs\":[1]}")],
        );
        check("{\"offset\":0, \"x\":[]}", &[(1, "{\"offset\":0,\"x\":[]}")]);
        check("{\"offset\":0}", &[(1, "{\"offset\":0}")]);
    }

    #[test]
    fn strings_hide_brackets_and_quotes() {
        let text = r#"{"a":"}]\"{\\","b\"":"\\"}"#;
        check(&format!("{text}\n{text}"), &[(1, text), (2, text)]);
        check(&format!("[{text},{text}]"), &[(1, text), (1, text)]);
    }

    #[test]
    fn broken_files_say_where() {
        for (text, line) in [("{\"a\":", 1), ("\n[{},", 2), ("[{} {}]", 1), ("[\n{}\n", 3)] {
            let error = read(text, 8192).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line}:")), "{text}: {error}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_dos_line_ends_are_no_part_of_documents() {
        check("\u{feff}", &[]);
        check("\u{feff}{\"a\":1}\r\n{}\r\n", &[(1, "{\"a\":1}"), (2, "{}")]);
        check("\u{feff}\r\n[{},\r\n{}]\r\n", &[(2, "{}"), (3, "{}")]);
    }

    #[test]
    fn the_line_that_is_no_utf8_is_named() {
        for text in [
            b"{}\n{\"a\":\"\xff\"}\n{}".as_slice(),
            b"{\n\"a\":\"\xff\",\n\"b\":1\n}",
            b"[{},\n{\"a\":\"\xff\",\n\n\"b\":1\n}]",
        ] {
            let mut records = Records::new(text);
            let error = loop {
                match records.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{text:?} was taken"),
                    Err(error) => break error.to_string(),
                }
            };
            assert_eq!(error, "line 2: this is no UTF-8");
        }
    }

    #[test]
    fn what_is_no_document_comes_through_for_whoever_says_so() {
        check("7 true", &[(1, "7"), (1, "true")]);
        check("[1,2]", &[(1, "1"), (1, "2")]);
    }
}
