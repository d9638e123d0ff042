//! Documents in id order.

use crate::changes::{Chunk, with_winner};
use crate::read::{Snapshot, Value, text};
use crate::tables::DocsRow;
use crate::tables::by_seq::SeqRow;
use crate::tables::bytes::Malformed;
use crate::{Database, DocRow, DocsScan, Error, ScanEnd, WinnerBody};
use redb::Range;
use std::ops::{Bound, ControlFlow};
use trunkline_core::Seq;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;

impl Database {
    /// One chunk of the documents in id order that are not deleted, as [`Database::changes`].
    pub fn all_docs(
        &self,
        scan: &DocsScan,
        row: &mut dyn FnMut(DocRow<'_>) -> ControlFlow<()>,
    ) -> Result<ScanEnd<String>, Error> {
        let snapshot = self.snapshot()?;
        let Some(bounds) = scan.bounds() else {
            return Ok(ScanEnd {
                last: None,
                done: true,
            });
        };
        let mut range = snapshot.docs.range::<&[u8]>(bounds)?;
        let mut bodies = Bodies {
            snapshot: &snapshot,
            following: None,
        };
        let mut chunk = Chunk::new(scan.limit);
        let mut last = None;
        let done = loop {
            if chunk.is_full() {
                break false;
            }
            let next = if scan.descending {
                range.next_back()
            } else {
                range.next()
            };
            let Some(next) = next else { break true };
            let (key, value) = next?;
            let docs_row = DocsRow::decode(value.value())?;
            let (rev, state) = docs_row.tree()?.winner();
            if state.deleted {
                // Counts towards the chunk's bytes, so that no chunk runs through a million tombstones.
                chunk.spend(key.value().len() + value.value().len());
                last = Some(key);
                continue;
            }
            chunk.take(key.value().len() + value.value().len());
            let flow = show(
                &mut bodies,
                scan.bodies,
                key.value(),
                &docs_row,
                rev,
                &mut chunk,
                row,
            )?;
            last = Some(key);
            if flow.is_break() {
                break false;
            }
        };
        let last = last.map(|key| text(key.value()).map(str::to_owned)).transpose()?;
        Ok(ScanEnd { last, done })
    }

    /// How many documents in the scan's direction come before its start (for `offset`): counts, reads no body.
    pub fn count_docs(&self, scan: &DocsScan) -> Result<u64, Error> {
        let Some(start) = &scan.start else { return Ok(0) };
        let start = start.as_bytes();
        let before = match (scan.descending, scan.after_start) {
            (false, false) => (Bound::Unbounded, Bound::Excluded(start)),
            (false, true) => (Bound::Unbounded, Bound::Included(start)),
            (true, false) => (Bound::Excluded(start), Bound::Unbounded),
            (true, true) => (Bound::Included(start), Bound::Unbounded),
        };
        let snapshot = self.snapshot()?;
        let mut count = 0;
        for row in snapshot.docs.range::<&[u8]>(before)? {
            let (_, state) = DocsRow::decode(row?.1.value())?.tree()?.winner();
            count += u64::from(!state.deleted);
        }
        Ok(count)
    }
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
type RowsAfter = Range<'static, &'static [u8; 8], &'static [u8]>;

impl DocsScan {
    /// The range in key order; `None` when it is empty.
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        let start = edge(&self.start, !self.after_start);
        let end = edge(&self.end, self.inclusive_end);
        let (low, high) = if self.descending {
            (end, start)
        } else {
            (start, end)
        };
        let empty = match (&low, &high) {
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
                low >= high
            }
            _ => false,
        };
        (!empty).then_some((low, high))
    }
}

fn edge(id: &Option<String>, included: bool) -> Bound<&[u8]> {
    match id {
        None => Bound::Unbounded,
        Some(id) if included => Bound::Included(id.as_bytes()),
        Some(id) => Bound::Excluded(id.as_bytes()),
    }
}

fn show(
    bodies: &mut Bodies<'_>,
    with_bodies: bool,
    id: &[u8],
    docs_row: &DocsRow<'_>,
    rev: Rev,
    chunk: &mut Chunk,
    row: &mut dyn FnMut(DocRow<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let id = text(id)?;
    let seq = docs_row.seq;
    let conflicts = if docs_row.tree()?.is_linear() {
        Vec::new()
    } else {
        conflicts(docs_row)?
    };
    let show = |winner: Option<WinnerBody<'_>>| {
        Ok(row(DocRow {
            id,
            rev,
            seq,
            conflicts,
            winner,
        }))
    };
    if !with_bodies {
        return show(None);
    }
    let value = bodies.row(seq)?;
    let decoded = SeqRow::decode(value.value())?;
    chunk.spend(value.value().len());
    with_winner(bodies.snapshot, &decoded, true, chunk, show)
}

/// Undeleted leaves beside the winner.
fn conflicts(row: &DocsRow<'_>) -> Result<Vec<Rev>, Error> {
    let tree = RevTree::decode(row.tree_bytes).map_err(Malformed::from)?;
    let others = tree
        .leaves()
        .into_iter()
        .skip(1)
        .filter(|(_, state)| !state.deleted);
    Ok(others.map(|(rev, _)| rev.clone()).collect())
}

/// Reads by_seq rows in the order of document ids. Ids that were made in time order have seqs in order too: then the
/// next row is the one wanted, and stepping to it costs a fraction of a look-up.
struct Bodies<'a> {
    snapshot: &'a Snapshot,
    /// The seq last read, and the rows after it once two wanted seqs followed one another.
    following: Option<(Seq, Option<RowsAfter>)>,
}

impl Bodies<'_> {
    fn row(&mut self, seq: Seq) -> Result<Value, Error> {
        match self.following.take() {
            Some((last, Some(mut rows))) if seq == last + 1 => {
                if let Some((key, value)) = rows.next().transpose()?
                    && Seq::from_be_bytes(*key.value()) == seq
                {
                    self.following = Some((seq, Some(rows)));
                    return Ok(value);
                }
                self.look_up(seq)
            }
            Some((last, None)) if seq == last + 1 => {
                let mut rows = self.snapshot.by_seq.range::<&[u8; 8]>(&seq.to_be_bytes()..)?;
                match rows.next().transpose()? {
                    Some((key, value)) if Seq::from_be_bytes(*key.value()) == seq => {
                        self.following = Some((seq, Some(rows)));
                        Ok(value)
                    }
                    _ => self.look_up(seq),
                }
            }
            _ => self.look_up(seq),
        }
    }

    fn look_up(&mut self, seq: Seq) -> Result<Value, Error> {
        self.following = Some((seq, None));
        self.snapshot.by_seq_row(seq)
    }
}
