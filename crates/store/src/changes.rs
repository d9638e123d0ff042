//! The changes: documents in the order of their newest edit.

use crate::read::{Snapshot, text};
use crate::sight::{Shown, Sight};
use crate::tables::DocsRow;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow, put_leaf};
use crate::tables::bytes::{Malformed, Reader};
use crate::{ChangeRow, ChangesScan, Database, Error, Leaves, ScanEnd, Seen, Tree, WinnerBody};
use redb::ReadableTable;
use std::ops::{Bound, ControlFlow};
use trunkline_core::Seq;
use trunkline_core::limits::SCAN_CHUNK_BYTES;

impl Database {
    /// One chunk of the changes after (or, descending, before) a seq, at most [`trunkline_core::limits::SCAN_CHUNK_BYTES`]
    /// of rows or `limit` rows. `row` sees each borrowed from the snapshot; it answers whether to go on. Answers where
    /// the next chunk starts and whether the end was reached.
    ///
    /// Ascending, go on after `last`; descending, go on before it (`since` = `last - 1`).
    pub fn changes(
        &self,
        scan: &ChangesScan,
        row: &mut dyn FnMut(ChangeRow<'_>) -> ControlFlow<()>,
    ) -> Result<ScanEnd<Seq>, Error> {
        let mut chunk = Chunk::new(scan.limit);
        let (from, to) = if scan.descending {
            (Bound::Unbounded, Bound::Included(scan.since.to_be_bytes()))
        } else {
            (
                Bound::Excluded(scan.since.to_be_bytes()),
                Bound::Included(scan.until.to_be_bytes()),
            )
        };
        if !scan.descending && scan.until <= scan.since {
            return Ok(ScanEnd {
                last: None,
                done: true,
            });
        }
        let sight = self.sight()?;
        let mut range = sight
            .snapshot
            .by_seq
            .range::<&[u8; 8]>((from.as_ref(), to.as_ref()))?;
        let mut last = None;
        loop {
            if chunk.is_full() {
                return Ok(ScanEnd { last, done: false });
            }
            let next = if scan.descending {
                range.next_back()
            } else {
                range.next()
            };
            let Some(next) = next else {
                return Ok(ScanEnd { last, done: true });
            };
            let (key, value) = next?;
            let seq = Seq::from_be_bytes(*key.value());
            let bytes = value.value();
            let flow = show(&sight, seq, bytes, scan.bodies, &mut chunk, row)?;
            last = Some(seq);
            if flow.is_break() {
                return Ok(ScanEnd { last, done: false });
            }
        }
    }

    /// The seqs of documents, in no order; documents that were never here have none.
    pub fn seqs_of<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Seq>, Error> {
        let sight = self.sight()?;
        let snapshot = &sight.snapshot;
        let mut seqs = Vec::new();
        for id in ids {
            if sight.sees.is_some() {
                seqs.extend(sight.tree(id)?.map(|tree| tree.seq));
            } else if let Some(row) = snapshot.docs.get(id.as_bytes())? {
                seqs.push(DocsRow::decode(row.value())?.seq);
            }
        }
        Ok(seqs)
    }

    /// One chunk of the changes at certain seqs, in their order, bounded as one of [`Database::changes`]. A seq whose
    /// document was edited since has no row.
    pub fn changes_at(
        &self,
        seqs: &[Seq],
        bodies: bool,
        row: &mut dyn FnMut(ChangeRow<'_>) -> ControlFlow<()>,
    ) -> Result<ScanEnd<Seq>, Error> {
        let mut chunk = Chunk::new(usize::MAX);
        let sight = self.sight()?;
        let mut last = None;
        for &seq in seqs {
            if chunk.is_full() {
                return Ok(ScanEnd { last, done: false });
            }
            let found = sight.snapshot.by_seq.get(&seq.to_be_bytes())?;
            let flow = match found {
                Some(value) => show(&sight, seq, value.value(), bodies, &mut chunk, row)?,
                None => ControlFlow::Continue(()),
            };
            last = Some(seq);
            if flow.is_break() {
                return Ok(ScanEnd { last, done: false });
            }
        }
        Ok(ScanEnd { last, done: true })
    }

    /// When the first change after a seq was first committed, on whichever node made it: ms since 1970 by this node's
    /// clock. `None` when nothing comes after it. A look-up.
    pub fn oldest_after(&self, since: Seq) -> Result<Option<u64>, Error> {
        let snapshot = self.moment()?;
        let key = since.to_be_bytes();
        let mut rows = snapshot
            .by_seq
            .range::<&[u8; 8]>((Bound::Excluded(&key), Bound::Unbounded))?;
        let Some((_, value)) = rows.next().transpose()? else {
            return Ok(None);
        };
        Ok(Some(SeqRow::decode(value.value())?.origin_ms()))
    }

    /// The last seq committed at or before a wall-clock time (ms since 1970); 0 when all came later. A look-up.
    pub fn seq_at(&self, time_ms: u64) -> Result<Seq, Error> {
        let snapshot = self.moment()?;
        // Everything up to `early` came in time, everything from `late` on came later: times never decrease with seq.
        let mut early = 0;
        let mut late = Seq::MAX;
        if let Some(newest) = snapshot.by_seq.iter()?.next_back().transpose()? {
            late = Seq::from_be_bytes(*newest.0.value()).saturating_add(1);
        }
        let mut found = 0;
        while early + 1 < late {
            let middle = early + (late - early) / 2;
            let key = middle.to_be_bytes();
            let row = snapshot.by_seq.range::<&[u8; 8]>(&key..)?.next().transpose()?;
            let Some((key, value)) = row else {
                late = middle;
                continue;
            };
            let seq = Seq::from_be_bytes(*key.value());
            if SeqRow::decode(value.value())?.time_ms <= time_ms {
                early = seq;
                found = seq;
            } else {
                // The row found is the first one from the middle on.
                late = middle;
            }
        }
        Ok(found)
    }
}

/// How much of a chunk is left.
pub(crate) struct Chunk {
    rows: usize,
    bytes: usize,
}

impl Chunk {
    pub(crate) fn new(limit: usize) -> Chunk {
        Chunk {
            rows: limit,
            bytes: SCAN_CHUNK_BYTES,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }

    /// Counts a row.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.spend(bytes);
    }

    /// Counts a row whose bytes are counted, where it was shown; answers whether to go on.
    pub(crate) fn shown(&mut self, flow: Option<ControlFlow<()>>) -> ControlFlow<()> {
        self.rows = self.rows.saturating_sub(usize::from(flow.is_some()));
        flow.unwrap_or(ControlFlow::Continue(()))
    }

    /// Counts bytes read for a row, or for what is no row.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Shows a row, if it is seen.
pub(crate) fn show(
    sight: &Sight<'_>,
    seq: Seq,
    bytes: &[u8],
    bodies: bool,
    chunk: &mut Chunk,
    row: &mut dyn FnMut(ChangeRow<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let decoded = SeqRow::decode(bytes)?;
    let id = decoded.id()?;
    let mut shown = |leaves: &[u8], winner: Option<WinnerBody<'_>>| {
        row(ChangeRow {
            seq,
            time_ms: decoded.time_ms,
            age_ms: decoded.age_ms,
            id,
            leaves: Leaves(Reader(leaves)),
            winner,
        })
    };
    if sight.sees.is_none() {
        chunk.take(bytes.len());
        return with_winner(&sight.snapshot, &decoded, bodies, chunk, |winner| {
            Ok(shown(decoded.leaves, winner))
        });
    }
    chunk.spend(bytes.len());
    let mut leaves = Leaves(Reader(decoded.leaves));
    let (rev, deleted) = leaves.next().ok_or(Malformed)?;
    let mut read = 0;
    let flow = with_winner(&sight.snapshot, &decoded, true, chunk, |winner| {
        let winner = winner.ok_or(Malformed)?;
        let seen = Seen {
            id,
            rev: &rev,
            deleted,
            body: winner.body,
            attachments: &winner.attachments,
        };
        let winner = match sight.shown(seq, &seen)? {
            Shown::Whole => winner,
            Shown::Bare => WinnerBody {
                body: "{}",
                attachments: Vec::new(),
            },
            Shown::Nothing => return Ok(None),
        };
        let others;
        let mut seen_leaves = decoded.leaves;
        if leaves.next().is_some() {
            (others, read) = leaves_seen(sight, id)?;
            seen_leaves = &others;
        }
        Ok(Some(shown(seen_leaves, bodies.then_some(winner))))
    })?;
    chunk.spend(read);
    Ok(chunk.shown(flow))
}

/// The leaves of a document that are seen, as a row has them, and bytes read to tell.
fn leaves_seen(sight: &Sight<'_>, id: &str) -> Result<(Vec<u8>, usize), Error> {
    let Tree { revs, seq } = sight.snapshot.tree(id)?.ok_or(Malformed)?;
    let (revs, read) = sight.seen(id, seq, revs)?;
    let mut leaves = Vec::new();
    for (rev, state) in revs.iter().flat_map(|revs| revs.leaves()) {
        put_leaf(&mut leaves, rev, state);
    }
    Ok((leaves, read))
}

/// Hands a row's winner on, wherever its body is.
pub(crate) fn with_winner<T>(
    snapshot: &Snapshot,
    row: &SeqRow<'_>,
    bodies: bool,
    chunk: &mut Chunk,
    then: impl FnOnce(Option<WinnerBody<'_>>) -> Result<T, Error>,
) -> Result<T, Error> {
    if !bodies {
        return then(None);
    }
    let attachments = row.attachments()?;
    match row.body {
        RowBody::Inline(body) => then(Some(WinnerBody {
            body: text(body)?,
            attachments,
        })),
        RowBody::Elsewhere { number, length } => {
            chunk.spend(usize::try_from(length).unwrap_or(usize::MAX));
            let row = snapshot.body_row(number)?;
            let row = BodyRow::decode(row.value())?;
            then(Some(WinnerBody {
                body: text(row.body)?,
                attachments,
            }))
        }
    }
}
