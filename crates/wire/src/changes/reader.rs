//! A peer's changes feed on its way in: fed by chunks, giving each row as soon as it is complete.

use super::object_end::ObjectEnd;
use crate::invalid::{BadAnswer, utf8};
use std::collections::VecDeque;
use trunkline_core::json;
use trunkline_core::limits::{CHANGES_ROW_BYTES_MAX, ODD_ID_CHARS_MAX};
use trunkline_core::rev::Rev;

/// What a feed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A row.
    Row(IncomingRow),
    /// The feed's end.
    End {
        /// JSON text.
        last_seq: Box<str>,
        /// Changes after it, where the peer says so.
        pending: Option<u64>,
    },
}

/// A row as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingRow {
    /// JSON text; `null` where `seq_interval` left it out.
    pub seq: Box<str>,
    /// Which document.
    pub id: Box<str>,
    /// Winner first.
    pub revs: Vec<Rev>,
    /// Texts among them that are no revisions here, each its first [`ODD_ID_CHARS_MAX`] characters.
    pub odd_revs: Vec<Box<str>>,
    /// Whether the winner is deleted.
    pub deleted: bool,
    /// JSON text of the document, where asked for.
    pub doc: Option<Box<str>>,
}

/// Reads feeds `normal`, `longpoll` and `continuous`; which one, the first bytes tell. Holds one incomplete row at
/// most, of [`trunkline_core::limits::CHANGES_ROW_BYTES_MAX`] at most, beside the chunk it was fed.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
    place: Place,
    /// The search in the object that starts at `done`.
    object: ObjectEnd,
    /// Rows of a feed that came as one object in another order of members than usual.
    ready: VecDeque<Event>,
}

/// Where in a feed the reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    /// Between the rows of `results`.
    Results,
    /// Behind `results`.
    Tail,
    /// Between the lines of a continuous feed.
    Lines,
    End,
}

impl Reader {
    /// At the start of a feed.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes the next bytes of the feed.
    pub fn feed(&mut self, chunk: &[u8]) {
        if self.place == Place::End {
            return;
        }
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next event, once it is complete; `None` asks for more bytes.
    pub fn next_event(&mut self) -> Result<Option<Event>, BadAnswer> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let separators: &[u8] = if self.place == Place::Results {
                b" \t\r\n,"
            } else {
                b" \t\r\n"
            };
            let rest = self.buffer.get(self.done..).unwrap_or_default();
            let skip = rest.iter().take_while(|byte| separators.contains(byte)).count();
            self.done += skip;
            let Some(first) = self.buffer.get(self.done) else {
                return Ok(None);
            };
            match (self.place, first) {
                (Place::End, _) => return Ok(None),
                (Place::Start, b'{') => {
                    let rest = self.buffer.get(self.done..).unwrap_or_default();
                    let Some(head) = results_head(rest) else {
                        return self.wait();
                    };
                    self.done += head;
                    self.place = if head > 0 { Place::Results } else { Place::Lines };
                }
                (Place::Results, b']') => {
                    self.done += 1;
                    self.place = Place::Tail;
                }
                (Place::Results | Place::Lines, b'{') => {
                    let Some(object) = self.object()? else {
                        return Ok(None);
                    };
                    self.events(&object)?;
                }
                (Place::Tail, _) => return self.tail(),
                _ => return Err(BadAnswer("the changes feed is not one".into())),
            }
        }
    }

    /// Says that the bytes are at their end: an error unless the feed was complete. A continuous feed that just stops
    /// between two rows is complete.
    pub fn finish(&self) -> Result<(), BadAnswer> {
        let rest = self.buffer.get(self.done..).unwrap_or_default();
        match self.place {
            Place::End => Ok(()),
            Place::Lines if rest.is_empty() => Ok(()),
            _ => Err(BadAnswer("the changes feed was cut off".into())),
        }
    }

    fn wait<T>(&self) -> Result<Option<T>, BadAnswer> {
        if self.buffer.len() - self.done > CHANGES_ROW_BYTES_MAX {
            return Err(BadAnswer(format!(
                "a row of the changes feed is longer than {CHANGES_ROW_BYTES_MAX} bytes"
            )));
        }
        Ok(None)
    }

    /// Takes the object that starts here, once it is complete.
    fn object(&mut self) -> Result<Option<String>, BadAnswer> {
        let rest = self.buffer.get(self.done..).unwrap_or_default();
        let Some(length) = self.object.find(rest) else {
            return self.wait();
        };
        let text = utf8(rest.get(..length).unwrap_or_default())?.to_owned();
        self.object = ObjectEnd::default();
        self.done += length;
        Ok(Some(text))
    }

    /// Takes what stands behind `results`: `,"last_seq":..,"pending":..}`.
    fn tail(&mut self) -> Result<Option<Event>, BadAnswer> {
        if let Some(comma) = self.buffer.get_mut(self.done)
            && *comma == b','
        {
            *comma = b'{';
        }
        if !matches!(self.buffer.get(self.done), Some(b'{')) {
            return Err(BadAnswer("the changes feed ends without last_seq".into()));
        }
        let Some(text) = self.object()? else {
            return Ok(None);
        };
        let mut object = Object::default();
        object.read(&text)?;
        self.place = Place::End;
        self.buffer = Vec::new();
        self.done = 0;
        object.end().map(Some)
    }

    /// Takes a row, a continuous feed's last line, or a whole feed in one object.
    fn events(&mut self, text: &str) -> Result<(), BadAnswer> {
        let mut object = Object::default();
        object.read(text)?;
        if let Some(results) = object.results {
            json::elements(results, |row| {
                let mut object = Object::default();
                object.read(row)?;
                self.ready.push_back(Event::Row(object.row()?));
                Ok::<_, BadAnswer>(())
            })?;
        } else if object.last_seq.is_none() {
            self.ready.push_back(Event::Row(object.row()?));
            return Ok(());
        }
        self.place = Place::End;
        self.ready.push_back(object.end()?);
        Ok(())
    }
}

/// Bytes up to the first row when `text` starts as `{"results":[` does, 0 when it starts otherwise; `None` when it is
/// too short to tell.
fn results_head(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for token in ["{", "\"results\"", ":", "["] {
        while text.get(at)?.is_ascii_whitespace() {
            at += 1;
        }
        for expected in token.bytes() {
            if *text.get(at)? != expected {
                return Some(0);
            }
            at += 1;
        }
    }
    Some(at)
}

/// Members of a row or of a feed's end.
#[derive(Default)]
struct Object<'a> {
    seq: Option<&'a str>,
    id: Option<Box<str>>,
    revs: Vec<Rev>,
    odd_revs: Vec<Box<str>>,
    deleted: bool,
    doc: Option<&'a str>,
    last_seq: Option<&'a str>,
    pending: Option<u64>,
    results: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Object<'a> {
    fn read(&mut self, text: &'a str) -> Result<(), BadAnswer> {
        let mut reader = json::Reader::new(text);
        reader.members(|key, reader| {
            match &*key {
                "seq" => self.seq = Some(reader.raw()?),
                "id" => self.id = json::string(reader.raw()?).map(Into::into),
                "changes" => reader.elements(|reader| self.change(reader))?,
                "deleted" => self.deleted = reader.raw()? == "true",
                "doc" => self.doc = Some(reader.raw()?).filter(|doc| *doc != "null"),
                "last_seq" => self.last_seq = Some(reader.raw()?),
                "pending" => self.pending = reader.raw()?.parse().ok(),
                "results" => self.results = Some(reader.raw()?),
                "error" => self.error = Some(text),
                _ => {}
            }
            Ok::<_, BadAnswer>(())
        })?;
        Ok(reader.end()?)
    }

    fn change(&mut self, reader: &mut json::Reader<'a>) -> Result<(), BadAnswer> {
        reader.members(|key, reader| {
            if key == "rev" {
                let text = json::string(reader.raw()?)
                    .ok_or_else(|| BadAnswer("the changes feed has a malformed rev".into()))?;
                match Rev::parse(&text) {
                    Ok(rev) => self.revs.push(rev),
                    Err(_) => {
                        let start: String = text.chars().take(ODD_ID_CHARS_MAX).collect();
                        self.odd_revs.push(start.into());
                    }
                }
            }
            Ok(())
        })
    }

    fn row(self) -> Result<IncomingRow, BadAnswer> {
        match (self.seq, self.id) {
            (Some(seq), Some(id)) => Ok(IncomingRow {
                seq: seq.into(),
                id,
                revs: self.revs,
                odd_revs: self.odd_revs,
                deleted: self.deleted,
                doc: self.doc.map(Into::into),
            }),
            _ => Err(BadAnswer(match self.error {
                Some(error) => format!(
                    "the changes feed broke off: {}",
                    crate::fault::parse(error.as_bytes())
                ),
                None => "a row of the changes feed lacks seq or id".into(),
            })),
        }
    }

    fn end(&self) -> Result<Event, BadAnswer> {
        let last_seq = self.last_seq;
        Ok(Event::End {
            last_seq: last_seq
                .ok_or_else(|| BadAnswer("the changes feed ends without last_seq".into()))?
                .into(),
            pending: self.pending,
        })
    }
}
