//! How far the copies are.

use super::plan::{Plan, back, forward};
use crate::cli::Failure;
use crate::cli::output::{count, one_line, say};
use crate::cli::progress;
use crate::cli::remote::escaped;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How often the server is asked.
const EVERY: Duration = Duration::from_millis(500);
/// A copy that lacks nothing older has caught up while the original is written all the time.
pub(super) const CAUGHT_UP_SECONDS: f64 = 5.0;

/// A copy, as its replication tells.
pub(super) struct Copy {
    /// For how long it may have lacked something; known neither of one that fails for now, nor in a first pass.
    lag_seconds: Option<f64>,
    phase: Phase,
    /// In words.
    pub(super) told: String,
    /// Why it does not go on.
    error: Option<String>,
}

/// Where a move is, as its documents tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    NotBegun,
    Moving,
    CutOver,
}

impl Copy {
    /// Whether it lacks nothing older than that.
    pub(super) fn is_within(&self, seconds: f64) -> bool {
        self.phase == Phase::CutOver || self.lag_seconds.is_some_and(|lag| lag <= seconds)
    }

    /// Whether it has everything that was there so long ago.
    fn has_all_of(&self, ago: Duration) -> bool {
        self.phase == Phase::CutOver || self.lag_seconds.is_some_and(|lag| lag <= ago.as_secs_f64())
    }
}

/// How far a copy is.
pub(super) async fn copy(plan: &Plan, database: &str) -> Result<Copy, Failure> {
    let path = format!("/_scheduler/docs/_replicator/{}", escaped(&forward(database)));
    let Some(job): Option<Value> = plan.server.ask_if_there(&path).await? else {
        let (phase, told) = if plan.is_under_way(&back(database)).await? {
            (
                Phase::CutOver,
                "cut over, and replicated back (`trunkline migrate finish` ends that)",
            )
        } else {
            (
                Phase::NotBegun,
                "not being moved (`trunkline migrate start` begins)",
            )
        };
        return Ok(Copy {
            lag_seconds: None,
            phase,
            told: told.to_owned(),
            error: None,
        });
    };
    let state = job.get("state").and_then(Value::as_str).unwrap_or("unknown");
    let info = |member: &str| job.get("info").and_then(|info| info.get(member));
    let number = |member: &str| info(member).and_then(Value::as_u64).unwrap_or_default();
    if state == "failed" {
        let reason = info("error").and_then(Value::as_str).unwrap_or("no reason told");
        return Err(Failure::new(format!("{database}: {reason}")));
    }
    let lag = info("lag_seconds").and_then(Value::as_f64);
    let lag_known = info("lag_known").and_then(Value::as_bool).unwrap_or(false);
    let pending = info("changes_pending").and_then(Value::as_u64);
    let error = info("last_error")
        .and_then(Value::as_str)
        .or(info("error").and_then(Value::as_str));
    let error = error.filter(|_| state != "running");
    let mut told = format!("{state}, {} written", count(number("docs_written"), "revision"));
    if let Some(pending) = pending {
        told.push_str(&format!(", {pending} pending"));
    }
    match lag {
        Some(lag) if lag_known => told.push_str(&format!(", {lag:.1} s behind")),
        _ => told.push_str(", not known yet how far behind"),
    }
    if let Some(error) = error {
        told.push_str(&format!(" ({error})"));
    }
    if number("failures") > 0 {
        told.push_str(&format!(
            ", {} not replicated (`trunkline jobs` lists them)",
            count(number("failures"), "document")
        ));
    }
    Ok(Copy {
        lag_seconds: lag.filter(|_| state == "running" && lag_known),
        phase: Phase::Moving,
        told,
        error: error.map(str::to_owned),
    })
}

/// Waits until every copy has all that is there now, and has once lacked nothing older than so many seconds, showing how
/// many have, and why one does not go on.
pub(super) async fn until_caught_up(plan: &Plan, seconds: f64) -> Result<(), Failure> {
    let bar = progress::line(false);
    let begun = Instant::now();
    let mut told = BTreeMap::new();
    let mut left: BTreeSet<&str> = plan.databases.iter().map(String::as_str).collect();
    while let Some(first) = left.first().copied() {
        let mut there = Vec::new();
        for &database in &left {
            let ago = begun.elapsed();
            let copy = copy(plan, database).await?;
            if copy.phase == Phase::NotBegun {
                return Err(Failure::new(format!("{database}: {}", copy.told)));
            }
            if database == first {
                bar.set_message(format!(
                    "{} of {} caught up; {database}: {}",
                    plan.databases.len() - left.len(),
                    plan.databases.len(),
                    copy.told
                ));
            }
            if copy.is_within(seconds) && copy.has_all_of(ago) {
                there.push(database);
            }
            if let Some(error) = copy.error
                && told.insert(database, error.clone()).as_ref() != Some(&error)
            {
                bar.suspend(|| say(one_line(&format!("{database}: {error}; waiting"))))?;
            }
        }
        for database in there {
            left.remove(database);
        }
        if !left.is_empty() {
            tokio::time::sleep(EVERY).await;
        }
    }
    bar.finish_and_clear();
    Ok(())
}
