//! How far the copies are.

use super::plan::{Plan, forward};
use crate::cli::Failure;
use crate::cli::progress;
use crate::cli::remote::escaped;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the server is asked.
const EVERY: Duration = Duration::from_millis(500);
/// A copy that lacks nothing older has caught up: the original may be written all the time.
const CAUGHT_UP_SECONDS: f64 = 5.0;

/// A copy, as its replication tells.
pub(super) struct Copy {
    pub(super) caught_up: bool,
    /// In words.
    pub(super) told: String,
}

/// How far a copy is.
pub(super) async fn copy(plan: &Plan, database: &str) -> Result<Copy, Failure> {
    let path = format!("/_scheduler/docs/_replicator/{}", escaped(&forward(database)));
    let Some(job): Option<Value> = plan.server.ask_if_there(&path).await? else {
        return Ok(Copy {
            caught_up: false,
            told: "is not being moved (`trunkline migrate start` begins)".to_owned(),
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
    let pending = info("changes_pending").and_then(Value::as_u64);
    // A lag that is not known yet is not small.
    let caught_up = state == "running" && lag.is_some_and(|lag| lag < CAUGHT_UP_SECONDS);
    let mut told = format!("{state}, {} documents written", number("docs_written"));
    if let Some(pending) = pending {
        told.push_str(&format!(", {pending} pending"));
    }
    if let Some(lag) = lag {
        told.push_str(&format!(", {lag:.1} s behind"));
    }
    if let Some(error) = info("last_error")
        .and_then(Value::as_str)
        .filter(|_| state == "crashing")
    {
        told.push_str(&format!(" ({error})"));
    }
    if number("doc_write_failures") > 0 {
        told.push_str(&format!(
            ", {} not replicated (`trunkline jobs` lists them)",
            number("doc_write_failures")
        ));
    }
    Ok(Copy { caught_up, told })
}

/// Waits until every copy has caught up once, showing how many have.
pub(super) async fn until_caught_up(plan: &Plan) -> Result<(), Failure> {
    let bar = progress::line(false);
    let mut left: BTreeSet<&str> = plan.databases.iter().map(String::as_str).collect();
    while let Some(first) = left.first().copied() {
        let mut there = Vec::new();
        for &database in &left {
            let copy = copy(plan, database).await?;
            if database == first {
                bar.set_message(format!(
                    "{} of {} caught up; {database}: {}",
                    plan.databases.len() - left.len(),
                    plan.databases.len(),
                    copy.told
                ));
            }
            if copy.caught_up {
                there.push(database);
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
