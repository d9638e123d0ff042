//! The lines of replication over loopback, and of memory that belongs to them.

use crate::bench::{self, Bench, Measured};
use crate::cdr::{Cdr, Ids};
use crate::client::{self, Connection};
use crate::feeds::source;
use crate::load;
use crate::measure::{Failure, alternate, median, pair, rate};
use crate::memory::memory;
use crate::report::{Goal, Line};
use crate::server::Server;
use crate::target::Target;
use std::time::{Duration, Instant};

/// How often the target is asked how far it is.
const POLL: Duration = Duration::from_millis(50);

/// One-shot replication into an empty database, pulled by the target, against `_bulk_docs` of the same documents.
pub(crate) fn one_shot(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let source = source(bench)?;
    let bench = &*bench;
    let (mut tenths, mut peaks) = (Vec::new(), Vec::new());
    let mut replicate = |_: usize| {
        let dir = bench.directory()?;
        let (target, database) = empty(bench, dir.path())?;
        let reached = bench.run(pull(bench, &source.target, &target.target, &database))?;
        let last_tenth = reached.all - reached.nine_tenths;
        tenths.push(reached.first_tenth.as_secs_f64() / last_tenth.as_secs_f64());
        peaks.extend(
            target
                .own
                .as_ref()
                .and_then(Server::memory_mb)
                .map(|(_, peak)| peak),
        );
        Ok(bench.big_docs as f64 / reached.all.as_secs_f64())
    };
    let mut bulk = |_: usize| {
        let dir = bench.directory()?;
        let (target, database) = empty(bench, dir.path())?;
        rate(bench.big_docs as usize, || {
            bench.run(load::bulk_docs(&target.target, &database, bench.big_docs))
        })
    };
    let mut embedded = |_: usize| {
        let dir = bench.directory()?;
        let (store, database) = load::create(dir.path())?;
        let rate = rate(bench.big_docs as usize, || {
            for start in (0..bench.big_docs).step_by(bench::BATCH_DOCS as usize) {
                let end = bench.big_docs.min(start + bench::BATCH_DOCS);
                load::update(&database, &Cdr::range(Ids::Sequential, start..end))?;
            }
            Ok(())
        });
        store.close()?;
        rate
    };
    let samples = alternate(bench.repeat, &mut [&mut replicate, &mut bulk, &mut embedded])?;
    let [replicated, bulk, embedded] = samples.as_slice() else {
        return Err("three sides".into());
    };
    let against_embedded = pair(replicated, embedded);
    let pair = pair(replicated, bulk);
    let steady = median(&tenths);
    let mut lines = vec![
        Line {
            name: "replicate",
            what: format!("one-shot pull of {} documents over loopback", bench.big_docs),
            unit: "docs/s",
            measured: pair.measured,
            floor: Some((
                format!("_bulk_docs by HTTP, {} connections", bench::BULK_CONNECTIONS),
                pair.floor,
            )),
            ratio: Some(pair.ratio),
            goal: Goal::Ratio(0.5),
        },
        Line {
            name: "replicate",
            what: "the same".into(),
            unit: "docs/s",
            measured: against_embedded.measured,
            floor: Some(("embedded, batches of 1000".into(), against_embedded.floor)),
            ratio: Some(against_embedded.ratio),
            goal: Goal::Ratio(0.7),
        },
        Line {
            name: "replicate",
            what: "rate of the last tenth against the first".into(),
            unit: "x",
            measured: steady,
            floor: None,
            ratio: Some(steady),
            goal: Goal::Ratio(0.9),
        },
    ];
    if !peaks.is_empty() {
        lines.push(memory(
            "replicate",
            "peak memory of the target",
            median(&peaks),
            256.0,
        ));
    }
    Ok(lines)
}

/// A server with an empty database, and that database's name: on a server of ours, or another on the one of `--url`.
fn empty(bench: &Bench, dir: &std::path::Path) -> Result<(Measured, String), Failure> {
    match &bench.external {
        None => Ok((bench.server(dir)?, bench::DATABASE.to_owned())),
        Some(target) => {
            let database = format!("{}-target", bench::DATABASE);
            bench.run(load::recreate(target, &database))?;
            let target = target.clone();
            Ok((Measured { own: None, target }, database))
        }
    }
}

/// When parts of a replication were there.
struct Reached {
    first_tenth: Duration,
    nine_tenths: Duration,
    all: Duration,
}

async fn pull(bench: &Bench, source: &Target, target: &Target, database: &str) -> Result<Reached, Failure> {
    // Our own target writes to its own database without a detour; a CouchDB wants URLs.
    let name = match &bench.external {
        None => database.to_owned(),
        Some(_) => target.url(database),
    };
    let ask = serde_json::json!({ "source": source.url(bench::DATABASE), "target": name }).to_string();
    let start = Instant::now();
    let mut connection = Connection::open(target).await?;
    let request = target.request("POST", "/_replicate", ask.as_bytes());
    let replication = async {
        let answer: serde_json::Value = serde_json::from_slice(connection.expect(&request).await?)?;
        match answer.get("ok").and_then(serde_json::Value::as_bool) {
            Some(true) => Ok(start.elapsed()),
            _ => Err::<_, Failure>(answer.to_string().into()),
        }
    };
    let mut replication = std::pin::pin!(replication);
    let (mut first_tenth, mut nine_tenths) = (None, None);
    let all = loop {
        tokio::select! {
            done = &mut replication => break done?,
            () = tokio::time::sleep(POLL) => {
                let count = doc_count(target, database).await?;
                let now = start.elapsed();
                if count * 10 >= bench.big_docs {
                    first_tenth.get_or_insert(now);
                }
                if count * 10 >= bench.big_docs * 9 {
                    nine_tenths.get_or_insert(now);
                }
            }
        }
    };
    let count = doc_count(target, database).await?;
    if count != bench.big_docs {
        return Err(format!("{count} documents arrived of {}", bench.big_docs).into());
    }
    // A run too short to be looked at ten times counts as steady.
    Ok(Reached {
        first_tenth: first_tenth.unwrap_or(all / 10),
        nine_tenths: nine_tenths.unwrap_or(all * 9 / 10),
        all,
    })
}

async fn doc_count(target: &Target, database: &str) -> Result<u64, Failure> {
    let answer = client::once(target, "GET", &format!("/{database}"), b"").await?;
    let info: serde_json::Value = serde_json::from_slice(&answer.body)?;
    info.get("doc_count")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| info.to_string().into())
}
