//! Building feeds: what was written before they were declared is gone through step by step, beside reads and writes.

use super::Feed;
use crate::changes::{Chunk, with_winner};
use crate::tables::by_seq::SeqRow;
use crate::tables::bytes::{Malformed, Reader};
use crate::tables::feed::{FEED_ROWS, key, opened, seq_of};
use crate::write::{FeedStep, Work};
use crate::{Database, Durability, Error, Leaves};
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::limits::{FEED_STEP_BYTES, FEED_STEP_CHUNKS, FEED_STEP_ROWS};
use trunkline_core::rev::Rev;
use trunkline_core::selector::Glance;
use trunkline_wire::document::Pieces;

impl Database {
    /// Builds a feed to its end; at once where it is built. Takes as long as reading the database once. Several may call
    /// it for one feed: they take turns, and what is done goes on after a crash where it was. At a pinned moment at which
    /// it was not built it stays so: [`Error::FeedUnbuilt`].
    pub fn build_feed(&self, name: &str) -> Result<(), Error> {
        self.whole()
            .unpinned()
            .build(|feed| *feed.name == *name && feed.selector.is_some())?;
        let feed = self.known_feed(name)?;
        match self.pinned.is_some() && !feed.is_built() {
            true => Err(Error::FeedUnbuilt(name.to_owned())),
            false => Ok(()),
        }
    }

    /// Builds all feeds that are not built, and clears those that are not declared any more.
    pub fn build_feeds(&self) -> Result<(), Error> {
        self.whole().unpinned().build(|_| true)
    }

    fn build(&self, which: impl Fn(&Feed) -> bool) -> Result<(), Error> {
        loop {
            let _turn = self.inner.building.lock();
            let feeds = self.file()?.feeds.lock().clone();
            let Some(feed) = feeds.iter().find(|feed| !feed.is_built() && which(feed)) else {
                return Ok(());
            };
            self.build_step(feed, usize::MAX)?;
        }
    }

    /// For tests of what comes between: goes through a few documents of the first feed that is not built; answers whether
    /// there was one.
    #[doc(hidden)]
    pub fn build_feeds_a_little(&self, documents: usize) -> Result<bool, Error> {
        let live = self.whole().unpinned();
        let _turn = live.inner.building.lock();
        let feeds = live.file()?.feeds.lock().clone();
        let Some(feed) = feeds.iter().find(|feed| !feed.is_built()) else {
            return Ok(false);
        };
        live.build_step(feed, documents)?;
        Ok(true)
    }

    /// Goes through at most so many documents, and no more than one commit should take.
    fn build_step(&self, feed: &Arc<Feed>, documents: usize) -> Result<(), Error> {
        let mut step = FeedStep {
            number: feed.number,
            goal: feed.goal,
            from: feed.cursor,
            to: feed.cursor,
            remove: Vec::new(),
            insert: Vec::new(),
            moved: Vec::new(),
        };
        if feed.selector.is_none() {
            self.clear(&mut step, documents.min(FEED_STEP_ROWS))?;
        } else {
            let mut bytes = 0;
            for _ in 0..FEED_STEP_CHUNKS.min(documents) {
                self.decide(feed, &mut step, documents, &mut bytes)?;
                let rows = step.remove.len() + step.insert.len() + step.moved.len();
                if step.to >= step.goal || rows >= FEED_STEP_ROWS.min(documents) || bytes >= FEED_STEP_BYTES {
                    break;
                }
            }
        }
        let durability = match step.to >= step.goal {
            true => Durability::Durable,
            false => Durability::Relaxed,
        };
        self.do_work(Work::Feed(step), durability).map(drop)
    }

    /// The first rows of a feed that is not declared any more.
    fn clear(&self, step: &mut FeedStep, rows_max: usize) -> Result<(), Error> {
        if let Some(rows) = opened(&self.snapshot()?.txn, FEED_ROWS)? {
            let (first, last) = (key(step.number, 0), key(step.number, Seq::MAX));
            for row in rows.range::<&[u8; 12]>(&first..=&last)?.take(rows_max) {
                step.remove.push(seq_of(row?.0.value()));
            }
        }
        if step.remove.len() < rows_max {
            step.to = step.goal;
        }
        Ok(())
    }

    /// Decides about the documents of one chunk. `bytes` counts what moving them will write.
    fn decide(
        &self,
        feed: &Feed,
        step: &mut FeedStep,
        documents: usize,
        bytes: &mut usize,
    ) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let first = step.to.saturating_add(1);
        let rows = opened(&snapshot.txn, FEED_ROWS)?;
        let (from, to) = (key(feed.number, first), key(feed.number, feed.goal));
        let in_feed = rows.as_ref().map(|rows| rows.range::<&[u8; 12]>(&from..=&to));
        let mut in_feed = in_feed.transpose()?.into_iter().flatten().peekable();
        let mut chunk = Chunk::new(documents);
        let (from, to) = (first.to_be_bytes(), feed.goal.to_be_bytes());
        for row in snapshot.by_seq.range::<&[u8; 8]>(&from..=&to)? {
            if chunk.is_full() {
                return Ok(());
            }
            let (seq, value) = row?;
            let seq = Seq::from_be_bytes(*seq.value());
            let mut was_in = false;
            while let Some(row) = in_feed.next_if(|row| match row {
                Ok((key, _)) => seq_of(key.value()) <= seq,
                Err(_) => true,
            }) {
                was_in = seq_of(row?.0.value()) == seq;
            }
            let row = SeqRow::decode(value.value())?;
            chunk.take(value.value().len());
            let takes = with_winner(&snapshot, &row, true, &mut chunk, |winner| {
                let winner = winner.ok_or(Malformed)?;
                if feed.rules_out(&Glance::at(winner.body)) {
                    return Ok(false);
                }
                let leaves: Vec<(Rev, bool)> = Leaves(Reader(row.leaves)).collect();
                let (rev, deleted) = leaves.first().ok_or(Malformed)?;
                let document = Pieces {
                    id: row.id()?,
                    rev,
                    deleted: *deleted,
                    body: winner.body,
                    attachments: &winner.attachments,
                };
                Ok(feed.takes(document, &leaves))
            })?;
            match (was_in, takes) {
                (false, true) if feed.fresh => step.insert.push(seq),
                (false, true) => {
                    let body = usize::try_from(row.body.length()).unwrap_or(usize::MAX);
                    *bytes = bytes.saturating_add(body).saturating_add(value.value().len());
                    step.moved.push((row.id()?.into(), seq));
                }
                (true, false) if !row.deleted => step.remove.push(seq),
                _ => {}
            }
            step.to = seq;
        }
        step.to = feed.goal;
        Ok(())
    }
}
