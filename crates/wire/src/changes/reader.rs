//! A peer's changes feed on its way in: fed by chunks, giving each row as soon as it is complete.

use crate::invalid::BadAnswer;
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
    /// JSON text.
    pub seq: Box<str>,
    /// Which document.
    pub id: Box<str>,
    /// Winner first.
    pub revs: Vec<Rev>,
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
}

impl Reader {
    /// At the start of a feed.
    pub fn new() -> Reader {
        Reader::default()
    }
    /// Takes the next bytes of the feed.
    pub fn feed(&mut self, _chunk: &[u8]) {
        let _ = &self.buffer;
        todo!()
    }
    /// The next event, once it is complete; `None` asks for more bytes.
    pub fn next_event(&mut self) -> Result<Option<Event>, BadAnswer> {
        todo!()
    }
    /// Says that the bytes are at their end: an error unless the feed was complete. A continuous feed that just stops
    /// between two rows is complete.
    pub fn finish(&self) -> Result<(), BadAnswer> {
        todo!()
    }
}
