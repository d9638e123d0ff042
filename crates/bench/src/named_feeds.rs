//! Named feeds: reading one that holds little of much, building it, and what it costs those who write.

use crate::bench::{BATCH_DOCS, Bench, DATABASE};
use crate::cdr::{Cdr, Ids};
use crate::load;
use crate::measure::{Failure, alternate, median, pair, rate};
use crate::report::{Goal, Line};
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Instant;
use trunkline_core::Seq;
use trunkline_core::db_name::DbName;
use trunkline_store::{ChangesScan, Database, Store};

/// What writing may lose by one feed, and by ten.
const LOST_BY_ONE: f64 = 0.99;
const LOST_BY_TEN: f64 = 0.90;

/// All lines of named feeds.
pub(crate) fn named_feeds(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let mut lines = read(bench)?;
    lines.extend(written(bench)?);
    Ok(lines)
}

/// Declares as many feeds, each of one account in a thousand.
fn declare(database: &Database, feeds: usize) -> Result<(), Failure> {
    let feed = |account: usize| {
        let selector = json!({"account_id": format!("acct-{account:04}")});
        (format!("f{account}"), json!({"selector": selector}))
    };
    let feeds: serde_json::Map<String, serde_json::Value> = (0..feeds).map(feed).collect();
    let design = Cdr {
        id: "_design/billing".to_owned(),
        body: json!({"feeds": feeds}).to_string(),
    };
    load::update(database, &[design])
}

fn read(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.loaded()?;
    let store = Store::open(&dir)?;
    let name = DbName::parse(DATABASE).map_err(|_| "no database name")?;
    let database = store.database(&name)?;
    declare(&database, 1)?;
    let built = rate(usize::try_from(bench.big_docs)?, || {
        Ok(database.build_feed("billing/f0")?)
    })?;
    let (mut samples, mut rows) = (Vec::new(), 0);
    for _ in 0..bench.repeat {
        let start = Instant::now();
        rows = rows_of(&database)?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    store.close()?;
    // It has a design document more than other lines expect now.
    bench.loaded = None;
    std::fs::remove_dir_all(&dir)?;
    let line = |what: String, unit, measured, goal| Line {
        name: "named-feeds",
        what,
        unit,
        measured,
        floor: None,
        ratio: None,
        goal,
    };
    let of = bench.big_docs;
    Ok(vec![
        line(
            format!("{rows} of {of} documents are read, with bodies"),
            "ms",
            median(&samples),
            Goal::AtMost(100.0),
        ),
        line(
            format!("built from {of} documents"),
            "docs/s",
            built,
            Goal::AtLeast(500_000.0),
        ),
    ])
}

fn rows_of(database: &Database) -> Result<usize, Failure> {
    let mut scan = ChangesScan {
        since: 0,
        until: Seq::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut rows = 0;
    loop {
        let end = database.feed_changes("billing/f0", &scan, &mut |_| {
            rows += 1;
            ControlFlow::Continue(())
        })?;
        match (end.done, end.last) {
            (false, Some(last)) => scan.since = last,
            _ => return Ok(rows),
        }
    }
}

/// Bulk writes without feeds, with one and with ten.
fn written(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let records = Cdr::range(Ids::Sequential, 0..bench.docs);
    let bulk = |feeds: usize| {
        let dir = bench.directory()?;
        let (store, database) = load::create(dir.path())?;
        // A design document stands behind ids that begin with a digit, which takes the way of ids in order from all sides.
        declare(&database, feeds)?;
        database.build_feeds()?;
        let rate = rate(records.len(), || {
            records
                .chunks(BATCH_DOCS as usize)
                .try_for_each(|batch| load::update(&database, batch))
        })?;
        store.close()?;
        Ok(rate)
    };
    let samples = alternate(
        bench.repeat,
        &mut [&mut |_| bulk(0), &mut |_| bulk(1), &mut |_| bulk(10)],
    )?;
    let [none, one, ten] = samples.as_slice() else {
        return Err("three sides".into());
    };
    let line = |feeds: &str, with: &[f64], goal: f64| {
        let pair = pair(with, none);
        Line {
            name: "named-feeds",
            what: format!(
                "batches of {BATCH_DOCS} are written with {feeds}, {} documents",
                bench.docs
            ),
            unit: "docs/s",
            measured: pair.measured,
            floor: Some(("no feed".into(), pair.floor)),
            ratio: Some(pair.ratio),
            goal: Goal::Ratio(goal),
        }
    };
    Ok(vec![
        line("one feed", one, LOST_BY_ONE),
        line("ten feeds", ten, LOST_BY_TEN),
    ])
}
