//! Checkpoints that are written in a commit of documents.
//!
//! One that passes the very documents it comes with claims more than is known yet: some may be refused for now, and are
//! tried again. That does no harm while the source's log says less, since the lower of both counts. Where the source takes
//! no log, the target's is believed alone, and a cut just then would leave those documents out for good: so only what is
//! finished is named there.

use super::{Checkpointer, Mark};
use crate::peer::LogWrite;
use tokio::time::Instant;
use trunkline_wire::replication_log::Entry;

/// A checkpoint on its way with documents. Dropped before it is known to have arrived, it counts for nothing: whether
/// it did or not, it named no more than was durable with it.
pub(crate) struct Ride<'a> {
    checkpointer: &'a Checkpointer,
    entry: Option<Entry>,
}

impl Checkpointer {
    /// A checkpoint to go with documents that are about to be written, where the target takes it so and one is due. It
    /// names the mark, or, where these documents are all that is between, the one that `own` adds to it.
    pub(crate) fn ride(&self, own: Option<Mark>) -> Option<(Ride<'_>, LogWrite)> {
        if !self.writes || !self.ends.target.exchanges {
            return None;
        }
        let mut state = self.state.lock();
        // A little early, so that the timer finds it done.
        let early = self.interval / 5 * 4;
        if state.rides || state.target.refuses || state.last.is_some_and(|last| last.elapsed() < early) {
            return None;
        }
        let own = own.filter(|_| !state.source.refuses && !state.alone);
        let own = own.map(|own| state.mark.with(own));
        let mark = own.as_ref().unwrap_or(&state.mark);
        let seq = mark
            .seq
            .as_ref()
            .filter(|seq| state.recorded_seq.as_ref() != Some(seq))?;
        let entry = self.entry(&state, mark, seq);
        let number = state.target.number;
        state.rides = true;
        drop(state);
        let write = LogWrite {
            replication_id: self.ends.replication_id.clone(),
            number,
            body: self.body(&entry),
        };
        let ride = Ride {
            checkpointer: self,
            entry: Some(entry),
        };
        Some((ride, write))
    }
}

impl Mark {
    fn with(&self, own: Mark) -> Mark {
        Mark {
            seq: own.seq,
            missing_checked: self.missing_checked + own.missing_checked,
            missing_found: self.missing_found + own.missing_found,
            docs_read: self.docs_read + own.docs_read,
            docs_written: self.docs_written + own.docs_written,
            doc_write_failures: self.doc_write_failures + own.doc_write_failures,
        }
    }
}

impl Ride<'_> {
    /// It arrived, with the number it has now; `as_told` when everything with it was taken, as its counts say.
    pub(crate) fn arrived(mut self, number: Option<u64>, as_told: bool) {
        let (Some(number), Some(entry)) = (number, self.entry.take()) else {
            return;
        };
        let mut state = self.checkpointer.state.lock();
        let now = Instant::now();
        state.target.number = number;
        state.last = Some(now);
        state.recorded_docs = entry.docs_written;
        if as_told {
            state.rode = Some(entry);
        }
        state.due = Some(now + self.checkpointer.interval);
    }
}

impl Drop for Ride<'_> {
    fn drop(&mut self) {
        self.checkpointer.state.lock().rides = false;
    }
}
