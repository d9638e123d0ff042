//! What every line needs: where to write, how much, how often, and the runtime of the client side.

use crate::cdr::{Cdr, Ids};
use crate::load;
use crate::measure::Failure;
use crate::server::Server;
use crate::target::Target;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use trunkline_store::StoreOptions;

/// Documents per batch, embedded and by `_bulk_docs`.
pub(crate) const BATCH_DOCS: u64 = 1000;
/// Threads, and connections, of the concurrent lines.
pub(crate) const WRITERS: usize = 32;
/// Connections that `_bulk_docs` comes in on; more than one, so that the server parses one while it commits another.
pub(crate) const BULK_CONNECTIONS: u64 = 4;
/// The database that everything is written to.
pub(crate) const DATABASE: &str = "trunkline-bench";

/// The settings of a run.
pub(crate) struct Bench {
    /// Holds every file; on a file system whose fsync is honest.
    pub(crate) dir: TempDir,
    /// Documents of the embedded bulk lines.
    pub(crate) docs: u64,
    /// Documents of the feed and replication lines.
    pub(crate) big_docs: u64,
    /// Documents that the fan-out lines write at the highest rate.
    pub(crate) fanout_docs: u64,
    /// Replications of the line of idle ones.
    pub(crate) idle_jobs: u64,
    /// Repetitions of each side of a comparison.
    pub(crate) repeat: usize,
    /// How long one repetition of a line without a fixed number of documents takes.
    pub(crate) slice: Duration,
    /// A server to measure in place of one of ours.
    pub(crate) external: Option<Target>,
    /// Runs clients, on one thread: the server needs the rest.
    pub(crate) runtime: tokio::runtime::Runtime,
    /// The store that feeds are read and replications are pulled from, once a line made it.
    pub(crate) loaded: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn run<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(work)
    }

    /// A fresh directory.
    pub(crate) fn directory(&self) -> Result<TempDir, Failure> {
        Ok(tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(self.dir.path())?)
    }

    /// Bytes of cache that both a store and the raw redb beside it get.
    pub(crate) fn cache_bytes(&self) -> usize {
        StoreOptions::default().cache_bytes
    }

    /// The directory of a store with `big_docs` documents, made once.
    pub(crate) fn loaded(&mut self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.loaded {
            return Ok(dir.clone());
        }
        let dir = self.dir.path().join("loaded");
        let (store, database) = load::create(&dir)?;
        for start in (0..self.big_docs).step_by(BATCH_DOCS as usize) {
            let end = self.big_docs.min(start + BATCH_DOCS);
            load::update(&database, &Cdr::range(Ids::Sequential, start..end))?;
        }
        store.close()?;
        self.loaded = Some(dir.clone());
        Ok(dir)
    }

    /// A server with an empty database [`DATABASE`]: the one of `--url`, or a process of our own over `dir`.
    pub(crate) fn server(&self, dir: &Path) -> Result<Measured, Failure> {
        self.run(async {
            let own = match &self.external {
                Some(_) => None,
                None => Some(Server::start(dir).await?),
            };
            let target = match (&self.external, &own) {
                (Some(target), _) => target.clone(),
                (None, Some(server)) => server.target.clone(),
                (None, None) => return Err("no server".into()),
            };
            load::recreate(&target, DATABASE).await?;
            Ok(Measured { own, target })
        })
    }
}

/// A server that is measured.
pub(crate) struct Measured {
    /// The process, when it is ours.
    pub(crate) own: Option<Server>,
    pub(crate) target: Target,
}

/// Runs several futures side by side on this thread until all are done or one fails.
pub(crate) async fn all(
    futures: impl IntoIterator<Item = impl Future<Output = Result<(), Failure>>>,
) -> Result<(), Failure> {
    futures_util::future::try_join_all(futures).await?;
    Ok(())
}
