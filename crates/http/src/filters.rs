//! Room for the filters that clients bring: a selector's patterns take thousands of times the bytes of their text, and a
//! live feed keeps its filter for as long as it lives.

use crate::error::Result;
use crate::room::{Room, Rooms};
use memchr::memmem;
use trunkline_core::limits::{
    FEED_FILTER_FREE_BYTES, FILTER_BYTES_PER_BYTE, FILTERS_BYTES_MAX, SELECTOR_PATTERNS_BYTES_MAX,
};

/// All the room there is.
#[derive(Debug)]
pub(crate) struct Filters(Rooms);

/// What one may have of it, however long it is: a feed by as many ids as a request may list is let in.
const OF_ONE_MAX: usize = FILTERS_BYTES_MAX / 4;

impl Filters {
    pub(crate) fn new(patience_ms: u64) -> Filters {
        Filters(Rooms::new(FILTERS_BYTES_MAX, patience_ms))
    }

    /// Waits for room for what a body asks, before it is parsed; for as long as the filter is kept.
    pub(crate) async fn take(&self, body: &[u8], lasts: bool) -> Result<Room> {
        let patterns = if may_have_patterns(body) {
            SELECTOR_PATTERNS_BYTES_MAX
        } else {
            0
        };
        match patterns + text_bytes(body.len(), lasts) {
            0 => Ok(Room::default()),
            bytes => self.0.take(bytes).await,
        }
    }
}

/// What is kept of a body's text.
fn text_bytes(length: usize, lasts: bool) -> usize {
    match lasts && length > FEED_FILTER_FREE_BYTES {
        true => length.saturating_mul(FILTER_BYTES_PER_BYTE).min(OF_ONE_MAX),
        false => 0,
    }
}

/// Gives back what patterns might have taken and do not.
pub(crate) fn settle(room: &mut Room, pattern_bytes: usize, length: usize, lasts: bool) {
    room.keep(pattern_bytes + text_bytes(length, lasts));
}

/// Whether some may stand there, in whichever spelling.
fn may_have_patterns(body: &[u8]) -> bool {
    memmem::find(body, b"$regex").is_some() || memmem::find(body, b"\\u00").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn patterns_and_lasting_filters_take_room() {
        let filters = Filters::new(10);
        let plain = br#"{"selector":{"a":1}}"#;
        let pattern = br#"{"selector":{"a":{"$regex":"x"}}}"#;
        let spelled = br#"{"selector":{"a":{"\u0024regex":"x"}}}"#;
        let mut held = Vec::new();
        for place in 0..FILTERS_BYTES_MAX / SELECTOR_PATTERNS_BYTES_MAX {
            let body: &[u8] = if place % 2 == 0 { pattern } else { spelled };
            held.push(filters.take(body, false).await.unwrap());
        }
        assert!(matches!(filters.take(pattern, false).await, Err(Error::Busy)));
        let long = vec![b'x'; FEED_FILTER_FREE_BYTES + 1];
        assert!(matches!(filters.take(&long, true).await, Err(Error::Busy)));
        // What takes none is let in: selectors without patterns, short filters, and those of what ends.
        for (body, lasts) in [(&plain[..], false), (plain, true), (&long, false)] {
            filters.take(body, lasts).await.unwrap();
        }
        // Compiled, most take little.
        held.iter_mut()
            .for_each(|room| settle(room, 1000, pattern.len(), true));
        let longest = vec![b'x'; FILTERS_BYTES_MAX];
        let feeds = [
            filters.take(&longest, true).await,
            filters.take(&longest, true).await,
            filters.take(&longest, true).await,
        ];
        assert!(feeds.iter().all(Result::is_ok));
        assert!(matches!(filters.take(&longest, true).await, Err(Error::Busy)));
        drop(feeds);
        filters.take(pattern, true).await.unwrap();
    }
}
