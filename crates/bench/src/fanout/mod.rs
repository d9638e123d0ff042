//! One writer and its replicas, all in this process: embedded stores whose files are in memory, each behind the real
//! server on a loopback port, each pulling from its parent with the real replicator.
//!
//! | module | holds |
//! | --- | --- |
//! | `node` | a store in memory with its server and its replication |
//! | `arrivals` | when each document was at each replica |

mod arrivals;
mod node;

use crate::bench::{BATCH_DOCS, Bench};
use crate::cdr::{Cdr, Ids};
use crate::load;
use crate::measure::Failure;
use crate::report::{Goal, Line};
use arrivals::Arrivals;
use node::Node;
use std::time::{Duration, Instant};

/// Children of each layer of the tree: 4, then 16, then 40 replicas.
const TREE: [usize; 3] = [4, 16, 40];
/// The chain, each the child of the one before.
const CHAIN: [usize; 10] = [1; 10];
/// Share of the highest rate at which the delay is measured.
const PART: f64 = 0.5;
/// Slices of time that documents are written at that rate.
const STEADY_SLICES: f64 = 5.0;
/// How often the writer writes then.
const WRITES_PER_SECOND: u64 = 100;

/// Documents that a fleet is to apply in a second.
const DOCS_PER_SECOND: f64 = 60_000.0;
/// How late the last replica may have one of a hundred.
const DELAY_MS: f64 = 500.0;

/// The lines of the tree and of the chain.
pub(crate) fn fanout(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (name, layers) in [
        ("tree of 60 replicas in 3 layers", TREE.as_slice()),
        ("chain of 10", CHAIN.as_slice()),
    ] {
        lines.extend(topology(bench, name, layers)?);
    }
    Ok(lines)
}

fn topology(bench: &Bench, name: &str, layers: &[usize]) -> Result<[Line; 2], Failure> {
    // The fleet has every core, as the writer has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = bench.directory()?;
    let (highest, p99) = runtime.block_on(async {
        let writer = Node::writer(dir.path()).await?;
        let mut above = vec![writer];
        let mut nodes = Vec::new();
        for &width in layers {
            let mut layer = Vec::new();
            for at in 0..width {
                let parent = above.get(at % above.len()).ok_or("a layer is empty")?;
                layer.push(Node::replica(dir.path(), parent).await?);
            }
            nodes.append(&mut above);
            above = layer;
        }
        nodes.append(&mut above);
        let (writer, replicas) = nodes.split_first().ok_or("no writer")?;
        let arrivals = Arrivals::watch(replicas);
        let highest = highest_rate(writer, &arrivals, bench.fanout_docs).await?;
        let p99 = delay_at(writer, &arrivals, highest * PART, bench).await?;
        for node in &nodes {
            node.stop().await;
        }
        Ok::<_, Failure>((highest * layers.iter().sum::<usize>() as f64, p99))
    })?;
    Ok([
        Line {
            name: "fanout",
            what: format!("{name}, in memory: documents applied in all"),
            unit: "docs/s",
            measured: highest,
            floor: None,
            ratio: None,
            goal: Goal::AtLeast(DOCS_PER_SECOND),
        },
        Line {
            name: "fanout",
            what: format!("{name}: commit to the last replica at half that rate, p99"),
            unit: "ms",
            measured: p99,
            floor: None,
            ratio: None,
            goal: Goal::AtMost(DELAY_MS),
        },
    ])
}

/// Documents per second that reach every replica when the writer does not wait.
async fn highest_rate(writer: &Node, arrivals: &Arrivals, docs: u64) -> Result<f64, Failure> {
    let start = Instant::now();
    for first in (0..docs).step_by(BATCH_DOCS as usize) {
        let records = Cdr::range(Ids::Sequential, first..docs.min(first + BATCH_DOCS));
        write(writer, records).await?;
    }
    arrivals.all_reached(docs).await?;
    Ok(docs as f64 / start.elapsed().as_secs_f64())
}

/// The 99th percentile, in ms, of the time from a document's commit until the last replica has it.
async fn delay_at(writer: &Node, arrivals: &Arrivals, rate: f64, bench: &Bench) -> Result<f64, Failure> {
    let per_write = ((rate / WRITES_PER_SECOND as f64) as u64).max(1);
    let seconds = bench.slice.as_secs_f64() * STEADY_SLICES;
    let writes = ((rate * seconds) as u64 / per_write).max(1);
    let first = bench.fanout_docs;
    let pause = Duration::from_secs_f64(per_write as f64 / rate);
    let start = tokio::time::Instant::now();
    let mut committed = Vec::new();
    for at in 0..writes {
        tokio::time::sleep_until(start + pause * u32::try_from(at)?).await;
        let from = first + at * per_write;
        write(writer, Cdr::range(Ids::Sequential, from..from + per_write)).await?;
        committed.push((from + per_write, Instant::now()));
    }
    let last = first + writes * per_write;
    arrivals.all_reached(last).await?;
    let mut delays: Vec<f64> = committed
        .iter()
        .filter_map(|(seq, at)| {
            Some(
                arrivals
                    .last_at(*seq)?
                    .saturating_duration_since(*at)
                    .as_secs_f64()
                    * 1e3,
            )
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let at = (delays.len() * 99).div_ceil(100).saturating_sub(1);
    Ok(*delays.get(at).ok_or("nothing was delayed")?)
}

async fn write(writer: &Node, records: Vec<Cdr>) -> Result<(), Failure> {
    let database = writer.database.clone();
    let written =
        tokio::task::spawn_blocking(move || load::update(&database, &records).map_err(|e| e.to_string()));
    Ok(written.await??)
}
