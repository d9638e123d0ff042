//! `trunkline serve`: the HTTP server over a store's directory.

use super::Failure;
use super::administrator;
use super::location::explain;
use super::output::say;
use super::signals::Stop;
use clap::Args;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use trunkline::engine::{Store, StoreOptions};
use trunkline::http::Config;
use trunkline::replicate::Secrets;

/// What `serve` takes.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The store's directory; made when it is not there
    #[arg(default_value = "./data", value_name = "DIR")]
    dir: PathBuf,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:5984", env = "TRUNKLINE_LISTEN")]
    listen: SocketAddr,
    /// MiB that the caches of all databases may use together
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    cache_mb: Option<u32>,
    /// Database files kept open at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    open_databases: Option<u32>,
    /// Directory with a file per secret that replications name in place of credentials
    #[arg(long, value_name = "DIR", env = "TRUNKLINE_SECRETS")]
    secrets: Option<PathBuf>,
    /// What to log, to standard error: error, warn, info, debug, trace, or a filter such as info,trunkline_store=debug
    #[arg(long, default_value = "info", env = "TRUNKLINE_LOG", value_name = "FILTER")]
    log: String,
    /// Log in JSON, a line per event
    #[arg(long)]
    log_json: bool,
}

/// Threads for what may block beside commits and scans, which have their own. None waits for a client there, so that more
/// than a disk can serve at once would only take memory.
const BLOCKING_THREADS_MAX: usize = 64;

pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    start_log(args)?;
    let mut options = StoreOptions::default();
    if let Some(mib) = args.cache_mb {
        options.cache_bytes = mib as usize * (1 << 20);
    }
    if let Some(databases) = args.open_databases {
        options.open_databases = databases as usize;
    }
    let store = Store::open_with(&args.dir, options).map_err(|error| explain(error, &args.dir))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(args, store.clone()));
    // Feeds and requests have ended by now; what is still relaxed becomes durable here.
    let closed = store.close();
    served?;
    closed?;
    say("stopped")?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &ServeArgs, store: Store) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let config = config(args)?;
    let listen = administrator::guarded(args.listen, &config);
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|cause| Failure::new(format!("cannot listen on {listen}: {cause}")))?;
    let address = listener.local_addr()?;
    greet(args, address)?;
    let shutdown = async move {
        stop.asked().await;
        tracing::info!("stopping: running requests finish first");
    };
    trunkline::http::serve(listener, store, config, shutdown).await?;
    Ok(())
}

fn config(args: &ServeArgs) -> Result<Config, Failure> {
    Ok(Config {
        admins: administrator::of_environment()?.into_iter().collect(),
        secrets: secrets(args),
        ..Config::default()
    })
}

/// systemd hands a service its credentials in a directory, which it names in the environment.
fn secrets(args: &ServeArgs) -> Secrets {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    Secrets::in_dirs(args.secrets.clone().into_iter().chain(credentials))
}

fn greet(args: &ServeArgs, address: SocketAddr) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    say(format_args!(
        "Trunkline {version} listens on http://{address} (store: {})",
        args.dir.display()
    ))?;
    say("Try, in another terminal:")?;
    say(format_args!("  curl -X PUT http://{address}/cdrs"))?;
    say(format_args!(
        "  curl -X PUT http://{address}/cdrs/call-1 -d '{{\"caller\":\"+14155551000\",\"seconds\":42}}'"
    ))?;
    say(format_args!(
        "  curl http://{address}/cdrs/_changes?include_docs=true"
    ))
}

fn start_log(args: &ServeArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|cause| Failure::new(format!("--log {:?}: {cause}", args.log)))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Told on standard error, which is what fails then: a panic in whoever logs.
        .log_internal_errors(false);
    if args.log_json {
        log.json().init();
    } else {
        log.with_target(false).init();
    }
    Ok(())
}
