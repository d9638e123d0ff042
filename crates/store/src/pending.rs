//! How many changes come after a seq: `pending` of a feed.
//!
//! Counting rows costs what it counts, and a client that pages through a million changes asks with every page. So the
//! answers to recent questions are kept as marks: the next page starts a little after one of them. Commits move the
//! marks along.

use crate::read::Snapshot;
use crate::tables::{self, State};
use crate::{ChangeRow, ChangesScan, Database, Error, ScanEnd};
use parking_lot::Mutex;
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};
use trunkline_core::Seq;

/// Marks kept per open database: as many feeds can page through it side by side without counting anew.
const MARKS_MAX: usize = 16;

/// Recent counts, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<VecDeque<Mark>>);

/// At `update_seq` of the database, `after` rows came after `since`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    update_seq: Seq,
    since: Seq,
    after: u64,
}

impl Marks {
    /// The nearest mark at or before `since`.
    fn before(&self, update_seq: Seq, since: Seq) -> Option<Mark> {
        let marks = self.0.lock();
        let usable = marks
            .iter()
            .filter(|mark| mark.update_seq == update_seq && mark.since <= since);
        usable.max_by_key(|mark| mark.since).copied()
    }

    /// Keeps an answer, in place of the mark it was counted from.
    fn keep(&self, mark: Mark, from: Option<Mark>) {
        let mut marks = self.0.lock();
        if let Some(from) = from {
            marks.retain(|mark| mark.since != from.since);
        }
        if marks.len() >= MARKS_MAX {
            marks.pop_front();
        }
        marks.push_back(mark);
    }

    /// Accounts for a commit: rows that were replaced, and rows that were added at the end.
    pub(crate) fn advance(&self, from: Seq, to: Seq, replaced: &[Seq], added: u64) {
        self.0.lock().retain_mut(|mark| {
            let replaced = replaced.iter().filter(|seq| **seq > mark.since).count() as u64;
            mark.after = (mark.after + added).saturating_sub(replaced);
            std::mem::replace(&mut mark.update_seq, to) == from
        });
    }
}

impl Database {
    /// How many changes come after `since`: `pending` of a feed. Counts from the nearest of both ends and recent
    /// answers; nothing at all while no document was edited twice. For one who does not see all of the database it reads
    /// everything behind `since`.
    pub fn count_changes(&self, since: Seq) -> Result<u64, Error> {
        if !self.is_whole() {
            return self.count_seen(since, |scan, row| self.changes(scan, row));
        }
        let file = self.file()?;
        let snapshot = self.snapshot()?;
        let total = snapshot.by_seq.len()?;
        let newest = snapshot.by_seq.last()?;
        let newest = newest.map_or(0, |(key, _)| Seq::from_be_bytes(*key.value()));
        if since >= newest {
            return Ok(0);
        }
        if newest == total {
            return Ok(newest - since);
        }
        let state = snapshot.table(tables::META)?.get(tables::meta::STATE)?;
        let state = state
            .map(|row| State::decode(row.value()))
            .transpose()?
            .unwrap_or_default();
        let mark = file.marks.before(state.update_seq, since);
        let after = count_after(&snapshot, total, since, mark)?;
        let answer = Mark {
            update_seq: state.update_seq,
            since,
            after,
        };
        file.marks.keep(answer, mark);
        Ok(after)
    }
}

impl Database {
    /// Counts the changes that somebody sees, chunk by chunk.
    pub(crate) fn count_seen(
        &self,
        since: Seq,
        chunk: impl Fn(&ChangesScan, &mut EachChange<'_>) -> Result<ScanEnd<Seq>, Error>,
    ) -> Result<u64, Error> {
        let mut scan = ChangesScan {
            since,
            until: self.last_seq()?,
            descending: false,
            bodies: false,
            limit: usize::MAX,
        };
        let mut count = 0;
        loop {
            let end = chunk(&scan, &mut |_| {
                count += 1;
                ControlFlow::Continue(())
            })?;
            match end.last {
                Some(last) if !end.done => scan.since = last,
                _ => return Ok(count),
            }
        }
    }
}

type EachChange<'a> = dyn FnMut(ChangeRow<'_>) -> ControlFlow<()> + 'a;

/// Steps from both ends and from the mark at once: whichever gets to `since` first knows the answer.
fn count_after(snapshot: &Snapshot, total: u64, since: Seq, mark: Option<Mark>) -> Result<u64, Error> {
    let key = since.to_be_bytes();
    let mut after = snapshot
        .by_seq
        .range::<&[u8; 8]>((Bound::Excluded(&key), Bound::Unbounded))?;
    let mut before = snapshot.by_seq.range::<&[u8; 8]>(..=&key)?;
    if mark.is_some_and(|mark| mark.since == since) {
        return Ok(mark.map_or(0, |mark| mark.after));
    }
    let from_mark = |mark: Mark| {
        let from = mark.since.to_be_bytes();
        let bounds = (Bound::Excluded(&from), Bound::Included(&key));
        Ok::<_, Error>((mark.after, snapshot.by_seq.range::<&[u8; 8]>(bounds)?))
    };
    let mut between = mark.map(from_mark).transpose()?;
    for counted in 0.. {
        if after.next().transpose()?.is_none() {
            return Ok(counted);
        }
        if before.next().transpose()?.is_none() {
            return Ok(total - counted);
        }
        if let Some((after_mark, rows)) = &mut between
            && rows.next().transpose()?.is_none()
        {
            return Ok(after_mark.saturating_sub(counted));
        }
    }
    Ok(total)
}
