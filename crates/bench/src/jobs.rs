//! The lines of many replications that have nothing to do: what a node with ten thousand of them costs.

use crate::bench::Bench;
use crate::client::{self, Connection};
use crate::measure::Failure;
use crate::memory::memory;
use crate::report::{Goal, Line};
use crate::server::Server;
use crate::target::Target;
use std::time::{Duration, Instant};
use trunkline_core::db_name::DbName;
use trunkline_store::Store;

/// How long they are watched doing nothing, in slices of time.
const SLICES_WATCHED: u32 = 10;
/// How long they may take to get there.
const PATIENCE: Duration = Duration::from_secs(300);
/// Documents per `_bulk_docs`.
const BATCH: u64 = 1000;

/// Processor and memory of a server with many idle continuous pulls from another, each of a database of its own.
pub(crate) fn idle_jobs(bench: &Bench) -> Result<Vec<Line>, Failure> {
    if bench.external.is_some() {
        return Err("this line measures servers of its own".into());
    }
    let (here, there) = (bench.directory()?, bench.directory()?);
    for dir in [here.path(), there.path()] {
        let store = Store::open(dir)?;
        for number in 0..bench.idle_jobs {
            store.create(&DbName::parse(&database(number)).map_err(|_| "no database name")?)?;
        }
        store.close()?;
    }
    let (jobs, watched) = (bench.idle_jobs, bench.slice * SLICES_WATCHED);
    bench.run(async {
        let source = Server::start(there.path()).await?;
        let target = Server::start(here.path()).await?;
        start_jobs(&target.target, &source.target, jobs).await?;
        let begun = Instant::now();
        while running(&target.target).await? < jobs {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} of {jobs} jobs run", running(&target.target).await?).into());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // What starting them left over is done by then.
        tokio::time::sleep(watched / 2).await;
        let before = target.processor().ok_or("no processor times here")?;
        tokio::time::sleep(watched).await;
        let used = target.processor().ok_or("no processor times here")? - before;
        let (now, _) = target.memory_mb().ok_or("no memory here")?;
        Ok(vec![
            Line {
                name: "idle-jobs",
                what: format!("{jobs} idle continuous replications: part of a core"),
                unit: "%",
                measured: used.as_secs_f64() / watched.as_secs_f64() * 100.0,
                floor: None,
                ratio: None,
                goal: Goal::AtMost(1.0),
            },
            memory("idle-jobs", "memory of the server that runs them", now, 200.0),
        ])
    })
}

fn database(number: u64) -> String {
    format!("account-{number:05}")
}

/// Writes a `_replicator` document for each.
async fn start_jobs(target: &Target, source: &Target, jobs: u64) -> Result<(), Failure> {
    client::once(target, "PUT", "/_replicator", b"").await?;
    let mut connection = Connection::open(target).await?;
    for first in (0..jobs).step_by(BATCH as usize) {
        let docs: Vec<_> = (first..jobs.min(first + BATCH))
            .map(|number| {
                serde_json::json!({
                    "_id": database(number),
                    "source": source.url(&database(number)),
                    "target": database(number),
                    "continuous": true,
                })
            })
            .collect();
        let body = serde_json::json!({ "docs": docs }).to_string();
        let request = target.request("POST", "/_replicator/_bulk_docs", body.as_bytes());
        connection.expect(&request).await?;
    }
    Ok(())
}

async fn running(target: &Target) -> Result<u64, Failure> {
    let path = "/_scheduler/docs?states=running&limit=0";
    let answer = client::once(target, "GET", path, b"").await?;
    let rows: serde_json::Value = serde_json::from_slice(&answer.body)?;
    rows.get("total_rows")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| rows.to_string().into())
}
