//! Bringing an index up to date with its database.
//!
//! An index that has rows is brought up to date by batches, each in one commit. One that has none yet is built: rows are
//! sorted in runs, merged, and written once. Either way each document is mapped once, as it was when it was read, and
//! what changed meanwhile is left to the next pass. The last one reads a single snapshot, so that in the end nothing is
//! left out: as a rule it is short, and where others write faster than a pass reads, it is of a pinned moment.
//!
//! An index never outlives what it was made of: the database is made durable first, since a document that a crash takes
//! back has no change that would take its rows out.

mod documents;
mod pipeline;
mod runs;
#[cfg(test)]
mod tests;

use crate::Error;
use crate::index::{Index, IndexState, Reduce, Rows};
use crate::mapper::Mapping;
use pipeline::Pass;
use runs::{Merge, Run};
use std::path::Path;
use trunkline_core::Seq;
use trunkline_core::limits::INDEX_COMMIT_BYTES;
use trunkline_store::Database;

/// Builds an index that has no rows; `dir` is for what does not fit in memory.
pub(crate) fn build(
    db: &Database,
    mapping: &Mapping,
    index: &Index,
    dir: &Path,
    reduce: &mut dyn Reduce,
    count: &(dyn Fn(u64) + Sync),
) -> Result<(), Error> {
    let state = state_of(db)?;
    let mut runs = Vec::new();
    let pass = Pass {
        since: 0,
        until: state.seq,
        first: true,
    };
    let sorted = |mut rows: Rows| {
        rows.sort();
        Run::write(&rows, dir)
    };
    pipeline::run(db, mapping, pass, count, sorted, |run| {
        runs.push(run);
        Ok(())
    })?;
    write_runs(index, runs, reduce)?;
    db.flush()?;
    index.finish(&state, reduce)
}

/// Where a database is now.
pub(crate) fn state_of(db: &Database) -> Result<IndexState, Error> {
    let info = db.info()?;
    Ok(IndexState {
        seq: info.update_seq,
        purge_seq: info.purge_seq,
        database: uuid(&info.uuid),
    })
}

/// The bytes of 32 hexadecimal digits.
pub(crate) fn uuid(digits: &str) -> [u8; 16] {
    u128::from_str_radix(digits, 16).unwrap_or_default().to_be_bytes()
}

/// Writes what runs hold to an index, in order.
fn write_runs(index: &Index, runs: Vec<Run>, reduce: &mut dyn Reduce) -> Result<(), Error> {
    let mut merge = Merge::new(runs)?;
    // Rows of one view, and the first one of the next.
    let (mut piece, mut turned) = (Rows::default(), Rows::default());
    while merge.next(|row| match piece.get(0) {
        Some(first) if first.view() != row.view() => turned.copy(&row),
        _ => piece.copy(&row),
    })? {
        if !turned.is_empty() {
            index.append(&piece, false, reduce)?;
            piece = std::mem::take(&mut turned);
        } else if piece.bytes() >= INDEX_COMMIT_BYTES {
            let added = index.append(&piece, true, reduce)?;
            let mut left = Rows::default();
            piece.iter().skip(added).for_each(|row| left.copy(&row));
            piece = left;
        }
    }
    index.append(&piece, false, reduce)?;
    Ok(())
}

/// Brings an index up to date. An index of another incarnation of the database, or one that cannot know any more what was
/// purged, is [`Error::Outdated`] and has to be built anew. What is not made `durable` is mapped again after a crash.
pub(crate) fn update(
    db: &Database,
    mapping: &Mapping,
    index: &Index,
    reduce: &mut dyn Reduce,
    count: &(dyn Fn(u64) + Sync),
    durable: bool,
) -> Result<(), Error> {
    let mut durable = durable;
    // Read from once a pass has shown that the next would not be short either.
    let mut moment = None;
    let mut passes = 0;
    loop {
        let db = moment.as_ref().unwrap_or(db);
        let from = index.state()?;
        let to = state_of(db)?;
        if from.database != to.database || from.seq > to.seq || from.purge_seq > to.purge_seq {
            return Err(Error::Outdated);
        }
        if from.purge_seq < to.purge_seq {
            purge(db, index, &from, reduce)?;
        }
        if let Some((rows, last)) = pipeline::rest(db, mapping, from.seq, count)? {
            if durable {
                db.flush()?;
            }
            let seq = last.map_or(to.seq, |last| last.max(to.seq));
            return index.apply(&rows, &IndexState { seq, ..to }, reduce, !durable);
        }
        durable |= pass(db, mapping, index, &from, &to, reduce, count)?;
        passes += 1;
        if passes == PASSES_UNPINNED && db.pin_number().is_none() {
            moment = Some(db.pin()?);
        }
    }
}

/// Passes before the database is pinned for the next.
const PASSES_UNPINNED: u32 = 2;

/// Maps what changed between two moments. A document that is changed meanwhile is left out, whatever it was before: the
/// next pass has it, which is shorter. Answers whether it was much.
fn pass(
    db: &Database,
    mapping: &Mapping,
    index: &Index,
    from: &IndexState,
    to: &IndexState,
    reduce: &mut dyn Reduce,
    count: &(dyn Fn(u64) + Sync),
) -> Result<bool, Error> {
    let pass = Pass {
        since: from.seq,
        until: to.seq,
        first: false,
    };
    let sorted = |mut rows: Rows| {
        rows.sort();
        Ok(rows)
    };
    // Until the last batch is in, the index tells that it is where it was: a crash costs mapping again.
    let mut bytes = 0;
    pipeline::run(db, mapping, pass, count, sorted, |rows| {
        bytes += rows.bytes();
        index.apply(&rows, from, reduce, true)
    })?;
    index.apply(&Rows::default(), to, reduce, true)?;
    Ok(bytes >= INDEX_COMMIT_BYTES)
}

/// Takes out what documents emitted that were purged wholly. Those that were not have a new seq.
fn purge(db: &Database, index: &Index, from: &IndexState, reduce: &mut dyn Reduce) -> Result<(), Error> {
    let purged = db.purged_infos()?;
    let oldest = purged.first().map_or(Seq::MAX, |(seq, ..)| *seq);
    if oldest > from.purge_seq + 1 {
        return Err(Error::Outdated);
    }
    let ids = purged.into_iter().filter(|(seq, ..)| *seq > from.purge_seq);
    let mut rows = Rows::default();
    for id in ids
        .map(|(_, id, _)| id)
        .collect::<std::collections::BTreeSet<_>>()
    {
        if db.seqs_of([id.as_str()])?.is_empty() {
            rows.push_document(&id, &[]);
        }
    }
    rows.sort();
    index.apply(&rows, from, reduce, true)
}
