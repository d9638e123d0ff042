//! `trunkline jobs`: the replications of a server: how far behind each is, what did not get through, and trying that again
//! or dismissing it.

use super::login::LoginArgs;
use super::output::{count, one_line, say};
use super::remote::{Remote, escaped, runtime};
use super::{Failure, login};
use clap::Args;
use reqwest::Method;
use serde_json::Value;
use std::process::ExitCode;

/// What `jobs` takes.
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    /// The server's URL
    #[arg(default_value = "http://127.0.0.1:5984", value_name = "SERVER")]
    server: String,
    /// One job only, by its id: lists the documents that did not get through
    job: Option<String>,
    /// Try them again, and tell what became of them
    #[arg(long, requires = "job")]
    retry: bool,
    /// Take all of them off the list: they will never get through, and the job is as it should be
    #[arg(long, requires = "job", conflicts_with = "retry")]
    dismiss: bool,
    /// One JSON line per job, or per document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
}

/// Jobs asked for at once.
const PAGE: usize = 1000;

pub(crate) fn run(args: &JobsArgs) -> Result<ExitCode, Failure> {
    args.login.apply();
    let server = Remote::new(&login::complete(&args.server)?)?;
    let runtime = runtime()?;
    match &args.job {
        None => runtime.block_on(list(&server, args.json)),
        Some(job) => {
            if args.dismiss {
                let path = format!("/_scheduler/jobs/{}/failures", escaped(job));
                let answer: Value = runtime.block_on(server.ask_json(Method::DELETE, &path, None))?;
                tell(&answer, args.json, |number| {
                    format!("{} dismissed", count(number("dismissed"), "document"))
                })?;
            }
            if args.retry {
                let path = format!("/_scheduler/jobs/{}/retry", escaped(job));
                let answer: Value =
                    runtime.block_on(server.ask_json(Method::POST, &path, Some("{}".into())))?;
                tell(&answer, args.json, |number| {
                    let tried = count(number("retried"), "document");
                    format!("{tried} tried again: {} written", number("written"))
                })?;
            }
            runtime.block_on(failures(&server, job, args.json))
        }
    }
}

/// What was done: the answer as it is, or its numbers in words.
fn tell(
    answer: &Value,
    as_json: bool,
    words: impl Fn(&dyn Fn(&str) -> u64) -> String,
) -> Result<(), Failure> {
    if as_json {
        return say(answer);
    }
    say(words(&|member| {
        answer.get(member).and_then(Value::as_u64).unwrap_or_default()
    }))
}

/// A line for each job; those that are not as they should be make the exit code 1.
async fn list(server: &Remote, as_json: bool) -> Result<ExitCode, Failure> {
    let mut healthy = true;
    for skip in (0..).step_by(PAGE) {
        let path = format!("/_scheduler/jobs?limit={PAGE}&skip={skip}");
        let answer: Value = server.ask_json(Method::GET, &path, None).await?;
        let jobs = answer.get("jobs").and_then(Value::as_array);
        let jobs = jobs.ok_or_else(|| Failure::new("the server lists no jobs"))?;
        for job in jobs {
            healthy &= is_healthy(job);
            if as_json {
                say(job)?;
            } else {
                say(one_line(&line(job)))?;
            }
        }
        if jobs.len() < PAGE {
            if skip == 0 && jobs.is_empty() && !as_json {
                say("no replication runs there")?;
            }
            break;
        }
    }
    Ok(ExitCode::from(u8::from(!healthy)))
}

fn is_healthy(job: &Value) -> bool {
    let info = job.get("info");
    let degraded = info
        .and_then(|info| info.get("degraded"))
        .and_then(Value::as_bool);
    !is_in_trouble(job) && degraded != Some(true)
}

fn is_in_trouble(job: &Value) -> bool {
    matches!(state(job), "crashing" | "error" | "failed")
}

fn state(job: &Value) -> &str {
    job.get("state").and_then(Value::as_str).unwrap_or("running")
}

fn line(job: &Value) -> String {
    let text = |member: &str| job.get(member).and_then(Value::as_str).unwrap_or("?");
    let info = |member: &str| job.get("info").and_then(|info| info.get(member));
    let lag = match info("lag_seconds").and_then(Value::as_f64) {
        Some(lag) => format!("{lag:.1} s behind"),
        None => "lag unknown".to_owned(),
    };
    let mut line = format!("{}  {}  {lag}", text("id"), state(job));
    if let Some(pending) = info("changes_pending").and_then(Value::as_u64) {
        line.push_str(&format!(", {pending} pending"));
    }
    if let Some(failures @ 1..) = info("failures").and_then(Value::as_u64) {
        line.push_str(&format!(", {} not replicated", count(failures, "document")));
    }
    line.push_str(&format!("  {} -> {}", text("source"), text("target")));
    let error = info("error").or(info("last_error")).and_then(Value::as_str);
    if let Some(error) = error.filter(|_| is_in_trouble(job)) {
        line.push_str(&format!("  ({error})"));
    }
    line
}

async fn failures(server: &Remote, job: &str, as_json: bool) -> Result<ExitCode, Failure> {
    let path = format!("/_scheduler/jobs/{}/failures", escaped(job));
    let answer: Value = server.ask_json(Method::GET, &path, None).await?;
    let failures = answer.get("failures").and_then(Value::as_array);
    let failures = failures.ok_or_else(|| Failure::new("the server lists no failures"))?;
    for failure in failures {
        if as_json {
            say(failure)?;
            continue;
        }
        let text = |member: &str| match failure.get(member) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "?".to_owned(),
        };
        let line = format!(
            "{} {}: {}: {} ({}, {} attempts)",
            text("id"),
            text("rev"),
            text("error"),
            text("reason"),
            text("time"),
            text("attempts")
        );
        say(one_line(&line))?;
    }
    if failures.is_empty() && !as_json {
        say("every document got through, or was dismissed")?;
    }
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_is_one_line_that_says_how_far_behind_it_is() {
        let job = json!({
            "id": "abc+continuous", "source": "http://a/x/", "target": "x", "state": "crashing",
            "info": {"lag_seconds": 12.34, "changes_pending": 7, "failures": 1, "degraded": true, "last_error": "refused"},
        });
        assert_eq!(
            line(&job),
            "abc+continuous  crashing  12.3 s behind, 7 pending, 1 document not replicated  http://a/x/ -> x  (refused)"
        );
        assert!(!is_healthy(&job));
        let unknown = json!({"id": "c", "state": "error", "info": {"error": "there is no secret"}});
        assert!(line(&unknown).ends_with("(there is no secret)") && !is_healthy(&unknown));
        assert!(is_healthy(&json!({"id": "b", "info": {}})));
    }
}
