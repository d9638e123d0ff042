//! Servers to measure, each a process of its own so that its memory is its own: this program, started again.

use crate::client;
use crate::measure::Failure;
use crate::secured;
use crate::target::Target;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Args;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use trunkline_http::{Config, Listener, Secret, ServerTls};
use trunkline_store::Store;

/// A running server; dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    pub(crate) target: Target,
}

impl Server {
    /// Starts a Trunkline server over a store's directory and waits until it answers.
    pub(crate) async fn start(dir: &Path) -> Result<Server, Failure> {
        Server::start_with(dir, |_| {}, |target| target).await
    }

    /// As [`Server::start`], with more arguments, and a target made of its address.
    pub(crate) async fn start_with(
        dir: &Path,
        arguments: impl FnOnce(&mut Command),
        target: impl FnOnce(Target) -> Target,
    ) -> Result<Server, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        arguments(command.arg("server").arg(dir));
        let mut server = Server::spawn(&mut command)?;
        server.target = target(server.target.clone());
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match client::once(&server.target, "GET", "/_up", b"").await {
                Ok(answer) if answer.status == 200 => return Ok(server),
                Ok(answer) => return Err(format!("/_up answers {}", answer.status).into()),
                Err(cause) if Instant::now() > deadline => return Err(cause),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Starts a server on the same stack whose one handler answers the same bytes to every request.
    pub(crate) fn start_trivial(answer: &str) -> Result<Server, Failure> {
        Server::spawn(Command::new(std::env::current_exe()?).arg("trivial").arg(answer))
    }

    fn spawn(command: &mut Command) -> Result<Server, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        let target = Target::parse(&format!("http://{}", address.trim()))?;
        Ok(Server { child, target })
    }

    /// Processor time that the process used so far; `None` where the system does not tell.
    pub(crate) fn processor(&self) -> Option<Duration> {
        /// Ticks of a second: what Linux tells programs whatever its own are.
        const TICKS: u64 = 100;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name before may hold anything but a closing parenthesis at its end.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut times = fields
            .split(' ')
            .skip(11)
            .map_while(|field| field.parse::<u64>().ok());
        let ticks = times.next()? + times.next()?;
        Some(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Resident memory now and at its highest, in MB (10^6 bytes); `None` where the system does not tell.
    pub(crate) fn memory_mb(&self) -> Option<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib * 1024.0 / 1e6)
        };
        Some((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its stdin closes, which is its sign to stop in order.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the started process is told.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    dir: PathBuf,
    /// With an administrator of the benchmark's own
    #[arg(long)]
    admin: bool,
    /// By TLS, with the certificate and key in this directory
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Requests that are let in at once
    #[arg(long)]
    requests_max: Option<usize>,
}

/// What the started process runs: the server over a directory, until stdin closes.
pub(crate) async fn run(args: ServerArgs) -> Result<(), Failure> {
    let ServerArgs {
        dir,
        admin,
        tls,
        requests_max,
    } = args;
    let store = Store::open(dir)?;
    let mut config = Config::default();
    if let Some(max) = requests_max {
        config.connections.requests_max = max;
    }
    if admin {
        let (name, password) = secured::ADMIN;
        config.admins.insert(name.to_owned(), Secret::new(password));
    }
    let listener = announce().await?;
    let listener: Listener = match tls {
        Some(files) => Listener::tls(listener, ServerTls::read(secured::settings(&files))?),
        None => listener.into(),
    };
    trunkline_http::serve(listener, store.clone(), config, stdin_closed()).await?;
    store.close()?;
    Ok(())
}

/// What the started process runs: the trivial handler, until stdin closes.
pub(crate) async fn run_trivial(answer: String) -> Result<(), Failure> {
    let bytes = bytes::Bytes::from(answer);
    let handler = move || {
        let bytes = bytes.clone();
        async move { ([("content-type", "application/json")], bytes).into_response() }
    };
    let router: Router = Router::new().route("/{database}/{id}", get(handler));
    let listener = announce().await?;
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        () = stdin_closed() => {}
    }
    Ok(())
}

async fn announce() -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;
    Ok(listener)
}

async fn stdin_closed() {
    let waiting = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = waiting.await;
}
