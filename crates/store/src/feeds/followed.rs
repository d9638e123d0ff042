//! Which documents are in the feeds that someone follows, at one moment.

use crate::Error;
use crate::read::Snapshot;
use crate::tables::feed::{FEED_ROWS, FEEDS, FeedRow, StoredFeedRows, key, opened};
use trunkline_core::Seq;

/// The rows of some feeds.
pub(crate) struct Followed {
    rows: StoredFeedRows,
    numbers: Vec<u32>,
}

impl Followed {
    /// Those of these names, as far as they are declared; `None` where there is nothing in them.
    pub(crate) fn of(snapshot: &Snapshot, names: &[Box<str>]) -> Result<Option<Followed>, Error> {
        if names.is_empty() {
            return Ok(None);
        }
        let (Some(feeds), Some(rows)) = (opened(&snapshot.txn, FEEDS)?, opened(&snapshot.txn, FEED_ROWS)?)
        else {
            return Ok(None);
        };
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let Some(row) = feeds.get(name.as_bytes())? else {
                continue;
            };
            let row = FeedRow::decode(row.value())?;
            // The rows of one that is not declared any more are on their way out.
            if row.selector.is_some() {
                numbers.push(row.number);
            }
        }
        Ok((!numbers.is_empty()).then_some(Followed { rows, numbers }))
    }

    /// Whether the document at a seq is in one of them.
    pub(crate) fn holds(&self, seq: Seq) -> Result<bool, Error> {
        for number in &self.numbers {
            if self.rows.get(&key(*number, seq))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
