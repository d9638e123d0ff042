//! Twice as many clients as a server takes on: who is let in is answered in time, everyone else is told to come back, and
//! memory stays where it was.

use crate::bench::{self, Bench, WRITERS};
use crate::cdr::{Cdr, Ids};
use crate::client::Connection;
use crate::load;
use crate::measure::Failure;
use crate::memory::memory;
use crate::report::{Goal, Line};
use crate::server::Server;
use crate::target::Target;
use std::cell::{Cell, RefCell};
use std::process::Command;
use std::time::{Duration, Instant};

/// What a client that was told to come back does before it asks again: far less than it was told, so that load is held.
const PAUSE: Duration = Duration::from_millis(5);

/// Durable `PUT`s by as many clients as are let in, and by twice as many.
pub(crate) fn overload(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.directory()?;
    let bounded = |command: &mut Command| {
        command.arg("--requests-max").arg(WRITERS.to_string());
    };
    let server = bench.run(Server::start_with(dir.path(), bounded, |target| target))?;
    bench.run(load::recreate(&server.target, bench::DATABASE))?;
    let next = Cell::new(0);
    let (floor, _) = bench.run(hold(&server.target, WRITERS, bench.slice, &next))?;
    let (measured, refused) = bench.run(hold(&server.target, 2 * WRITERS, bench.slice, &next))?;
    let (_, highest) = server.memory_mb().unwrap_or_default();
    Ok(vec![
        Line {
            name: "overload",
            what: format!("99 % of durable PUTs within, twice {WRITERS} clients, {refused} refusals"),
            unit: "ms",
            measured,
            floor: Some(("as many as are let in".into(), floor)),
            ratio: Some(measured / floor),
            goal: Goal::AtMost(100.0),
        },
        memory("overload-memory", "most memory then", highest, 100.0),
    ])
}

/// Holds the load for a while: milliseconds that 99 of 100 writes took which were let in, and how many were not.
async fn hold(
    target: &Target,
    clients: usize,
    time: Duration,
    next: &Cell<u64>,
) -> Result<(f64, u64), Failure> {
    let (start, refused, taken) = (Instant::now(), Cell::new(0), RefCell::new(Vec::new()));
    bench::all((0..clients).map(|_| {
        let (refused, taken) = (&refused, &taken);
        async move {
            let mut connection = Connection::open(target).await?;
            while start.elapsed() < time {
                let record = Cdr::new(Ids::Random, next.replace(next.get() + 1));
                let path = format!("/{}/{}", bench::DATABASE, record.id);
                let request = target.request("PUT", &path, record.body.as_bytes());
                let asked = Instant::now();
                let (status, _) = connection.send(&request).await?;
                match status {
                    201 => taken.borrow_mut().push(asked.elapsed().as_secs_f64() * 1000.0),
                    503 if connection.has_header("retry-after") => {
                        refused.set(refused.get() + 1);
                        tokio::time::sleep(PAUSE).await;
                    }
                    other => return Err(format!("a write under load: {other}").into()),
                }
            }
            Ok(())
        }
    }))
    .await?;
    let mut taken = taken.into_inner();
    taken.sort_by(f64::total_cmp);
    let late = taken.get(taken.len() * 99 / 100).copied();
    Ok((late.ok_or("nobody was let in")?, refused.get()))
}
