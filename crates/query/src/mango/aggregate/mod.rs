//! Gathering what an aggregate tells: through an index where one is the shorter way, else through all documents.
//!
//! All that is read is read as of one moment, the one at which it began. Between two steps of some dozen milliseconds
//! nothing runs, so that whoever wanted the report may go away.

mod by_id;
mod scan;
mod through_index;

use super::bounds::Ids;
use super::documents::DESIGN;
use super::plan::{Plan, Source};
use super::search::Stats;
use crate::Error;
use crate::view_index::ViewIndex;
use by_id::ById;
use scan::Scan;
use std::sync::Arc;
use std::time::{Duration, Instant};
use through_index::ThroughIndex;
use trunkline_core::aggregate::{Aggregate, Fold, InvalidAggregate, Report, Seen};
use trunkline_core::limits::{AGGREGATE_BYTES_MAX, SNAPSHOT_AGE_MAX_MS};
use trunkline_core::partition::Partition;
use trunkline_core::rev::Rev;
use trunkline_core::selector::{Selector, TooMuchWork, Work};
use trunkline_store::{ChangeRow, Database, Error as StoreError};
use trunkline_wire::document::{self, Pieces};

/// An aggregate on its way.
pub struct Gathering {
    going: Going,
    asked: Asked,
    stats: Stats,
    started: Instant,
}

/// What is gone through.
enum Going {
    Scan(Scan),
    ById(Box<ById>),
    ThroughIndex(Box<ThroughIndex>),
    Done(Fold),
}

/// Which documents, of which moment, and what of them.
struct Asked {
    db: Database,
    selector: Selector,
    /// What else documents of the plan match: the filter of its index.
    partial: Option<Selector>,
    partition: Option<Partition>,
    aggregate: Arc<Aggregate>,
    bytes_max: usize,
}

/// Documents that are read as they lie, by all threads, in the time of one that is looked up.
const SCAN_SPEED: u64 = 8;

impl Gathering {
    /// Begins it, with the plan's index if it has one. `named` is whether the index was asked for by name: otherwise it
    /// is left aside where that is sooner done.
    pub fn new(
        db: &Database,
        index: Option<Arc<ViewIndex>>,
        selector: Selector,
        plan: &Plan,
        aggregate: Arc<Aggregate>,
        named: bool,
    ) -> Result<Gathering, Error> {
        // Before the moment of the database: the index must not be ahead of it.
        let snapshot = index
            .as_ref()
            .map(|index| index.snapshot())
            .transpose()?
            .flatten();
        let asked = Asked {
            db: match db.pin_number() {
                Some(_) => db.clone(),
                None => db.pin()?,
            },
            selector,
            partial: partial(&plan.source)?,
            partition: plan.partition.clone(),
            aggregate,
            bytes_max: AGGREGATE_BYTES_MAX,
        };
        let going = match (&plan.source, index.zip(snapshot)) {
            _ if plan.nothing => Going::Done(asked.fold()),
            (Source::Index { .. }, Some(index)) => {
                let through = ThroughIndex::new(&asked, index, plan)?;
                match through.filter(|through| named || through.is_shorter(&asked)) {
                    Some(through) => Going::ThroughIndex(Box::new(through)),
                    None => Going::Scan(Scan::new(&asked)?),
                }
            }
            (Source::Documents(ids), _) if *ids != Ids::default() => {
                Going::ById(Box::new(ById::new(&asked, ids)?))
            }
            _ => Going::Scan(Scan::new(&asked)?),
        };
        Ok(Gathering {
            going,
            asked,
            stats: Stats::default(),
            started: Instant::now(),
        })
    }

    /// Whether all is gathered.
    pub fn is_done(&self) -> bool {
        matches!(self.going, Going::Done(_))
    }

    /// Goes on for some dozen milliseconds.
    pub fn step(&mut self) -> Result<(), Error> {
        if self.started.elapsed() > Duration::from_millis(SNAPSHOT_AGE_MAX_MS) {
            return Err(StoreError::SnapshotEnded.into());
        }
        let next = match &mut self.going {
            Going::Scan(scan) => scan.step(&self.asked, &mut self.stats)?.map(Going::Done),
            Going::ThroughIndex(through) => through.step(&self.asked, &mut self.stats)?.map(Going::Done),
            Going::ById(by_id) => by_id.step(&self.asked, &mut self.stats)?,
            Going::Done(_) => None,
        };
        if let Some(next) = next {
            self.going = next;
        }
        Ok(())
    }

    /// What it took so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The rows, without the first so many and at most so many. Of what is not done yet there are none.
    pub fn finish(self, skip: u64, limit: u64) -> Report {
        let fold = match self.going {
            Going::Done(fold) => fold,
            _ => self.asked.fold(),
        };
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        fold.finish(number(skip), number(limit))
    }
}

/// Which documents an index has at all.
fn partial(source: &Source) -> Result<Option<Selector>, Error> {
    let Source::Index { index, .. } = source else {
        return Ok(None);
    };
    let partial = index.definition.partial.as_deref().map(Selector::parse);
    // It was read before, or there would be no such index.
    partial.transpose().map_err(|_| Error::Outdated)
}

impl Asked {
    fn fold(&self) -> Fold {
        Fold::new(self.aggregate.clone())
    }

    /// Adds a document if it matches; the revisions of its other leaves are those of conflicts.
    fn offer(
        &self,
        fold: &mut Fold,
        doc: Pieces<'_>,
        conflicts: impl FnOnce() -> Vec<Rev>,
        work: &Work,
    ) -> Result<(), TooMuchWork> {
        if self
            .partition
            .as_ref()
            .is_some_and(|partition| !partition.holds(doc.id))
        {
            return Ok(());
        }
        let attached = || {
            let all = std::iter::once(doc.rev.clone()).chain(conflicts());
            document::attached(doc, &all.map(|rev| (rev, false)).collect::<Vec<_>>())
        };
        let is_match = match &self.partial {
            None => self
                .selector
                .judge(doc.id, doc.rev, doc.deleted, doc.body, attached, work)?,
            Some(partial) => {
                let attached = attached();
                let judge = |selector: &Selector| {
                    let attached = || attached.clone();
                    selector.judge(doc.id, doc.rev, doc.deleted, doc.body, attached, work)
                };
                judge(&self.selector)? && judge(partial)?
            }
        };
        if is_match {
            fold.add(Seen {
                id: doc.id,
                rev: doc.rev,
                body: doc.body,
            });
        }
        Ok(())
    }

    /// Adds a document as it is among the changes; answers whether it was looked at.
    fn look(&self, fold: &mut Fold, row: &ChangeRow<'_>, work: &Work) -> Result<bool, TooMuchWork> {
        let mut leaves = row.leaves.clone();
        let (Some((rev, false)), Some(winner)) = (leaves.next(), &row.winner) else {
            return Ok(false);
        };
        if row.id.starts_with(DESIGN) {
            return Ok(false);
        }
        let doc = Pieces {
            id: row.id,
            rev: &rev,
            deleted: false,
            body: winner.body,
            attachments: &winner.attachments,
        };
        let live = |(rev, deleted): (_, bool)| (!deleted).then_some(rev);
        self.offer(fold, doc, || leaves.filter_map(live).collect(), work)?;
        Ok(true)
    }

    fn check(&self, bytes: usize) -> Result<(), Error> {
        match bytes <= self.bytes_max {
            true => Ok(()),
            false => Err(Error::Aggregate(InvalidAggregate::TooManyGroups)),
        }
    }
}

#[cfg(test)]
mod tests;
