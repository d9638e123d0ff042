//! Rows of a changes feed on their way out.

use crate::document::AppendDoc;
use crate::rev_text;
use std::io::Write;
use trunkline_core::json;
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
    pub fn open(out: &mut Vec<u8>, framing: Framing) -> Writer {
        if framing == Framing::Normal {
            out.extend_from_slice(b"{\"results\":[\n");
        }
        Writer { framing, rows: 0 }
    }

    /// Appends a row. `doc` appends the document's text (or `null`), where documents are asked for.
    pub fn row(
        &mut self,
        out: &mut Vec<u8>,
        row: Row<'_>,
        revs: impl IntoIterator<Item = Rev>,
        doc: Option<AppendDoc<'_>>,
    ) {
        match self.framing {
            Framing::Normal if self.rows > 0 => out.extend_from_slice(b",\n"),
            Framing::EventSource => out.extend_from_slice(b"data: "),
            Framing::Normal | Framing::Continuous => {}
        }
        self.rows += 1;
        out.extend_from_slice(b"{\"seq\":");
        out.extend_from_slice(row.seq.as_bytes());
        out.extend_from_slice(b",\"id\":");
        json::quote(row.id, out);
        out.extend_from_slice(b",\"changes\":[");
        for (index, rev) in revs.into_iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",{\"rev\":" } else { b"{\"rev\":" });
            rev_text::write(out, &rev);
            out.push(b'}');
        }
        out.push(b']');
        if row.deleted {
            out.extend_from_slice(b",\"deleted\":true");
        }
        if let Some(doc) = doc {
            out.extend_from_slice(b",\"doc\":");
            doc(out);
        }
        out.push(b'}');
        match self.framing {
            Framing::Normal => {}
            Framing::Continuous => out.push(b'\n'),
            Framing::EventSource => {
                out.extend_from_slice(b"\nid: ");
                out.extend_from_slice(row.seq.as_bytes());
                out.extend_from_slice(b"\n\n");
            }
        }
    }

    /// Appends a sign of life.
    pub fn heartbeat(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.framing {
            Framing::Normal | Framing::Continuous => b"\n",
            Framing::EventSource => b"event: heartbeat\ndata: \n\n",
        });
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends the end of a feed; `last_seq` is JSON text, and how much is pending need not be told. Server-sent events
    /// just stop.
    pub fn close(self, out: &mut Vec<u8>, last_seq: &str, pending: Option<u64>) {
        let pending = pending.map_or_else(String::new, |pending| format!(",\"pending\":{pending}"));
        // Writing to a Vec cannot fail.
        let _ = match self.framing {
            Framing::Normal => write!(out, "\n],\n\"last_seq\":{last_seq}{pending}}}\n"),
            Framing::Continuous => writeln!(out, "{{\"last_seq\":{last_seq}{pending}}}"),
            Framing::EventSource => Ok(()),
        };
    }
}
