//! `trunkline serve`: the HTTP server over a store's directory.

use super::audit_log::AuditLog;
use super::listen::Listening;
use super::location::explain;
use super::output::say;
use super::settings::{ConfigFile, open, sources};
use super::signals::{Hangup, Stop};
use super::{Failure, listen, trust};
use clap::Args;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use trunkline::engine::Store;
use trunkline::http::settings::{Live, Process, Sources};
use trunkline::http::{ServerTls, raise_descriptors, serve as serve_http};

/// What `serve` takes.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The store's directory; made when it is not there
    #[arg(default_value = "./data", value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// Address and port to listen on, may be given again; port 0 takes a free one [default: 127.0.0.1:5984] [env:
    /// TRUNKLINE_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// MiB that the caches of all databases may use together
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    cache_mb: Option<u32>,
    /// Database files kept open at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    open_databases: Option<u32>,
    /// Directory with a file per secret that replications name in place of credentials [env: TRUNKLINE_SECRETS]
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// What to log, to standard error: error, warn, info, debug, trace, or a filter such as info,trunkline_store=debug
    /// [default: info] [env: TRUNKLINE_LOG]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log in JSON, a line per event
    #[arg(long)]
    log_json: bool,
}

/// Threads for what may block beside commits and scans, which have their own. None waits for a client there, so that more
/// than a disk can serve at once would only take memory.
const BLOCKING_THREADS_MAX: usize = 64;

/// Who changed settings when a signal did.
const SIGNAL: &str = "SIGHUP";

pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()?;
    // Before all else: one that came during the start would end the server, and is heeded once it runs.
    let hangup = {
        let _runtime = runtime.enter();
        Hangup::new()?
    };
    let sources = Sources {
        flags: flags(args)?,
        ..sources(&args.dir, &args.file)?
    };
    let (live, mut warnings) = open(sources)?;
    let process = live.process();
    Failure::unless_none(process.wrong_files())?;
    // Replications that need them fail with the same words; the others need not wait.
    warnings.extend(process.wrong_peer_files());
    let audit = start_log(&process)?;
    raise_descriptors();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let store = Store::open_with(&args.dir, process.store()).map_err(|error| explain(error, &args.dir))?;
    if let Err(problem) = live.keep_session_secret() {
        tracing::warn!("sessions end with the server, since what signs them cannot be kept: {problem}");
    }
    let served = runtime.block_on(serve(args, live, store.clone(), (hangup, audit)));
    // Feeds and requests have ended by now; what is still relaxed becomes durable here.
    let closed = store.close();
    served?;
    closed?;
    say("stopped")?;
    Ok(ExitCode::SUCCESS)
}

/// The flags, as settings of the table.
fn flags(args: &ServeArgs) -> Result<Vec<(&'static str, &'static str, String)>, Failure> {
    let mut flags = Vec::new();
    if !args.listen.is_empty() {
        let addresses: Vec<String> = args.listen.iter().map(SocketAddr::to_string).collect();
        flags.push(("server", "listen", addresses.join(",")));
    }
    if let Some(mib) = args.cache_mb {
        flags.push(("server", "cache_mb", mib.to_string()));
    }
    if let Some(databases) = args.open_databases {
        flags.push(("server", "open_databases", databases.to_string()));
    }
    if let Some(dir) = &args.secrets {
        let dir = dir
            .to_str()
            .ok_or_else(|| Failure::new("--secrets is not UTF-8"))?;
        flags.push(("replication", "secrets", dir.to_owned()));
    }
    let tls = trust::given();
    for (key, path) in [
        ("certificate", tls.certificate),
        ("key", tls.key),
        ("authorities", tls.authorities),
    ] {
        if let Some(path) = path {
            let path = path
                .into_os_string()
                .into_string()
                .map_err(|path| Failure::new(format!("{} is not UTF-8", path.display())))?;
            flags.push(("replication", key, path));
        }
    }
    if let Some(filter) = &args.log {
        flags.push(("log", "filter", filter.clone()));
    }
    if args.log_json {
        flags.push(("log", "json", true.to_string()));
    }
    Ok(flags)
}

async fn serve(
    args: &ServeArgs,
    live: Live,
    store: Store,
    (hangup, audit): (Hangup, Option<AuditLog>),
) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let listening = listen::open(&live, &args.dir).await?;
    greet(args, &live, &listening)?;
    let reloads = tokio::spawn(reload(hangup, audit, live.clone(), listening.tls));
    let shutdown = async move {
        stop.asked().await;
        tracing::info!("stopping: running requests finish first");
    };
    let served = serve_http(listening.listeners, store, live, shutdown).await;
    reloads.abort();
    Ok(served?)
}

/// Begins another file of the audit log, and reads settings and certificates again, whenever a signal asks for it.
async fn reload(mut hangup: Hangup, audit: Option<AuditLog>, live: Live, tls: Option<ServerTls>) {
    while hangup.asked().await {
        if let Some(Err(error)) = audit.as_ref().map(AuditLog::reopen) {
            tracing::error!(%error, "the former file of the audit log stays in use");
        }
        let live = live.clone();
        match tokio::task::spawn_blocking(move || live.reload(SIGNAL)).await {
            Ok(Ok(waiting)) if !waiting.is_empty() => {
                tracing::warn!("these count after a restart: {}", waiting.join(", "));
            }
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => tracing::error!("the settings stay as they were: {problem}"),
            Err(panic) => tracing::error!(%panic, "settings could not be read"),
        }
        if let Some(Err(error)) = tls.as_ref().map(ServerTls::reload) {
            tracing::error!(%error, "the former certificate stays in use");
        }
    }
}

fn greet(args: &ServeArgs, live: &Live, listening: &Listening) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    say(format_args!(
        "Trunkline {version} listens on {} (store: {})",
        listening.places.join(" and "),
        args.dir.display()
    ))?;
    let Some(url) = listening.places.iter().find(|place| place.starts_with("http://")) else {
        return Ok(());
    };
    let admins = &live.now().admins;
    let user = match admins.keys().next() {
        Some(name) => format!("-u {name} "),
        None => String::new(),
    };
    say("Try, in another terminal:")?;
    say(format_args!("  curl {user}-X PUT {url}/cdrs"))?;
    say(format_args!(
        "  curl {user}-X PUT {url}/cdrs/call-1 -d '{{\"caller\":\"+14155551000\",\"seconds\":42}}'"
    ))?;
    say(format_args!("  curl {user}{url}/cdrs/_changes?include_docs=true"))
}

/// What the settings say is logged.
pub(crate) fn log_filter(process: &Process) -> Result<EnvFilter, Failure> {
    let filter = &process.log_filter;
    let failed = |cause| Failure::new(format!("`filter` in [log] is {filter:?}: {cause}"));
    EnvFilter::try_new(filter).map_err(failed)
}

/// Answers the audit log's file, if there is one.
fn start_log(process: &Process) -> Result<Option<AuditLog>, Failure> {
    let filter = log_filter(process)?;
    let log = || {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            // Told on standard error, which is what fails then: a panic in whoever logs.
            .log_internal_errors(false)
    };
    let log = match process.log_json {
        true => log().json().with_filter(filter).boxed(),
        false => log().with_target(false).with_filter(filter).boxed(),
    };
    let file = process.log_audit.as_deref().map(AuditLog::open).transpose()?;
    let audit = file.clone().map(audit);
    tracing_subscriber::registry().with(log).with(audit).init();
    Ok(file)
}

/// What goes to the audit log's file: events of its target, a line of JSON each.
fn audit<S>(log: AuditLog) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .json()
        .with_writer(move || log.clone())
        .log_internal_errors(false)
        .with_filter(filter_fn(|event| event.target() == trunkline::http::AUDIT))
}
