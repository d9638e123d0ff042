//! `trunkline import`: documents from files into a database, the same file twice without effect.

mod plan;
mod records;
mod target;

use super::location::Location;
use super::login::LoginArgs;
use super::output::{self, count, one_line, say};
use super::{Failure, progress, snapshot};
use clap::Args;
use indicatif::ProgressBar;
use plan::{Item, Refusal, plan};
use records::Records;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;
use target::Target;
use trunkline::core::doc_id::DocId;
use trunkline::core::rev::Rev;

/// What `import` takes.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// URL or DIR/database; made when it is not there
    database: String,
    /// Files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Member that is the id of documents without _id; else their content gives them one
    #[arg(long, value_name = "MEMBER")]
    id_field: Option<String>,
    /// Documents written at once
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
}

/// Bytes of text after which a batch is full, whatever it counts: two of them are in memory.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// Refusals told one by one; the others are counted.
const REFUSALS_TOLD: u64 = 20;

/// Documents read together, or the reason why reading ended early.
type Batch = Result<Vec<Result<Item, Refusal>>, Failure>;

#[derive(Debug, Default)]
struct Counts {
    read: u64,
    created: u64,
    unchanged: u64,
    refused: u64,
}

pub(crate) fn run(args: &ImportArgs) -> Result<ExitCode, Failure> {
    if args.login.asks() && args.files.iter().any(|file| file == "-") {
        return Err(Failure::new(
            "standard input has documents: --user wants the password in TRUNKLINE_PASSWORD",
        ));
    }
    args.login.apply();
    let database = Location::parse(&args.database)?;
    if let Some(file) = args.files.iter().find(|file| snapshot::is_one(file)) {
        return match args.files.len() {
            1 => snapshot::import(&database, file, args.json),
            _ => Err(Failure::new(format!("{file} is a snapshot: import it by itself"))),
        };
    }
    let target = Target::open(&database)?;
    let started = Instant::now();
    let bar = progress::line(args.json);
    let mut counts = Counts::default();
    // One thread reads and parses the next batch while this one writes.
    let result = std::thread::scope(|scope| {
        let (full, batches) = sync_channel(1);
        scope.spawn(move || read_files(args, &full));
        for batch in batches {
            write(&target, batch?, &mut counts, &bar)?;
            let rate = progress::rate(counts.read, started.elapsed());
            bar.set_message(format!("{} documents, {rate} documents/s", counts.read));
        }
        Ok(())
    });
    bar.finish_and_clear();
    target.close()?;
    result.map_err(|failure: Failure| match failure {
        Failure::Message(message) => Failure::new(format!(
            "{message} ({} imported before)",
            count(counts.created, "document")
        )),
        other => other,
    })?;
    tell(args, &counts, started)?;
    Ok(match counts.refused {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn tell(args: &ImportArgs, counts: &Counts, started: Instant) -> Result<(), Failure> {
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        return say(json!({
            "ok": counts.refused == 0,
            "read": counts.read,
            "imported": counts.created,
            "unchanged": counts.unchanged,
            "refused": counts.refused,
            "seconds": (seconds * 1000.0).round() / 1000.0,
        }));
    }
    let nothing = if counts.created == 0 && counts.refused == 0 {
        ": nothing changed"
    } else {
        ""
    };
    say(format_args!(
        "{} read: {} imported, {} unchanged, {} refused{nothing} ({seconds:.3} s, {} documents/s)",
        count(counts.read, "document"),
        counts.created,
        counts.unchanged,
        counts.refused,
        progress::rate(counts.read, started.elapsed())
    ))
}

/// Sends the files' documents in batches, until all are read, something fails, or nobody takes them any more.
fn read_files(args: &ImportArgs, full: &SyncSender<Batch>) {
    for file in &args.files {
        match read_file(args, file, full) {
            Ok(true) => {}
            Ok(false) => return,
            Err(cause) => {
                // Nobody listens when the writer failed first.
                let _ = full.send(Err(Failure::new(format!("{file}: {cause}"))));
                return;
            }
        }
    }
}

/// Answers whether more is wanted.
fn read_file(args: &ImportArgs, file: &str, full: &SyncSender<Batch>) -> io::Result<bool> {
    let input: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        path => Box::new(File::open(path)?),
    };
    let mut records = Records::new(BufReader::with_capacity(256 << 10, input));
    let mut batch = Vec::new();
    let mut bytes = 0;
    let ended = loop {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => break Ok(true),
            Err(cause) => break Err(cause),
        };
        let is_full = batch.len() >= args.batch as usize || bytes + record.text.len() > BATCH_BYTES_MAX;
        if is_full && !batch.is_empty() {
            bytes = 0;
            if full.send(Ok(std::mem::take(&mut batch))).is_err() {
                return Ok(false);
            }
        }
        bytes += record.text.len();
        batch.push(plan(record, args.id_field.as_deref()));
    };
    // What was read before the file turned out to be broken is imported.
    if !batch.is_empty() && full.send(Ok(batch)).is_err() {
        return Ok(false);
    }
    ended
}

fn write(
    target: &Target,
    batch: Vec<Result<Item, Refusal>>,
    counts: &mut Counts,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    counts.read += batch.len() as u64;
    let mut items = Vec::with_capacity(batch.len());
    for planned in batch {
        match planned {
            Ok(item) => items.push(item),
            Err(refusal) => refuse(&refusal, counts, bar),
        }
    }
    let known = target.known(&revisions(&items))?;
    let mut known = known.into_iter();
    let all = items.len();
    items.retain(|_| !known.next().unwrap_or_default());
    counts.unchanged += (all - items.len()) as u64;
    if items.is_empty() {
        return Ok(());
    }
    let lines: Vec<u64> = items.iter().map(|item| item.line).collect();
    let sent = revisions(&items);
    let refused = target.write(items)?;
    for ((line, sent), reason) in lines.into_iter().zip(sent).zip(refused) {
        match reason {
            None => counts.created += 1,
            // The same document twice in one batch: the first one has made it known.
            Some(_) if target.known(std::slice::from_ref(&sent))? == [true] => counts.unchanged += 1,
            Some(reason) => {
                let id = sent.0.as_str().to_owned();
                refuse(&Refusal { line, id, reason }, counts, bar);
            }
        }
    }
    Ok(())
}

fn revisions(items: &[Item]) -> Vec<(DocId, Rev)> {
    items
        .iter()
        .map(|item| (item.id.clone(), item.rev.clone()))
        .collect()
}

fn refuse(refusal: &Refusal, counts: &mut Counts, bar: &ProgressBar) {
    counts.refused += 1;
    let id = match refusal.id.as_str() {
        "" => String::new(),
        id => format!(" {id}"),
    };
    match counts.refused {
        ..=REFUSALS_TOLD => {
            let told = format!("refused: line {}{id}: {}", refusal.line, refusal.reason);
            bar.suspend(|| output::tell(one_line(&told)));
        }
        told if told == REFUSALS_TOLD + 1 => bar.suspend(|| output::tell("refused: and more")),
        _ => {}
    }
}
