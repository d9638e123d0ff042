//! From changes to rows: one thread reads and spells documents, several map them, and the caller takes the rows.

use super::documents::Documents;
use crate::Error;
use crate::index::Rows;
use crate::mapper::Mapping;
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use trunkline_core::Seq;
use trunkline_core::limits::{INDEX_BATCH_BYTES, INDEX_MAP_THREADS_MAX, INDEX_ROWS_BYTES};
use trunkline_store::{ChangesScan, Database};

/// Which documents are mapped: those changed after `since`, up to `until`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) since: Seq,
    pub(super) until: Seq,
    /// The index has no rows yet: documents that emit nothing need no mention.
    pub(super) first: bool,
}

/// Batches of documents that wait for each mapping thread.
const WAITING: usize = 2;

/// Maps the documents of a pass. `done` makes of the rows that a thread gathered what `take` is given; it is called on
/// that thread, `take` on this one. `count` hears of documents that were mapped.
pub(super) fn run<T: Send>(
    db: &Database,
    mapping: &Mapping,
    pass: Pass,
    count: &(dyn Fn(u64) + Sync),
    done: impl Fn(Rows) -> Result<T, Error> + Sync,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut first = Documents::default();
    let since = read(db, mapping, pass, &mut first)?;
    if since.is_none() {
        // What is little is sooner done here than handed over.
        let mut mapper = mapping.mapper()?;
        let mut rows = Rows::default();
        first.map(&mut mapper, pass.first, &mut rows, &mut |rows| {
            if rows.bytes() < INDEX_ROWS_BYTES {
                return Ok(());
            }
            take(done(std::mem::take(rows))?)
        })?;
        count(first.len() as u64);
        return take(done(rows)?);
    }
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(INDEX_MAP_THREADS_MAX);
    let (documents, waiting) = sync_channel(threads * WAITING);
    let waiting = Mutex::new(waiting);
    let (finished, results) = sync_channel(threads);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_all(db, mapping, pass, first, since, &documents));
        let mappers: Vec<_> = (0..threads)
            .map(|_| {
                let (finished, waiting, done) = (finished.clone(), &waiting, &done);
                scope.spawn(move || map_all(mapping, pass, count, waiting, done, &finished))
            })
            .collect();
        drop(finished);
        let mut taken = Ok(());
        for result in results {
            if taken.is_ok() {
                taken = take(result);
            }
        }
        let joined = |thread: std::thread::ScopedJoinHandle<'_, Result<(), Error>>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        let mapped: Result<(), Error> = mappers
            .into_iter()
            .map(joined)
            .collect::<Vec<_>>()
            .into_iter()
            .collect();
        // Whoever waits for what the other will not send any more only says that it ended.
        taken.and(mapped).and(joined(reader))
    })
}

/// Maps all documents changed after `since`, when they are so few that one snapshot shows them: sorted rows, and the seq of
/// the last. `None` when there are more.
pub(super) fn rest(
    db: &Database,
    mapping: &Mapping,
    since: Seq,
    count: &(dyn Fn(u64) + Sync),
) -> Result<Option<(Rows, Option<Seq>)>, Error> {
    let mut documents = Documents::default();
    let scan = ChangesScan {
        since,
        until: Seq::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let end = db.changes(&scan, &mut |row| {
        documents.push(mapping, row);
        ControlFlow::Continue(())
    })?;
    if !end.done {
        return Ok(None);
    }
    let mut rows = Rows::default();
    if documents.len() > 0 {
        documents.map(&mut mapping.mapper()?, false, &mut rows, &mut |_| Ok(()))?;
    }
    count(documents.len() as u64);
    rows.sort();
    Ok(Some((rows, end.last)))
}

fn read_all(
    db: &Database,
    mapping: &Mapping,
    mut pass: Pass,
    mut batch: Documents,
    mut since: Option<Seq>,
    documents: &SyncSender<Documents>,
) -> Result<(), Error> {
    loop {
        // Someone takes them until the sender is dropped.
        let _ = documents.send(std::mem::take(&mut batch));
        let Some(next) = since else { return Ok(()) };
        pass.since = next;
        since = read(db, mapping, pass, &mut batch)?;
    }
}

/// Fills a batch; answers where the next begins, if there is one.
fn read(
    db: &Database,
    mapping: &Mapping,
    mut pass: Pass,
    batch: &mut Documents,
) -> Result<Option<Seq>, Error> {
    loop {
        let scan = ChangesScan {
            since: pass.since,
            until: pass.until,
            descending: false,
            bodies: true,
            limit: usize::MAX,
        };
        let mut full = false;
        let end = db.changes(&scan, &mut |row| {
            batch.push(mapping, row);
            full = batch.bytes() >= INDEX_BATCH_BYTES;
            if full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        match end.last {
            Some(last) if !end.done => pass.since = last,
            _ => return Ok(None),
        }
        if full {
            return Ok(Some(pass.since));
        }
    }
}

fn map_all<T>(
    mapping: &Mapping,
    pass: Pass,
    count: &(dyn Fn(u64) + Sync),
    waiting: &Mutex<Receiver<Documents>>,
    done: &(impl Fn(Rows) -> Result<T, Error> + Sync),
    finished: &SyncSender<T>,
) -> Result<(), Error> {
    let mapped = || {
        let mut mapper = mapping.mapper()?;
        let mut rows = Rows::default();
        while let Some(batch) = next(waiting) {
            batch.map(&mut mapper, pass.first, &mut rows, &mut |rows| {
                if rows.bytes() >= INDEX_ROWS_BYTES {
                    let _ = finished.send(done(std::mem::take(rows))?);
                }
                Ok(())
            })?;
            count(batch.len() as u64);
        }
        if !rows.is_empty() {
            let _ = finished.send(done(rows)?);
        }
        Ok(())
    };
    let mapped = mapped();
    // The reader must not wait for a thread that gave up.
    if mapped.is_err() {
        while next(waiting).is_some() {}
    }
    mapped
}

fn next(waiting: &Mutex<Receiver<Documents>>) -> Option<Documents> {
    waiting.lock().recv().ok()
}
