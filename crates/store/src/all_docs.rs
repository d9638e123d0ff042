//! Documents in id order.

use crate::changes::{Chunk, with_winner};
use crate::read::{Value, text};
use crate::sight::Sight;
use crate::tables::DocsRow;
use crate::tables::by_seq::SeqRow;
use crate::tables::bytes::Malformed;
use crate::{Database, DocRow, DocsScan, Error, ScanEnd, Seen, WinnerBody};
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
        let sight = self.sight()?;
        let Some(bounds) = scan.bounds() else {
            return Ok(ScanEnd {
                last: None,
                done: true,
            });
        };
        let mut range = sight.snapshot.docs.range::<&[u8]>(bounds)?;
        let mut bodies = Bodies {
            sight: &sight,
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
            chunk.spend(key.value().len() + value.value().len());
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

    /// How many documents in the scan's direction come before its start (for `offset`): counts, and reads no body but for
    /// one who does not see all of the database.
    pub fn count_docs(&self, scan: &DocsScan) -> Result<u64, Error> {
        let Some(start) = &scan.start else { return Ok(0) };
        if !self.is_whole() {
            return self.count_docs_seen(start, scan);
        }
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

    fn count_docs_seen(&self, start: &str, scan: &DocsScan) -> Result<u64, Error> {
        let start = Some(start.to_owned());
        let mut before = match scan.descending {
            false => DocsScan {
                start: None,
                end: start,
                inclusive_end: scan.after_start,
                ..scan.clone()
            },
            true => DocsScan {
                start,
                after_start: !scan.after_start,
                end: None,
                ..scan.clone()
            },
        };
        (before.descending, before.bodies, before.limit) = (false, false, usize::MAX);
        let mut count = 0;
        loop {
            let end = self.all_docs(&before, &mut |_| {
                count += 1;
                ControlFlow::Continue(())
            })?;
            match end.last {
                Some(last) if !end.done => (before.start, before.after_start) = (Some(last), true),
                _ => return Ok(count),
            }
        }
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

/// Shows a document, if it is seen.
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
    let sight = bodies.sight;
    let (conflicts, read) = match docs_row.tree()?.is_linear() {
        true => (Some(Vec::new()), 0),
        false => conflicts(sight, id, docs_row)?,
    };
    chunk.spend(read);
    let Some(conflicts) = conflicts else {
        return Ok(ControlFlow::Continue(()));
    };
    let seq = docs_row.seq;
    let show = |winner: Option<WinnerBody<'_>>| {
        let seen = match (&winner, sight.sees) {
            (Some(winner), Some(sees)) => sees(&Seen {
                id,
                rev: &rev,
                deleted: false,
                body: winner.body,
                attachments: &winner.attachments,
            }),
            (_, sees) => sees.is_none(),
        };
        Ok(seen.then(|| {
            row(DocRow {
                id,
                rev,
                seq,
                conflicts,
                winner: winner.filter(|_| with_bodies),
            })
        }))
    };
    let flow = if with_bodies || sight.sees.is_some() {
        let value = bodies.row(seq)?;
        let decoded = SeqRow::decode(value.value())?;
        chunk.spend(value.value().len());
        with_winner(&sight.snapshot, &decoded, true, chunk, show)?
    } else {
        show(None)?
    };
    Ok(chunk.shown(flow))
}

/// Undeleted leaves beside the winner, and bytes read to tell; `None` where the document is not seen.
fn conflicts(sight: &Sight<'_>, id: &str, row: &DocsRow<'_>) -> Result<(Option<Vec<Rev>>, usize), Error> {
    let tree = RevTree::decode(row.tree_bytes).map_err(Malformed::from)?;
    let (tree, read) = sight.seen(id, row.seq, tree)?;
    let Some(tree) = tree else {
        return Ok((None, read));
    };
    let others = tree
        .leaves()
        .into_iter()
        .skip(1)
        .filter(|(_, state)| !state.deleted);
    Ok((Some(others.map(|(rev, _)| rev.clone()).collect()), read))
}

/// Reads by_seq rows in the order of document ids. Ids that were made in time order have seqs in order too: then the
/// next row is the one wanted, and stepping to it costs a fraction of a look-up.
struct Bodies<'a> {
    sight: &'a Sight<'a>,
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
                let mut rows = self
                    .sight
                    .snapshot
                    .by_seq
                    .range::<&[u8; 8]>(&seq.to_be_bytes()..)?;
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
        self.sight.snapshot.by_seq_row(seq)
    }
}
