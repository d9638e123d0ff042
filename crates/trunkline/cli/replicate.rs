//! `trunkline replicate`: one run, or a continuous one until it is interrupted.

use super::Failure;
use super::location::{Location, Stores};
use super::login::LoginArgs;
use super::output::{self, count, one_line, say};
use super::progress;
use super::signals::Stop;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline::core::selector::Selector;
use trunkline::replicate::{self, Peer, Progress, RefusedDoc, Report, Spec};

/// What `replicate` takes.
#[derive(Debug, Args)]
pub(crate) struct ReplicateArgs {
    /// Where from: URL or DIR/database
    source: String,
    /// Where to: URL or DIR/database
    target: String,
    /// Go on waiting for changes until interrupted
    #[arg(long)]
    continuous: bool,
    /// Create the target when it is not there
    #[arg(long)]
    create_target: bool,
    /// Only this document; may be given several times
    #[arg(long = "doc-id", value_name = "ID")]
    doc_ids: Vec<String>,
    /// Only documents that match this Mango selector
    #[arg(long, value_name = "JSON", conflicts_with = "doc_ids")]
    selector: Option<String>,
    /// Only what is in this named feed of the source
    #[arg(long, value_name = "DESIGN/NAME", conflicts_with_all = ["doc_ids", "selector"])]
    feed_name: Option<String>,
    /// Start after this seq of the source when the two sides have no checkpoint in common
    #[arg(long, value_name = "SEQ")]
    since_seq: Option<String>,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) fn run(args: &ReplicateArgs) -> Result<ExitCode, Failure> {
    args.login.apply();
    let spec = spec(args)?;
    let source = Location::parse(&args.source)?;
    let target = Location::parse(&args.target)?;
    let mut stores = Stores::default();
    let source = stores.peer(&source, false)?;
    let target = stores.peer(&target, args.create_target)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = Instant::now();
    let (tell, told) = watch::channel(Progress::default());
    let result = runtime.block_on(async {
        let stop = Stop::new()?;
        Ok::<_, Failure>(replicate(source, target, spec, tell, stop, args.json).await)
    })?;
    let elapsed = started.elapsed();
    stores.close()?;
    // Of a run that failed, too: checkpoints may have passed them.
    let refused = Arc::clone(&told.borrow().refused);
    if !args.json {
        show_refused(&refused);
    }
    match result {
        Ok(report) => show_report(&report, elapsed, args.json),
        Err(error) if args.json => {
            say(json!({"ok": false, "error": error.to_string(), "refused": as_json(&refused)}))?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn spec(args: &ReplicateArgs) -> Result<Spec, Failure> {
    let selector = match &args.selector {
        Some(json) => {
            let parsed =
                Selector::parse(json).map_err(|invalid| Failure::new(format!("--selector: {invalid}")))?;
            Some((json.clone(), parsed))
        }
        None => None,
    };
    // A seq is JSON: what is no JSON by itself (7-a1b2c3d4) is meant as a string.
    let since_seq = args
        .since_seq
        .as_ref()
        .map(|seq| match serde_json::from_str::<Value>(seq) {
            Ok(_) => seq.clone(),
            Err(_) => json!(seq).to_string(),
        });
    Ok(Spec {
        continuous: args.continuous,
        create_target: args.create_target,
        doc_ids: (!args.doc_ids.is_empty()).then(|| args.doc_ids.clone()),
        selector,
        filter: None,
        feed_name: args.feed_name.clone(),
        since_seq,
        ..Spec::default()
    })
}

async fn replicate(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
    tell: watch::Sender<Progress>,
    mut stop: Stop,
    quiet: bool,
) -> Result<Report, replicate::PeerError> {
    let told = tell.subscribe();
    let cancel = CancellationToken::new();
    let bar = progress::line(quiet);
    let shown = tokio::spawn(show(told, bar.clone()));
    let asked = cancel.clone();
    tokio::spawn(async move {
        stop.asked().await;
        asked.cancel();
    });
    let result = replicate::run(source, target, spec, tell, cancel).await;
    shown.abort();
    bar.finish_and_clear();
    result
}

/// Draws each state until the replication is gone.
async fn show(mut told: watch::Receiver<Progress>, bar: indicatif::ProgressBar) {
    let started = Instant::now();
    while told.changed().await.is_ok() {
        let now = told.borrow_and_update().clone();
        let rate = progress::rate(now.docs_written, started.elapsed());
        let pending = match now.changes_pending {
            Some(pending) => format!("{pending} pending"),
            None => "pending unknown".to_owned(),
        };
        let waiting = now.waiting_for.map(|what| format!(", waiting for {what}"));
        bar.set_message(format!(
            "{} documents, {rate} documents/s, {pending}{}",
            now.docs_written,
            waiting.unwrap_or_default()
        ));
    }
}

fn show_report(report: &Report, elapsed: Duration, json: bool) -> Result<ExitCode, Failure> {
    let counts = &report.progress;
    if json {
        say(as_line(report, elapsed))?;
    } else {
        let rate = progress::rate(counts.docs_written, elapsed);
        say(format_args!(
            "{} written, {} refused, {:.3} s, {rate} documents/s{}",
            count(counts.docs_written, "document"),
            counts.doc_write_failures,
            elapsed.as_secs_f64(),
            if report.no_changes {
                " (nothing was to do)"
            } else {
                ""
            }
        ))?;
    }
    Ok(match counts.doc_write_failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn show_refused(refused: &[RefusedDoc]) {
    for doc in refused {
        let told = format!("refused: {} {}: {}: {}", doc.id, doc.rev, doc.error, doc.reason);
        output::tell(one_line(&told));
    }
}

fn as_json(refused: &[RefusedDoc]) -> Value {
    let row =
        |doc: &RefusedDoc| json!({"id": doc.id, "rev": doc.rev, "error": doc.error, "reason": doc.reason});
    refused.iter().map(row).collect()
}

fn as_line(report: &Report, elapsed: Duration) -> Value {
    let counts = &report.progress;
    json!({
        "ok": counts.doc_write_failures == 0,
        "no_changes": report.no_changes,
        "replication_id": counts.replication_id,
        "session_id": counts.session_id,
        "docs_read": counts.docs_read,
        "docs_written": counts.docs_written,
        "doc_write_failures": counts.doc_write_failures,
        "missing_checked": counts.revisions_checked,
        "missing_found": counts.missing_revisions_found,
        "source_last_seq": seq(counts.through_seq.as_deref().or(counts.source_seq.as_deref())),
        "refused": as_json(&report.refused),
        "seconds": (elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
    })
}

/// A seq is JSON text already.
fn seq(json: Option<&str>) -> Value {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}
