//! Going through all documents as they lie, on several threads, each with a fold of its own.

use super::Asked;
use crate::Error;
use crate::mango::search::Stats;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use trunkline_core::Seq;
use trunkline_core::aggregate::Fold;
use trunkline_core::limits::INDEX_MAP_THREADS_MAX;
use trunkline_core::selector::Work;
use trunkline_store::ChangesScan;

/// What the threads have gathered, and where they are.
pub(super) struct Scan {
    workers: Vec<Worker>,
    /// Up to here changes were handed out.
    handed_out: Seq,
    until: Seq,
}

/// What one thread goes on with in the next step.
struct Worker {
    fold: Fold,
    since: Seq,
    until: Seq,
    looked: u64,
}

/// What the threads of a step share.
struct Step<'a> {
    asked: &'a Asked,
    /// Changes up to here are handed out.
    next: AtomicU64,
    until: Seq,
    /// Bytes of all folds.
    bytes: AtomicUsize,
}

/// Changes that are handed out at once.
const STRETCH: Seq = 4096;

/// Chunks that a thread reads in one step: four megabytes.
const CHUNKS: usize = 16;

impl Scan {
    pub(super) fn new(asked: &Asked) -> Result<Scan, Error> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let worker = |_| Worker {
            fold: asked.fold(),
            since: 0,
            until: 0,
            looked: 0,
        };
        Ok(Scan {
            workers: (0..threads.min(INDEX_MAP_THREADS_MAX)).map(worker).collect(),
            handed_out: 0,
            until: asked.db.last_seq()?,
        })
    }

    /// Goes on; answers the fold of all documents at the end.
    pub(super) fn step(&mut self, asked: &Asked, stats: &mut Stats) -> Result<Option<Fold>, Error> {
        let step = Step {
            asked,
            next: self.handed_out.into(),
            until: self.until,
            bytes: self.bytes().into(),
        };
        let step_of = &step;
        std::thread::scope(|scope| {
            let start = |worker| scope.spawn(move || Worker::go_on(worker, step_of));
            let threads: Vec<_> = self.workers.iter_mut().map(start).collect();
            threads.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        self.handed_out = step.next.into_inner();
        stats.docs = self.workers.iter().map(|worker| worker.looked).sum();
        let idle = |worker: &Worker| worker.since >= worker.until;
        let done = self.handed_out >= self.until && self.workers.iter().all(idle);
        if done || self.bytes() > asked.bytes_max {
            self.merge(asked);
            asked.check(self.bytes())?;
        }
        let first = self.workers.first_mut().filter(|_| done);
        Ok(first.map(|worker| std::mem::replace(&mut worker.fold, asked.fold())))
    }

    fn bytes(&self) -> usize {
        self.workers.iter().map(|worker| worker.fold.bytes()).sum()
    }

    /// Most groups are in all folds: together they take less.
    fn merge(&mut self, asked: &Asked) {
        if let Some((first, others)) = self.workers.split_first_mut() {
            for other in others {
                first.fold.merge(std::mem::replace(&mut other.fold, asked.fold()));
            }
        }
    }
}

impl Worker {
    fn go_on(&mut self, step: &Step<'_>) -> Result<(), Error> {
        let work = Work::default();
        for _ in 0..CHUNKS {
            if self.since >= self.until {
                let since = step.next.fetch_add(STRETCH, Ordering::Relaxed);
                if since >= step.until {
                    return Ok(());
                }
                (self.since, self.until) = (since, step.until.min(since + STRETCH));
            }
            let before = self.fold.bytes();
            self.chunk(step.asked, &work)?;
            let more = self.fold.bytes().saturating_sub(before);
            if step.bytes.fetch_add(more, Ordering::Relaxed) + more > step.asked.bytes_max || work.is_enough()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn chunk(&mut self, asked: &Asked, work: &Work) -> Result<(), Error> {
        let scan = ChangesScan {
            since: self.since,
            until: self.until,
            descending: false,
            bodies: true,
            limit: usize::MAX,
        };
        let mut failed = None;
        let end = asked.db.changes(&scan, &mut |row| {
            match asked.look(&mut self.fold, &row, work) {
                Ok(looked) => self.looked += u64::from(looked),
                Err(too_much) => failed = Some(too_much),
            }
            match failed.is_some() || work.is_enough() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        self.since = end.last.filter(|_| !end.done).unwrap_or(self.until);
        Ok(())
    }
}
