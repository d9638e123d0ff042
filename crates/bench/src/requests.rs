//! The lines of single requests over HTTP, from [`WRITERS`] kept connections.

use crate::bench::{self, Bench, WRITERS};
use crate::cdr::{self, Cdr, Ids};
use crate::client::{self, Connection};
use crate::embedded::put_from_threads;
use crate::load;
use crate::measure::{Failure, alternate, pair};
use crate::report::{Goal, Line};
use crate::server::Server;
use crate::target::Target;
use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// Documents that are there to be read.
pub(crate) const READ_DOCS: u64 = 10_000;

/// Durable `PUT`s against the same number of threads that put in their own process.
pub(crate) fn put(bench: &Bench) -> Result<Line, Failure> {
    let dir = bench.directory()?;
    let server = bench.server(&dir.path().join("server"))?;
    let (store, database) = load::create(&dir.path().join("embedded"))?;
    let (next, next_embedded) = (Cell::new(0), AtomicU64::new(0));
    let mut ours = |_: usize| puts(bench, &server.target, &next);
    let mut floor = |_: usize| put_from_threads(&database, &next_embedded, WRITERS, bench.slice);
    let samples = alternate(bench.repeat, &mut [&mut ours, &mut floor])?;
    store.close()?;
    let [ours, floor] = samples.as_slice() else {
        return Err("two sides".into());
    };
    let pair = pair(ours, floor);
    Ok(Line {
        name: "http-put",
        what: format!("durable PUT, {WRITERS} connections"),
        unit: "requests/s",
        measured: pair.measured,
        floor: Some((format!("embedded, {WRITERS} threads"), pair.floor)),
        ratio: Some(pair.ratio),
        goal: Goal::Ratio(0.6),
    })
}

/// `GET`s of documents in no order against a handler on the same stack that answers the same bytes.
pub(crate) fn get(bench: &Bench) -> Result<Line, Failure> {
    let dir = bench.directory()?;
    let server = bench.server(dir.path())?;
    let answer = bench.run(async {
        load::bulk_docs(&server.target, bench::DATABASE, READ_DOCS).await?;
        client::once(&server.target, "GET", &path(0), b"").await
    })?;
    if answer.status != 200 {
        return Err(format!("GET answers {}", answer.status).into());
    }
    let trivial = Server::start_trivial(&String::from_utf8(answer.body)?)?;
    let counter = Cell::new(0_u64);
    let mut ours = |_: usize| gets(bench, &server.target, &counter);
    let mut floor = |_: usize| gets(bench, &trivial.target, &counter);
    let samples = alternate(bench.repeat, &mut [&mut ours, &mut floor])?;
    let [ours, floor] = samples.as_slice() else {
        return Err("two sides".into());
    };
    let pair = pair(ours, floor);
    Ok(Line {
        name: "http-get",
        what: format!("GET, {WRITERS} connections"),
        unit: "requests/s",
        measured: pair.measured,
        floor: Some(("trivial handler, same stack".into(), pair.floor)),
        ratio: Some(pair.ratio),
        goal: Goal::Ratio(0.5),
    })
}

fn path(number: u64) -> String {
    format!("/{}/{}", bench::DATABASE, cdr::id(Ids::Sequential, number))
}

/// New documents for a slice; a second.
pub(crate) fn puts(bench: &Bench, target: &Target, next: &Cell<u64>) -> Result<f64, Failure> {
    let request = || {
        let record = Cdr::new(Ids::Random, next.replace(next.get() + 1));
        let path = format!("/{}/{}", bench::DATABASE, record.id);
        target.request("PUT", &path, record.body.as_bytes())
    };
    bench.run(requests_for((target, WRITERS), bench.slice, request))
}

/// Documents of the first [`READ_DOCS`] for a slice, in no order; a second.
pub(crate) fn gets(bench: &Bench, target: &Target, counter: &Cell<u64>) -> Result<f64, Failure> {
    let request = || {
        let number = cdr::scatter(counter.replace(counter.get() + 1)) % READ_DOCS;
        target.request("GET", &path(number), b"")
    };
    bench.run(requests_for((target, WRITERS), bench.slice, request))
}

/// Sends one request after another on each of some connections for a while; answers per second of all.
pub(crate) async fn requests_for(
    (target, connections): (&Target, usize),
    time: Duration,
    request: impl Fn() -> Vec<u8>,
) -> Result<f64, Failure> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(target).await?);
    }
    let (start, answers) = (Instant::now(), Cell::new(0_u64));
    bench::all(open.into_iter().map(|mut connection| {
        let (answers, request) = (&answers, &request);
        async move {
            while start.elapsed() < time {
                connection.expect(&request()).await?;
                answers.set(answers.get() + 1);
            }
            Ok(())
        }
    }))
    .await?;
    Ok(answers.get() as f64 / start.elapsed().as_secs_f64())
}
