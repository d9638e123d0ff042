//! Looking through documents in the order in which they lie, on several threads, for those that come first by id.
//!
//! To read documents by id costs a look-up for each; to read them as they lie costs next to nothing. So where few of many
//! match, all are looked through, and the ids of the first that match are kept.

use super::documents::DESIGN;
use crate::Error;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use trunkline_core::Seq;
use trunkline_core::limits::INDEX_MAP_THREADS_MAX;
use trunkline_core::selector::{Selector, TooMuchWork, Work};
use trunkline_store::{ChangeRow, ChangesScan, Database, DocsScan};
use trunkline_wire::document::{Pieces, attached};

/// A look through all documents, stretch by stretch.
pub(super) struct Sweep {
    /// Which ids.
    pub(super) ids: DocsScan,
    first: First,
    /// Stretches that threads have begun and not ended.
    begun: Vec<Stretch>,
    /// Behind them nothing was looked through yet.
    since: Seq,
    /// What was there when it began.
    until: Seq,
    done: bool,
}

/// The first ids of those that match.
#[derive(Clone, Debug)]
struct First {
    ids: BTreeSet<String>,
    most: usize,
    descending: bool,
}

/// Changes behind a seq, up to another.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    since: Seq,
    until: Seq,
}

/// Changes that one thread takes on at once.
const STRETCH: Seq = 16_384;

/// Chunks that it reads of them before the next look at whether anyone still waits: eight megabytes, some dozen
/// milliseconds.
const CHUNKS: usize = 32;

impl Sweep {
    /// For at most so many of the documents of a scan.
    pub(super) fn new(db: &Database, ids: DocsScan, most: usize) -> Result<Sweep, Error> {
        Ok(Sweep {
            first: First {
                ids: BTreeSet::new(),
                most,
                descending: ids.descending,
            },
            ids,
            begun: Vec::new(),
            since: 0,
            until: db.last_seq()?,
            done: false,
        })
    }

    /// Whether all was looked through.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The ids, the last one first; and whether there may be more.
    pub(super) fn into_ids(self) -> (Vec<String>, bool) {
        let more = self.first.ids.len() >= self.first.most;
        let mut ids: Vec<String> = self.first.ids.into_iter().collect();
        if !self.first.descending {
            ids.reverse();
        }
        (ids, more)
    }

    /// Goes on; answers how many documents were looked at.
    pub(super) fn step(&mut self, db: &Database, selector: &Selector) -> Result<u64, Error> {
        if self.begun.is_empty() && self.since >= self.until {
            // Documents that were edited meanwhile have moved behind everything: one snapshot shows the last of them.
            let before = self.since;
            let scan = changes(before, Seq::MAX);
            let (mut looked, mut piece) = (0, Piece::default());
            let end = db.changes(&scan, &mut |row| {
                looked += 1;
                piece.look(&mut self.first, &self.ids, selector, &row)
            })?;
            piece.outcome()?;
            self.since = end.last.unwrap_or(before);
            self.done = end.done;
            return Ok(looked);
        }
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(INDEX_MAP_THREADS_MAX);
        while self.begun.len() < threads && self.since < self.until {
            let until = self.until.min(self.since + STRETCH);
            self.begun.push(Stretch {
                since: self.since,
                until,
            });
            self.since = until;
        }
        let (ids, first) = (&self.ids, &self.first);
        let found = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .begun
                .iter_mut()
                .map(|stretch| scope.spawn(move || look_through(db, stretch, ids, selector, first.clone())))
                .collect();
            let joined = threads.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect::<Result<Vec<_>, Error>>()
        })?;
        let mut looked = 0;
        for (of_stretch, documents) in found {
            looked += documents;
            of_stretch.ids.into_iter().for_each(|id| self.first.add(id));
        }
        self.begun.retain(|stretch| stretch.since < stretch.until);
        Ok(looked)
    }
}

fn changes(since: Seq, until: Seq) -> ChangesScan {
    ChangesScan {
        since,
        until,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    }
}

/// Goes on with a stretch.
fn look_through(
    db: &Database,
    stretch: &mut Stretch,
    ids: &DocsScan,
    selector: &Selector,
    mut first: First,
) -> Result<(First, u64), Error> {
    let (mut looked, mut piece) = (0, Piece::default());
    for _ in 0..CHUNKS {
        let end = db.changes(&changes(stretch.since, stretch.until), &mut |row| {
            looked += 1;
            piece.look(&mut first, ids, selector, &row)
        })?;
        stretch.since = end.last.filter(|_| !end.done).unwrap_or(stretch.until);
        if stretch.since >= stretch.until || piece.work.is_enough() {
            break;
        }
    }
    piece.outcome()?;
    Ok((first, looked))
}

/// What one thread does in a step.
#[derive(Default)]
struct Piece {
    work: Work,
    failed: Option<TooMuchWork>,
}

impl Piece {
    /// Looks at a document; answers whether to go on.
    fn look(
        &mut self,
        first: &mut First,
        ids: &DocsScan,
        selector: &Selector,
        row: &ChangeRow<'_>,
    ) -> ControlFlow<()> {
        if let Err(failed) = first.look(ids, selector, row, &self.work) {
            self.failed = Some(failed);
        }
        match self.failed.is_some() || self.work.is_enough() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn outcome(&mut self) -> Result<(), TooMuchWork> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl First {
    /// Keeps the id of a document if it matches and is among the first.
    fn look(
        &mut self,
        ids: &DocsScan,
        selector: &Selector,
        row: &ChangeRow<'_>,
        work: &Work,
    ) -> Result<(), TooMuchWork> {
        let mut leaves = row.leaves.clone();
        let (Some((rev, false)), Some(winner)) = (leaves.next(), &row.winner) else {
            return Ok(());
        };
        if row.id.starts_with(DESIGN) || !holds(ids, row.id) || !self.wants(row.id) {
            return Ok(());
        }
        let doc = Pieces {
            id: row.id,
            rev: &rev,
            deleted: false,
            body: winner.body,
            attachments: &winner.attachments,
        };
        let attached = || {
            let leaves: Vec<_> = row.leaves.clone().filter(|(_, deleted)| !deleted).collect();
            attached(doc, &leaves)
        };
        if selector.judge(doc.id, doc.rev, false, doc.body, attached, work)? {
            self.add(row.id.to_owned());
        }
        Ok(())
    }

    fn wants(&self, id: &str) -> bool {
        let last = if self.descending {
            self.ids.first()
        } else {
            self.ids.last()
        };
        self.ids.len() < self.most
            || last.is_some_and(|last| match self.descending {
                true => id > last.as_str(),
                false => id < last.as_str(),
            })
    }

    fn add(&mut self, id: String) {
        self.ids.insert(id);
        while self.ids.len() > self.most {
            match self.descending {
                true => self.ids.pop_first(),
                false => self.ids.pop_last(),
            };
        }
    }
}

/// Whether an id is in a scan.
fn holds(scan: &DocsScan, id: &str) -> bool {
    let before = |a: &str, b: &str| if scan.descending { a > b } else { a < b };
    let starts = scan
        .start
        .as_deref()
        .is_none_or(|start| before(start, id) || start == id && !scan.after_start);
    let ends = scan
        .end
        .as_deref()
        .is_none_or(|end| before(id, end) || end == id && scan.inclusive_end);
    starts && ends
}
