//! Views of one database in this process: building their index, reading it, keeping it up to date.

use crate::bench::{BATCH_DOCS, Bench, DATABASE};
use crate::cdr::{Cdr, Ids};
use crate::load;
use crate::measure::{Failure, median, pair, rate};
use crate::report::{Goal, Line};
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;
use trunkline_core::db_name::DbName;
use trunkline_query::design::Design;
use trunkline_query::index::Grouping;
use trunkline_query::view::{Keys, Places};
use trunkline_query::{Indexes, ViewIndex};
use trunkline_store::{Database, Store};
use trunkline_wire::design_doc;

const BY_ACCOUNT: &str = "function (doc) {
    if (doc.pvt_type === 'cdr') emit([doc.account_id, doc.start_time], doc.duration_seconds);
}";
const BY_CALLER: &str = "function (doc) {
    if (doc.pvt_type === 'cdr') emit(doc.from_user, null);
}";
/// Sums up as people write it.
const SUM: &str = "function (keys, values, rereduce) { return sum(values); }";
const COUNT: &str = "function (keys, values, rereduce) { return rereduce ? sum(values) : values.length; }";

/// Groups of the two lines that ask for many.
const GROUPS_SCRIPT: u64 = 5000;
const GROUPS_BUILT_IN: u64 = 3000;
/// Writes that are each followed by a query.
const WRITES: u64 = 50;
/// Rows of such a query.
const PAGE: usize = 10;

/// All lines of views.
pub(crate) fn views(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.loaded()?;
    let store = Store::open(&dir)?;
    let name = DbName::parse(DATABASE).map_err(|_| "no database name")?;
    let database = store.database(&name)?;
    let indexes = Indexes::default();
    let mut lines = builds(bench, &database, &indexes)?;
    lines.extend(reductions(bench, &database, &indexes)?);
    lines.push(after_a_write(bench, &database, &indexes)?);
    drop(indexes);
    store.close()?;
    // It has more documents than other lines expect now.
    bench.loaded = None;
    std::fs::remove_dir_all(&dir)?;
    Ok(lines)
}

fn designed(views: serde_json::Value) -> Result<Design, Failure> {
    let body = json!({ "views": views }).to_string();
    Ok(Design::new(&design_doc::parse(&body)?))
}

/// Two maps, with one reduction each or none; `salt` makes their index another one.
fn two_views(reduced: bool, salt: usize) -> Result<Design, Failure> {
    let view = |map: &str, reduce: &str| {
        let map = format!("/* {salt} */ {map}");
        if reduced {
            json!({"map": map, "reduce": reduce})
        } else {
            json!({"map": map})
        }
    };
    designed(json!({"by_account": view(BY_ACCOUNT, SUM), "by_caller": view(BY_CALLER, COUNT)}))
}

fn builds(bench: &Bench, database: &Database, indexes: &Indexes) -> Result<Vec<Line>, Failure> {
    let docs = usize::try_from(bench.big_docs)?;
    let build = |reduced: bool, salt: usize| {
        let index = indexes.index(database, two_views(reduced, salt)?)?;
        rate(docs, || Ok(index.update()?))
    };
    let (mut plain, mut reduced) = (Vec::new(), Vec::new());
    for salt in 0..bench.repeat {
        plain.push(build(false, salt)?);
        reduced.push(build(true, salt)?);
    }
    let pair = pair(&reduced, &plain);
    let what = |which: &str| format!("JavaScript, {which}, {} documents", bench.big_docs);
    Ok(vec![
        Line {
            name: "views",
            what: what("two views are built"),
            unit: "docs/s",
            measured: median(&plain),
            floor: None,
            ratio: None,
            goal: Goal::AtLeast(100_000.0),
        },
        Line {
            name: "views",
            what: what("two views with JavaScript reductions are built"),
            unit: "docs/s",
            measured: pair.measured,
            floor: Some(("map only".into(), pair.floor)),
            ratio: Some(pair.ratio),
            goal: Goal::Ratio(0.5),
        },
    ])
}

/// The places of all rows of a view.
fn all(index: &ViewIndex, view: &str) -> Result<(Places, usize), Failure> {
    let view = index.design().views.get(view).ok_or("no such view")?;
    let places = Keys::default().places(view.number, index.collation(view.number))?;
    Ok((places, view.reduce.unwrap_or_default()))
}

/// Milliseconds that groups of all rows take, and how many there are.
fn grouped(index: &ViewIndex, view: &str, grouping: Grouping) -> Result<(f64, u64), Failure> {
    let (places, reduce) = all(index, view)?;
    let start = Instant::now();
    let snapshot = index.snapshot()?.ok_or("no index")?;
    let mut groups = 0;
    index.reduce(&snapshot, &places, grouping, reduce, &mut |_, value| {
        groups += u64::from(value.is_ok());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((start.elapsed().as_secs_f64() * 1e3, groups))
}

fn reductions(bench: &Bench, database: &Database, indexes: &Indexes) -> Result<Vec<Line>, Failure> {
    let map = |groups: u64| {
        format!(
            "function (doc) {{ emit(parseInt(doc.from_user.slice(-7), 10) % {groups}, doc.duration_seconds); }}"
        )
    };
    let index = indexes.index(
        database,
        designed(json!({
            "script": {"map": map(GROUPS_SCRIPT), "reduce": SUM},
            "built_in": {"map": map(GROUPS_BUILT_IN), "reduce": "_sum"},
        }))?,
    )?;
    index.update()?;
    let line = |what: &str, view: &str, grouping: Grouping, most: f64| -> Result<Line, Failure> {
        let mut samples = Vec::new();
        let mut groups = 0;
        for _ in 0..bench.repeat.max(3) {
            let (ms, found) = grouped(&index, view, grouping)?;
            samples.push(ms);
            groups = found;
        }
        Ok(Line {
            name: "views",
            what: format!("{what}: {groups} of {} rows", bench.big_docs),
            unit: "ms",
            measured: median(&samples),
            floor: None,
            ratio: None,
            goal: Goal::AtMost(most),
        })
    };
    Ok(vec![
        line("reduction over everything, _sum", "built_in", Grouping::All, 1.0)?,
        line(
            "reduction over everything, JavaScript",
            "script",
            Grouping::All,
            5.0,
        )?,
        line("groups by key, _sum", "built_in", Grouping::Keys, 20.0)?,
        line("groups by key, JavaScript", "script", Grouping::Keys, 300.0)?,
    ])
}

/// The first answer of a view after each of some writes.
fn after_a_write(bench: &Bench, database: &Database, indexes: &Indexes) -> Result<Line, Failure> {
    let index: Arc<ViewIndex> = indexes.index(database, two_views(false, 0)?)?;
    let (places, _) = all(&index, "by_account")?;
    let mut samples = Vec::new();
    for number in 0..WRITES {
        let record = Cdr::new(Ids::Random, bench.big_docs + BATCH_DOCS + number);
        load::update(database, std::slice::from_ref(&record))?;
        let start = Instant::now();
        index.update()?;
        let snapshot = index.snapshot()?.ok_or("no index")?;
        let mut rows = 0;
        index.rows(&snapshot, &places, 0, &mut |_| {
            rows += 1;
            if rows < PAGE {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Line {
        name: "views",
        what: format!(
            "first answer after a write to {} documents, {PAGE} rows",
            bench.big_docs
        ),
        unit: "ms",
        measured: median(&samples),
        floor: None,
        ratio: None,
        goal: Goal::AtMost(5.0),
    })
}
