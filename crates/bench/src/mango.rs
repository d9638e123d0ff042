//! Mango and aggregates of one database: without an index, building one, and by it over HTTP.

use crate::bench::{Bench, DATABASE};
use crate::client;
use crate::measure::{Failure, alternate, median, pair, rate};
use crate::report::{Goal, Line};
use crate::requests::requests_for;
use crate::server::Server;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_core::selector::Selector;
use trunkline_query::Indexes;
use trunkline_query::mango::{Catalog, Gathering, Plan, Search, Shown, Wanted};
use trunkline_store::{ChangesScan, Database, Store};
use trunkline_wire::find::{Sort, add_index, parse_aggregate, parse_index};

/// Connections of the line over HTTP.
const CONNECTIONS: usize = 4;
/// Accounts that the documents have.
const ACCOUNTS: u64 = 997;

const INDEX: &str =
    r#"{"index":{"fields":["account_id","start_time"]},"ddoc":"by_account","name":"by_account"}"#;
const BY_ACCOUNT: &[u8] = br#"{"group":["account_id"],"values":{"calls":{"count":true},
    "seconds":{"sum":"duration_seconds"},"cost":{"sum":"cost"}}}"#;
const BY_DAY: &[u8] = br#"{"group":["account_id",{"field":"start_time","bucket":"day","as":"day"}],"values":{
    "calls":{"count":true},"seconds":{"sum":"duration_seconds"},"cost":{"sum":"cost"},
    "p95":{"percentile":"duration_seconds","p":95},"longest":{"top":"duration_seconds","n":10}}}"#;

/// All lines of Mango.
pub(crate) fn mango(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.loaded()?;
    let mut lines = with_database(&dir, |database| {
        Ok(vec![nothing(bench, database)?, build(bench, database)?])
    })?;
    lines.push(by_index(bench, &dir)?);
    // The index is one document more than other lines expect.
    bench.loaded = None;
    std::fs::remove_dir_all(&dir)?;
    Ok(lines)
}

/// All lines of aggregates.
pub(crate) fn aggregate(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.loaded()?;
    with_database(&dir, |database| {
        Ok(vec![
            gather(
                bench,
                database,
                ("by account: calls, seconds, cost", BY_ACCOUNT),
                Goal::AtLeast(500_000.0),
            )?,
            gather(
                bench,
                database,
                ("by account and day, 95th percentile, ten longest too", BY_DAY),
                Goal::AtLeast(250_000.0),
            )?,
        ])
    })
}

fn with_database(
    dir: &Path,
    measure: impl FnOnce(&Database) -> Result<Vec<Line>, Failure>,
) -> Result<Vec<Line>, Failure> {
    let store = Store::open(dir)?;
    let name = DbName::parse(DATABASE).map_err(|_| "no database name")?;
    let lines = measure(&store.database(&name)?)?;
    store.close()?;
    Ok(lines)
}

fn plan(selector: &Selector) -> Result<Plan, Failure> {
    let wanted = Wanted {
        selector,
        sort: &Sort::default(),
        fields: &[],
        partition: None,
        use_index: &[],
        allow_fallback: true,
    };
    Ok(Plan::new(&Catalog::default(), &wanted)?)
}

fn gather(
    bench: &Bench,
    database: &Database,
    (what, asked): (&str, &[u8]),
    goal: Goal,
) -> Result<Line, Failure> {
    let docs = usize::try_from(bench.big_docs)?;
    let mut ours = |_: usize| {
        rate(docs, || {
            let request = parse_aggregate(asked)?;
            let selector = Selector::parse(&request.selector)?;
            let plan = plan(&selector)?;
            let aggregate = Arc::new(request.aggregate);
            let mut gathering = Gathering::new(database, None, selector, &plan, aggregate, false)?;
            while !gathering.is_done() {
                gathering.step()?;
            }
            match gathering.finish(0, usize::MAX as u64).len() {
                0 => Err("no rows".into()),
                _ => Ok(()),
            }
        })
    };
    let mut floor = |_: usize| rate(docs, || read_all(database));
    let samples = alternate(bench.repeat, &mut [&mut ours, &mut floor])?;
    let [ours, floor] = samples.as_slice() else {
        return Err("two sides".into());
    };
    let pair = pair(ours, floor);
    Ok(Line {
        name: "aggregate",
        what: format!("{what}, no index, {} documents", bench.big_docs),
        unit: "docs/s",
        measured: pair.measured,
        floor: Some(("read on all cores".into(), pair.floor)),
        ratio: Some(pair.ratio),
        goal,
    })
}

/// Reads all documents on all cores, and does nothing with them.
fn read_all(database: &Database) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism()?.get() as u64;
    let last = database.last_seq()?;
    let read = |thread: u64| {
        let mut scan = ChangesScan {
            since: last * thread / threads,
            until: last * (thread + 1) / threads,
            descending: false,
            bodies: true,
            limit: usize::MAX,
        };
        loop {
            let end = database.changes(&scan, &mut |row| {
                std::hint::black_box(row.winner);
                ControlFlow::Continue(())
            })?;
            match end.last {
                Some(last) if !end.done => scan.since = last,
                _ => return Ok(()),
            }
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || read(thread)))
            .collect();
        readers.into_iter().try_for_each(|reader| match reader.join() {
            Ok(read) => read,
            Err(_) => Err("a reader panicked".into()),
        })
    })
}

fn line(what: String, unit: &'static str, samples: &[f64], least: f64) -> Line {
    Line {
        name: "mango",
        what,
        unit,
        measured: median(samples),
        floor: None,
        ratio: None,
        goal: Goal::AtLeast(least),
    }
}

fn nothing(bench: &Bench, database: &Database) -> Result<Line, Failure> {
    let mut samples = Vec::new();
    for _ in 0..bench.repeat {
        // Longer than any call: to be seen only by reading the number.
        let selector = Selector::parse(r#"{"duration_seconds":{"$gt":100000}}"#)?;
        let plan = plan(&selector)?;
        samples.push(rate(usize::try_from(bench.big_docs)?, || {
            let search = Search::new(database, None, selector, &plan, Shown::default(), None);
            let mut search = search.ok_or("no search")?.page(0, 25);
            while !search.is_done() {
                search.chunk(&mut |_| {})?;
            }
            Ok(())
        })?);
    }
    let what = format!(
        "_find that matches nothing, no index, {} documents",
        bench.big_docs
    );
    Ok(line(what, "docs/s", &samples, 500_000.0))
}

fn build(bench: &Bench, database: &Database) -> Result<Line, Failure> {
    let body = add_index(
        ("_design/by_account", None),
        "by_account",
        &parse_index(INDEX.as_bytes())?,
    )?
    .ok_or("no change")?;
    let mut catalog = Catalog::default();
    catalog.add("by_account", &body);
    let index = catalog.indexes.first().ok_or("no index")?;
    let index = Indexes::default().index(database, index.design.as_ref().clone())?;
    let mut samples = Vec::new();
    for _ in 0..bench.repeat {
        samples.push(rate(usize::try_from(bench.big_docs)?, || Ok(index.rebuild()?))?);
    }
    let what = format!("an index of two fields is built, {} documents", bench.big_docs);
    Ok(line(what, "docs/s", &samples, 200_000.0))
}

fn by_index(bench: &Bench, dir: &Path) -> Result<Line, Failure> {
    let server = bench.run(Server::start(dir))?;
    let find = format!("/{DATABASE}/_find");
    let question = |account: u64| {
        let selector =
            json!({"account_id": format!("acct-{account:04}"), "start_time": {"$gt": 1_795_000_000}});
        json!({ "selector": selector, "limit": 25 }).to_string()
    };
    bench.run(async {
        let made = client::once(
            &server.target,
            "POST",
            &format!("/{DATABASE}/_index"),
            INDEX.as_bytes(),
        )
        .await?;
        let found = client::once(&server.target, "POST", &find, question(7).as_bytes()).await?;
        match (made.status, found.status) {
            (200, 200) => Ok(()),
            statuses => Err(format!("_index and _find answer {statuses:?}").into()),
        }
    })?;
    let counter = std::cell::Cell::new(0);
    let mut samples = Vec::new();
    for _ in 0..bench.repeat {
        let request = || {
            let number = counter.replace(counter.get() + 1);
            server
                .target
                .request("POST", &find, question(number * 31 % ACCOUNTS).as_bytes())
        };
        samples.push(bench.run(requests_for((&server.target, CONNECTIONS), bench.slice, request))?);
    }
    let what = format!(
        "_find by an index, 25 results, {CONNECTIONS} connections, {} documents",
        bench.big_docs
    );
    Ok(line(what, "requests/s", &samples, 5000.0))
}
