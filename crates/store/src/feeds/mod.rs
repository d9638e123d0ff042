//! Named feeds: design documents declare them, and which changes are in them is known when those are written.
//!
//! A feed has a row for each document in it, at the document's seq, so that reading it costs what is in it. A document
//! is in a feed when the feed's selector takes its winner; a tombstone stays in a feed that its document was in.
//!
//! What was written before a feed was declared is gone through afterwards, in the order of changes, up to the seq that
//! the declaration had: the feed is built. The first time its rows are put where the documents are. When a selector
//! changes, somebody may have read the feed, up to any seq: a document that the new one takes and the old one did not gets
//! a new seq, behind all of them, and so whoever goes on from where he was gets the difference and nothing else.
//! A name whose declaration goes and comes again is one whose selector took nothing meanwhile.

mod build;
mod check;
mod define;
mod followed;
mod read;

pub(crate) use check::check;
pub(crate) use define::redefined;
pub(crate) use followed::Followed;

use crate::Error;
use crate::tables::bytes::Malformed;
use crate::tables::feed::{FEEDS, FeedRow, opened};
use redb::{ReadTransaction, ReadableTable};
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::rev::Rev;
use trunkline_core::selector::{Glance, Selector};
use trunkline_wire::document::{self, Pieces};

/// The feeds of a database, those too that are being cleared. In the order of their numbers.
pub(crate) type Feeds = Arc<Vec<Arc<Feed>>>;

/// A feed as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    pub(crate) number: u32,
    /// `design/name`
    pub(crate) name: Box<str>,
    /// What it takes, and its JSON text; `None` when its rows are to be cleared.
    pub(crate) selector: Option<(String, Selector)>,
    pub(crate) fresh: bool,
    pub(crate) cursor: Seq,
    pub(crate) goal: Seq,
}

/// What is known of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// `design/name`
    pub name: String,
    /// JSON text.
    pub selector: String,
    /// Whether everything is in it that should be.
    pub built: bool,
    /// How many seqs it is still to be built from.
    pub pending: u64,
    /// How many there were.
    pub total: u64,
}

impl Feed {
    pub(crate) fn is_built(&self) -> bool {
        self.cursor >= self.goal
    }

    /// Whether it takes no document of a body, as far as a glance tells.
    pub(crate) fn rules_out(&self, body: &Glance<'_>) -> bool {
        self.selector
            .as_ref()
            .is_none_or(|(_, selector)| selector.rules_out(body))
    }

    /// Whether the selector takes a document. `leaves` are all of its leaves, winner first.
    pub(crate) fn takes(&self, document: Pieces<'_>, leaves: &[(Rev, bool)]) -> bool {
        let selector = self.selector.as_ref();
        selector.is_some_and(|(_, selector)| document::is_selected(selector, document, leaves))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        FeedRow {
            number: self.number,
            fresh: self.fresh,
            cursor: self.cursor,
            goal: self.goal,
            selector: self.selector.as_ref().map(|(text, _)| text.as_str()),
        }
        .encode()
    }

    /// A stored feed; a selector that this program cannot read takes nothing.
    pub(crate) fn decode(name: &str, row: &[u8]) -> Result<Feed, Error> {
        let row = FeedRow::decode(row)?;
        let selector = row.selector.map(|text| {
            let parsed = Selector::parse(text);
            (text.to_owned(), parsed)
        });
        let mut feed = Feed {
            number: row.number,
            name: name.into(),
            selector: None,
            fresh: row.fresh,
            cursor: row.cursor,
            goal: row.goal,
        };
        match selector {
            None => {}
            Some((text, Ok(parsed))) => feed.selector = Some((text, parsed)),
            Some((_, Err(invalid))) => {
                tracing::error!("the feed {name} is cleared: {invalid}");
                (feed.cursor, feed.goal) = (0, feed.goal.max(1));
            }
        }
        Ok(feed)
    }

    /// Whether it is known only so that its name is known again.
    pub(crate) fn is_gone(&self) -> bool {
        self.selector.is_none() && self.is_built()
    }

    fn state(&self) -> Option<FeedState> {
        let (selector, _) = self.selector.as_ref()?;
        Some(FeedState {
            name: self.name.to_string(),
            selector: selector.clone(),
            built: self.is_built(),
            pending: self.goal.saturating_sub(self.cursor),
            total: self.goal,
        })
    }
}

/// The feeds of a file. One whose row is damaged is left out, and named by a check.
pub(crate) fn load(txn: &ReadTransaction) -> Result<Feeds, Error> {
    let mut feeds = Vec::new();
    if let Some(table) = opened(txn, FEEDS)? {
        for row in table.iter()? {
            let (name, row) = row?;
            let name = std::str::from_utf8(name.value()).map_err(|_| Malformed.into());
            match name.and_then(|name| Feed::decode(name, row.value())) {
                Ok(feed) if feed.is_gone() => {}
                Ok(feed) => feeds.push(Arc::new(feed)),
                Err(error) => tracing::error!("a feed is passed over, its row: {error}"),
            }
        }
    }
    feeds.sort_unstable_by_key(|feed| feed.number);
    Ok(Arc::new(feeds))
}
