//! The lines of memory.

use crate::bench::Bench;
use crate::measure::Failure;
use crate::report::{Goal, Line};
use crate::server::Server;
use std::time::Duration;

/// Memory of a server that serves nobody.
pub(crate) fn idle(bench: &Bench) -> Result<Line, Failure> {
    let dir = bench.directory()?;
    let server = bench.run(Server::start(dir.path()))?;
    std::thread::sleep(Duration::from_secs(1));
    let (now, _) = server
        .memory_mb()
        .ok_or("no /proc: memory cannot be measured here")?;
    Ok(memory("idle", "memory of an idle server", now, 30.0))
}

/// A line about memory.
pub(crate) fn memory(name: &'static str, what: &str, measured: f64, at_most: f64) -> Line {
    Line {
        name,
        what: what.to_owned(),
        unit: "MB",
        measured,
        floor: None,
        ratio: None,
        goal: Goal::AtMost(at_most),
    }
}
