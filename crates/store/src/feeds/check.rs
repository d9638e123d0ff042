//! Verifies that feeds hold what their selectors take, and nothing else.

use super::Feed;
use crate::Error;
use crate::changes::{Chunk, with_winner};
use crate::read::Snapshot;
use crate::tables::State;
use crate::tables::by_seq::SeqRow;
use crate::tables::bytes::{Malformed, Reader};
use crate::tables::feed::{FEED_ROWS, FEEDS, key, number_of, opened, seq_of};
use redb::ReadableTable;
use std::collections::BTreeMap;
use trunkline_core::Seq;
use trunkline_core::rev::Rev;
use trunkline_wire::document::Pieces;

/// Says what is wrong with the feeds of a database.
pub(crate) fn check(snapshot: &Snapshot, state: &State, wrong: &mut Vec<String>) -> Result<(), Error> {
    let mut feeds: BTreeMap<u32, Feed> = BTreeMap::new();
    if let Some(table) = opened(&snapshot.txn, FEEDS)? {
        for row in table.iter()? {
            let (name, row) = row?;
            let name = String::from_utf8_lossy(name.value()).into_owned();
            let feed = Feed::decode(&name, row.value());
            let feed = feed
                .ok()
                .filter(|feed| feed.goal <= state.update_seq && feed.cursor <= feed.goal);
            let is_right = feed.is_some_and(|feed| feeds.insert(feed.number, feed).is_none());
            if !is_right {
                wrong.push(format!(
                    "feeds: the row of {name} is damaged, or its number another's"
                ));
            }
        }
    }
    let Some(rows) = opened(&snapshot.txn, FEED_ROWS)? else {
        return Ok(());
    };
    for row in rows.iter()? {
        let key = *row?.0.value();
        let (number, seq) = (number_of(&key), seq_of(&key));
        if feeds.get(&number).is_none_or(Feed::is_gone) {
            wrong.push(format!("feed_rows: there is no feed {number}"));
        }
        if snapshot.by_seq.get(&seq.to_be_bytes())?.is_none() {
            wrong.push(format!(
                "feed_rows: feed {number} has a row {seq} that by_seq has not"
            ));
        }
    }
    feeds.retain(|_, feed| feed.selector.is_some());
    if feeds.is_empty() {
        return Ok(());
    }
    for row in snapshot.by_seq.iter()? {
        let (seq, value) = row?;
        let seq = Seq::from_be_bytes(*seq.value());
        let Ok(row) = SeqRow::decode(value.value()) else {
            continue;
        };
        for feed in feeds.values() {
            let is_in = rows.get(&key(feed.number, seq))?.is_some();
            let is_settled = seq <= feed.cursor || seq > feed.goal;
            let takes = takes(snapshot, feed, &row).unwrap_or(is_in);
            if is_settled && (takes && !is_in || is_in && !takes && !row.deleted) {
                let name = &feed.name;
                wrong.push(format!(
                    "feed_rows: the document at {seq} is wrongly in the feed {name} or not"
                ));
            }
        }
    }
    Ok(())
}

fn takes(snapshot: &Snapshot, feed: &Feed, row: &SeqRow<'_>) -> Result<bool, Error> {
    let leaves: Vec<(Rev, bool)> = crate::Leaves(Reader(row.leaves)).collect();
    let (rev, deleted) = leaves.first().ok_or(Malformed)?;
    with_winner(snapshot, row, true, &mut Chunk::new(usize::MAX), |winner| {
        let winner = winner.ok_or(Malformed)?;
        let document = Pieces {
            id: row.id()?,
            rev,
            deleted: *deleted,
            body: winner.body,
            attachments: &winner.attachments,
        };
        Ok(feed.takes(document, &leaves))
    })
}
