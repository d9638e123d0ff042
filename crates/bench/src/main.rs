//! The benchmark program: what Trunkline does per second, each line beside the floor it stands on, measured in the
//! same run. `docs/performance.md` says how to read it.

mod bench;
mod cdr;
mod client;
mod delay;
mod distance;
mod embedded;
mod fanout;
mod feeds;
mod jobs;
mod load;
mod mango;
mod measure;
mod memory;
mod named_feeds;
mod overload;
mod raw;
mod replication;
mod report;
mod requests;
mod secured;
mod server;
mod table;
mod target;
mod views;

use bench::Bench;
use cdr::Ids;
use clap::{Parser, Subcommand, ValueEnum};
use measure::Failure;
use report::Line;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use target::Target;

/// Measures Trunkline, each line beside its floor in the same run
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    /// Which lines to measure; all when none is named (with --url: those that talk HTTP)
    lines: Vec<Name>,
    /// Documents of the embedded bulk lines
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    docs: u64,
    /// Documents of the feed and replication lines
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    big_docs: u64,
    /// Documents that the fan-out lines write at the highest rate
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    fanout_docs: u64,
    /// Replications of the line of idle ones
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    idle_jobs: u64,
    /// Repetitions of each side of a comparison; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// Seconds that one repetition of the put and get lines takes
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Where to write; must not be a file system in memory, where an fsync costs nothing
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Measure this CouchDB-style server: `http://host:port` (its databases trunkline-bench and trunkline-bench-target
    /// are deleted and made anew)
    #[arg(long)]
    url: Option<String>,
    /// Name to log in with there; the password is in TRUNKLINE_PASSWORD
    #[arg(long, value_name = "NAME", requires = "url")]
    user: Option<String>,
    /// Write the results to this file as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Exit with 1 when a goal is missed
    #[arg(long)]
    strict: bool,
}

/// The processes that a run starts itself.
#[derive(Debug, Subcommand)]
enum Role {
    /// Serves a store's directory until standard input closes
    #[command(hide = true)]
    Server(server::ServerArgs),
    /// Answers the same bytes to every request until standard input closes
    #[command(hide = true)]
    Trivial { answer: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Embedded bulk writes, sequential ids
    BulkSequential,
    /// Embedded bulk writes, random ids
    BulkRandom,
    /// Embedded single durable puts, 1 and 32 threads
    Put,
    /// Durable PUT over HTTP, 32 connections
    HttpPut,
    /// GET over HTTP, 32 connections
    HttpGet,
    /// PUT and GET with a name and a password, and by TLS, against the same without
    Secured,
    /// Twice as many clients as are let in
    Overload,
    /// _changes and _all_docs with bodies, one client
    Feeds,
    /// One-shot replication over loopback
    Replicate,
    /// One-shot replication over a link with a long round trip
    Distance,
    /// Ten thousand replications that have nothing to do
    IdleJobs,
    /// A tree and a chain of replicas in one process
    Fanout,
    /// Named feeds: reading, building, what they cost writers
    NamedFeeds,
    /// Views: building, reducing, keeping up to date
    Views,
    /// Mango: without an index, building one, asking by it
    Mango,
    /// Aggregates of all documents
    Aggregate,
    /// Memory of an idle server
    Idle,
}

fn main() -> ExitCode {
    let mut args = Args::parse();
    let result = match args.role.take() {
        Some(Role::Server(args)) => serve(server::run(args)),
        Some(Role::Trivial { answer }) => serve(server::run_trivial(answer)),
        None => run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "trunkline-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// As `trunkline serve` has.
const BLOCKING_THREADS_MAX: usize = 64;

fn serve(server: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()?;
    runtime.block_on(server)?;
    Ok(ExitCode::SUCCESS)
}

/// The server of `--url`.
fn external(args: &Args) -> Result<Option<Target>, Failure> {
    let Some(url) = &args.url else {
        return Ok(None);
    };
    let mut target = Target::parse(url)?;
    if let Some(name) = &args.user {
        let password = std::env::var("TRUNKLINE_PASSWORD");
        let password = password.map_err(|_| "--user needs the password in TRUNKLINE_PASSWORD")?;
        target.credentials = Some((name.clone(), password));
    }
    Ok(Some(target))
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let external = external(args)?;
    let dir = tempfile::Builder::new()
        .prefix("trunkline-bench-")
        .tempdir_in(&args.dir)?;
    let fsync_ms = fsync_ms(dir.path())?;
    let facts = serde_json::json!({
        "cores": std::thread::available_parallelism()?.get(),
        "directory_fsync_ms": fsync_ms,
        "docs": args.docs, "big_docs": args.big_docs, "repeat": args.repeat, "seconds": args.seconds,
        "url": external.as_ref().map(|target| &target.authority),
        "optimised": !cfg!(debug_assertions),
    });
    let mut err = std::io::stderr();
    writeln!(
        err,
        "writing under {} (an fsync takes {fsync_ms:.2} ms there)",
        args.dir.canonicalize()?.display()
    )?;
    if fsync_ms < 0.02 {
        writeln!(
            err,
            "warning: that is no disk; durable lines mean little. Choose another --dir"
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(err, "warning: built without --release; the numbers mean nothing")?;
    }
    let mut bench = Bench {
        dir,
        docs: args.docs,
        big_docs: args.big_docs,
        fanout_docs: args.fanout_docs,
        idle_jobs: args.idle_jobs,
        repeat: usize::try_from(args.repeat)?,
        slice: Duration::from_secs_f64(args.seconds),
        external,
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        loaded: None,
    };
    let mut lines: Vec<Line> = Vec::new();
    for name in chosen(args) {
        writeln!(err, "measuring {name:?} ...")?;
        lines.extend(measure_line(&mut bench, name)?);
    }
    writeln!(std::io::stdout(), "{}", table::table(&lines).trim_end())?;
    if let Some(file) = &args.json {
        std::fs::write(file, format!("{:#}\n", report::json(&lines, &facts)))?;
    }
    let short = lines.iter().any(|line| line.met() == Some(false));
    Ok(ExitCode::from(u8::from(args.strict && short)))
}

fn chosen(args: &Args) -> Vec<Name> {
    let http = |name: &Name| {
        matches!(
            name,
            Name::HttpPut | Name::HttpGet | Name::Feeds | Name::Replicate
        )
    };
    let all = Name::value_variants().iter().copied();
    match (args.lines.is_empty(), &args.url) {
        (false, _) => args.lines.clone(),
        (true, None) => all.collect(),
        (true, Some(_)) => all.filter(http).collect(),
    }
}

fn measure_line(bench: &mut Bench, name: Name) -> Result<Vec<Line>, Failure> {
    Ok(match name {
        Name::BulkSequential => vec![embedded::bulk(bench, Ids::Sequential)?],
        Name::BulkRandom => vec![embedded::bulk(bench, Ids::Random)?],
        Name::Put => embedded::puts(bench)?,
        Name::HttpPut => vec![requests::put(bench)?],
        Name::HttpGet => vec![requests::get(bench)?],
        Name::Secured => secured::secured(bench)?,
        Name::Overload => overload::overload(bench)?,
        Name::Feeds => feeds::feeds(bench)?,
        Name::Replicate => replication::one_shot(bench)?,
        Name::Distance => distance::distance(bench)?,
        Name::IdleJobs => jobs::idle_jobs(bench)?,
        Name::Fanout => fanout::fanout(bench)?,
        Name::NamedFeeds => named_feeds::named_feeds(bench)?,
        Name::Views => views::views(bench)?,
        Name::Mango => mango::mango(bench)?,
        Name::Aggregate => mango::aggregate(bench)?,
        Name::Idle => vec![memory::idle(bench)?],
    })
}

/// What a small append and its fsync take here, in milliseconds: tells a disk from memory.
fn fsync_ms(dir: &Path) -> Result<f64, Failure> {
    let mut file = std::fs::File::create(dir.join("fsync"))?;
    let mut samples = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(measure::median(&samples))
}
