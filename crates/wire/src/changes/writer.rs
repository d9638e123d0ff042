//! Rows of a changes feed on their way out.

use trunkline_core::rev::Rev;

/// What stands around rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON object with `results`: feeds `normal` and `longpoll`.
    Normal,
    /// One JSON object per line.
    Continuous,
    /// Server-sent events.
    EventSource,
}

/// A row in borrowed pieces.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// JSON text of its seq; `null` for those that `seq_interval` leaves out.
    pub seq: &'a str,
    /// Which document.
    pub id: &'a str,
    /// Whether its winner is deleted.
    pub deleted: bool,
}

/// Writes a feed. Its buffer may be taken away between any two calls.
#[derive(Clone, Debug)]
pub struct Writer {
    framing: Framing,
    rows: u64,
}

impl Writer {
    /// Appends the head of a feed.
    pub fn open(_out: &mut Vec<u8>, _framing: Framing) -> Writer {
        todo!()
    }
    /// Appends a row. `doc` appends the document's text (or `null`), where documents are asked for.
    pub fn row(
        &mut self,
        _out: &mut Vec<u8>,
        _row: Row<'_>,
        _revs: impl IntoIterator<Item = Rev>,
        _doc: Option<&mut dyn FnMut(&mut Vec<u8>)>,
    ) {
        let _ = self.framing;
        todo!()
    }
    /// Appends a sign of life.
    pub fn heartbeat(&mut self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
    /// Appends the end of a feed; `last_seq` is JSON text.
    pub fn close(self, _out: &mut Vec<u8>, _last_seq: &str, _pending: u64) {
        todo!()
    }
}
