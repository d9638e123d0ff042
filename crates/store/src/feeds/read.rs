//! Reading a feed: its rows name changes, in their order.

use super::{Feed, FeedState, load};
use crate::changes::{Chunk, show};
use crate::read::Snapshot;
use crate::sight::Sight;
use crate::tables::feed::{FEED_ROWS, FEEDS, StoredFeedRows, key, opened, seq_of};
use crate::{ChangeRow, ChangesScan, Database, Error, ScanEnd};
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::Seq;

impl Database {
    /// The feeds that design documents declare.
    pub fn feeds(&self) -> Result<Vec<FeedState>, Error> {
        let feeds = match self.pin_number() {
            Some(_) => load(&self.moment()?.txn)?,
            None => self.file()?.feeds.lock().clone(),
        };
        Ok(feeds.iter().filter_map(|feed| feed.state()).collect())
    }

    /// Whether [`Database::build_feeds`] has anything to do.
    pub fn builds_feeds(&self) -> Result<bool, Error> {
        Ok(self.file()?.feeds.lock().iter().any(|feed| !feed.is_built()))
    }

    /// One of them; [`Error::FeedMissing`] where there is none of that name.
    pub fn feed(&self, name: &str) -> Result<FeedState, Error> {
        let state = self.known_feed(name)?.state();
        state.ok_or_else(|| Error::FeedMissing(name.to_owned()))
    }

    /// How many documents after a seq are in a feed, deleted ones too. Counts them one by one, and reads them all for one
    /// who does not see all of the database.
    pub fn count_feed(&self, name: &str, since: Seq) -> Result<u64, Error> {
        if !self.is_whole() {
            return self.count_seen(since, |scan, row| self.feed_changes(name, scan, row));
        }
        let feed = self.known_feed(name)?;
        let Some(rows) = opened(&self.snapshot()?.txn, FEED_ROWS)? else {
            return Ok(0);
        };
        let Some(first) = since.checked_add(1) else {
            return Ok(0);
        };
        let mut count = 0;
        for row in rows.range::<&[u8; 12]>(&key(feed.number, first)..=&key(feed.number, Seq::MAX))? {
            row?;
            count += 1;
        }
        Ok(count)
    }

    /// One chunk of the changes that are in a feed, as [`Database::changes`] shows one of all. [`Error::FeedMissing`]
    /// where there is no such feed, [`Error::FeedUnbuilt`] before it is built.
    pub fn feed_changes(
        &self,
        name: &str,
        scan: &ChangesScan,
        row: &mut dyn FnMut(ChangeRow<'_>) -> ControlFlow<()>,
    ) -> Result<ScanEnd<Seq>, Error> {
        // Looked at before the snapshot is taken: one that is built stays so, or is built again behind every seq.
        let feed = self.known_feed(name)?;
        if !feed.is_built() {
            return Err(Error::FeedUnbuilt(name.to_owned()));
        }
        let (first, last) = match scan.descending {
            true => (0, scan.since),
            false => (scan.since.saturating_add(1), scan.until),
        };
        let over = ScanEnd {
            last: None,
            done: true,
        };
        if first > last {
            return Ok(over);
        }
        let sight = self.sight()?;
        let Some(rows) = opened(&sight.snapshot.txn, FEED_ROWS)? else {
            return Ok(over);
        };
        chunk(
            &sight,
            &rows,
            (key(feed.number, first), key(feed.number, last)),
            scan,
            row,
        )
    }

    pub(super) fn known_feed(&self, name: &str) -> Result<Arc<Feed>, Error> {
        let found = match self.pin_number() {
            Some(_) => stored(&*self.moment()?, name)?,
            None => {
                let file = self.file()?;
                let feeds = file.feeds.lock();
                feeds.iter().find(|feed| *feed.name == *name).cloned()
            }
        };
        let found = found.filter(|feed| feed.selector.is_some());
        found.ok_or_else(|| Error::FeedMissing(name.to_owned()))
    }
}

/// A feed as it was at the moment of a snapshot.
fn stored(snapshot: &Snapshot, name: &str) -> Result<Option<Arc<Feed>>, Error> {
    let Some(table) = opened(&snapshot.txn, FEEDS)? else {
        return Ok(None);
    };
    let row = table.get(name.as_bytes())?;
    row.map(|row| Feed::decode(name, row.value()).map(Arc::new))
        .transpose()
}

fn chunk(
    sight: &Sight<'_>,
    rows: &StoredFeedRows,
    (first, last): ([u8; 12], [u8; 12]),
    scan: &ChangesScan,
    row: &mut dyn FnMut(ChangeRow<'_>) -> ControlFlow<()>,
) -> Result<ScanEnd<Seq>, Error> {
    let mut range = rows.range::<&[u8; 12]>(&first..=&last)?;
    let mut chunk = Chunk::new(scan.limit);
    let mut last = None;
    while !chunk.is_full() {
        let next = match scan.descending {
            true => range.next_back(),
            false => range.next(),
        };
        let Some(next) = next else {
            return Ok(ScanEnd { last, done: true });
        };
        let seq = seq_of(next?.0.value());
        let value = sight.snapshot.by_seq_row(seq)?;
        let flow = show(sight, seq, value.value(), scan.bodies, &mut chunk, row)?;
        last = Some(seq);
        if flow.is_break() {
            break;
        }
    }
    Ok(ScanEnd { last, done: false })
}
