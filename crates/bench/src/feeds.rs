//! The lines of long reads: every document, by order of change and by id, to one client.

use crate::bench::{self, Bench, Measured};
use crate::cdr::{Cdr, Ids};
use crate::client::Connection;
use crate::load;
use crate::measure::{Failure, alternate, pair};
use crate::memory::memory;
use crate::raw::Raw;
use crate::report::{Goal, Line};
use crate::server::Server;
use crate::target::Target;
use std::time::Instant;

/// `_changes` and `_all_docs` with bodies, and what memory the server took for both.
pub(crate) fn feeds(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    let server = source(bench)?;
    let dir = bench.directory()?;
    let raw = Raw::create(&dir.path().join("raw.redb"), bench.cache_bytes())?;
    for start in (0..bench.big_docs).step_by(bench::BATCH_DOCS as usize) {
        let end = bench.big_docs.min(start + bench::BATCH_DOCS);
        raw.commit(&Cdr::range(Ids::Sequential, start..end))?;
    }
    let bench = &*bench;
    let read = |path: &str, ending: &str| bench.run(read_all(&server.target, path, ending, bench.big_docs));
    let mut changes = |_: usize| read("_changes?include_docs=true", "\"last_seq\":");
    let mut all_docs = |_: usize| read("_all_docs?include_docs=true", "]");
    let mut scan = |_: usize| {
        let start = Instant::now();
        let bytes = raw.scan()?;
        Ok(bytes as f64 / 1e6 / start.elapsed().as_secs_f64())
    };
    let samples = alternate(bench.repeat, &mut [&mut changes, &mut all_docs, &mut scan])?;
    let [changes, all_docs, scan] = samples.as_slice() else {
        return Err("three sides".into());
    };
    let line = |name, path: &str, samples: &[f64]| {
        let pair = pair(samples, scan);
        Line {
            name,
            what: format!("{path}?include_docs over {} documents, 1 client", bench.big_docs),
            unit: "MB/s",
            measured: pair.measured,
            floor: Some(("raw redb scan".into(), pair.floor)),
            ratio: Some(pair.ratio),
            goal: Goal::AtLeast(200.0),
        }
    };
    let mut lines = vec![
        line("changes", "_changes", changes),
        line("all-docs", "_all_docs", all_docs),
    ];
    if let Some((_, peak)) = server.own.as_ref().and_then(Server::memory_mb) {
        lines.push(memory(
            "changes",
            "peak memory of the server that answered both",
            peak,
            64.0,
        ));
    }
    Ok(lines)
}

/// A server that holds the documents to read.
pub(crate) fn source(bench: &mut Bench) -> Result<Measured, Failure> {
    if let Some(target) = bench.external.clone() {
        bench.run(async {
            load::recreate(&target, bench::DATABASE).await?;
            load::bulk_docs(&target, bench::DATABASE, bench.big_docs).await
        })?;
        return Ok(Measured { own: None, target });
    }
    let dir = bench.loaded()?;
    let server = bench.run(Server::start(&dir))?;
    let target = server.target.clone();
    Ok(Measured {
        own: Some(server),
        target,
    })
}

/// Reads a whole answer of `docs` rows; MB (10^6 bytes) per second.
async fn read_all(target: &Target, path: &str, ending: &str, docs: u64) -> Result<f64, Failure> {
    let request = target.request("GET", &format!("/{}/{path}", bench::DATABASE), b"");
    let connection = Connection::open(target).await?;
    let start = Instant::now();
    let (bytes, tail) = connection.drain(&request).await?;
    let seconds = start.elapsed().as_secs_f64();
    let tail = String::from_utf8_lossy(&tail);
    // A record alone is over 300 bytes: fewer, and the answer was cut short.
    if !tail.contains(ending) || bytes < docs * 300 {
        return Err(format!("{path}: {bytes} bytes, ending in {tail:?}").into());
    }
    Ok(bytes as f64 / 1e6 / seconds)
}
