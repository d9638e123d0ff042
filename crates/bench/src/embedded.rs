//! The lines without a network: a store in this process against redb in this process.

use crate::bench::{BATCH_DOCS, Bench, WRITERS};
use crate::cdr::{Cdr, Ids};
use crate::load;
use crate::measure::{Failure, alternate, pair, rate, rate_for};
use crate::raw::Raw;
use crate::report::{Goal, Line};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use trunkline_store::Database;

/// Bulk writes, batches of [`BATCH_DOCS`], into an empty database.
pub(crate) fn bulk(bench: &Bench, ids: Ids) -> Result<Line, Failure> {
    let records = Cdr::range(ids, 0..bench.docs);
    let mut ours = |_: usize| {
        let dir = bench.directory()?;
        let (store, database) = load::create(dir.path())?;
        let rate = rate(records.len(), || {
            records
                .chunks(BATCH_DOCS as usize)
                .try_for_each(|batch| load::update(&database, batch))
        })?;
        store.close()?;
        Ok(rate)
    };
    let mut floor = |_: usize| {
        let dir = bench.directory()?;
        let raw = Raw::create(&dir.path().join("raw.redb"), bench.cache_bytes())?;
        rate(records.len(), || {
            records
                .chunks(BATCH_DOCS as usize)
                .try_for_each(|batch| raw.commit(batch))
        })
    };
    let samples = alternate(bench.repeat, &mut [&mut ours, &mut floor])?;
    let [ours, floor] = samples.as_slice() else {
        return Err("two sides".into());
    };
    let pair = pair(ours, floor);
    let (name, order, goal) = match ids {
        Ids::Sequential => ("bulk-sequential", "sequential", 0.6),
        Ids::Random => ("bulk-random", "random", 0.7),
    };
    Ok(Line {
        name,
        what: format!(
            "embedded, batches of {BATCH_DOCS}, {order} ids, {} documents",
            bench.docs
        ),
        unit: "docs/s",
        measured: pair.measured,
        floor: Some(("raw redb".into(), pair.floor)),
        ratio: Some(pair.ratio),
        goal: Goal::Ratio(goal),
    })
}

/// Single durable puts from one thread and from many, in one alternation, since they are held against each other.
pub(crate) fn puts(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.directory()?;
    let (store, database) = load::create(&dir.path().join("store"))?;
    let raw = Raw::create(&dir.path().join("raw.redb"), bench.cache_bytes())?;
    let (next, next_raw) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut one = |_: usize| put_from_threads(&database, &next, 1, bench.slice);
    let mut raw_one = |_: usize| commits(&raw, &next_raw, 1, bench.slice);
    let mut many = |_: usize| put_from_threads(&database, &next, WRITERS, bench.slice);
    let mut raw_many = |_: usize| commits(&raw, &next_raw, WRITERS as u64, bench.slice);
    let samples = alternate(
        bench.repeat,
        &mut [&mut one, &mut raw_one, &mut many, &mut raw_many],
    )?;
    store.close()?;
    let [one, raw_one, many, raw_many] = samples.as_slice() else {
        return Err("four sides".into());
    };
    let line = |name, what: String, floor: &str, pair: crate::measure::Pair, goal| Line {
        name,
        what,
        unit: "docs/s",
        measured: pair.measured,
        floor: Some((floor.to_owned(), pair.floor)),
        ratio: Some(pair.ratio),
        goal: Goal::Ratio(goal),
    };
    Ok(vec![
        line(
            "put",
            "embedded durable puts, 1 thread".into(),
            "raw redb, a commit per put",
            pair(one, raw_one),
            0.8,
        ),
        line(
            "put",
            format!("embedded durable puts, {WRITERS} threads"),
            "raw redb, 32 puts per commit",
            pair(many, raw_many),
            0.8,
        ),
        line(
            "put",
            format!("embedded durable puts, {WRITERS} threads"),
            "1 thread",
            pair(many, one),
            4.0,
        ),
    ])
}

/// Puts one document after another from each of `threads` threads for a while; documents per second of all.
pub(crate) fn put_from_threads(
    database: &Database,
    next: &AtomicU64,
    threads: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let start = Instant::now();
    let put_for_a_while = || {
        rate_for(time, || {
            let record = Cdr::new(Ids::Random, next.fetch_add(1, Ordering::Relaxed));
            load::update(database, std::slice::from_ref(&record))?;
            Ok(1)
        })
    };
    let before = next.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads).map(|_| scope.spawn(put_for_a_while)).collect();
        writers.into_iter().try_for_each(|writer| match writer.join() {
            Ok(rate) => rate.map(drop),
            Err(_) => Err("a writer panicked".into()),
        })
    })?;
    Ok((next.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64())
}

fn commits(raw: &Raw, next: &AtomicU64, per_commit: u64, time: Duration) -> Result<f64, Failure> {
    rate_for(time, || {
        let first = next.fetch_add(per_commit, Ordering::Relaxed);
        let records = Cdr::range(Ids::Random, first..first + per_commit);
        raw.commit(&records)?;
        Ok(records.len())
    })
}
