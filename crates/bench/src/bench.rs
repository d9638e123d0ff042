//! What every line needs: where to write, how much, how often, and the runtime of the client side.

use crate::cdr::{self, Cdr, Ids};
use crate::client::{self, Connection, Target};
use crate::measure::Failure;
use crate::server::Server;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_store::{Batch, Database, Store, StoreOptions};

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
        let (store, database) = create(&dir)?;
        for start in (0..self.big_docs).step_by(BATCH_DOCS as usize) {
            let end = self.big_docs.min(start + BATCH_DOCS);
            update(&database, &Cdr::range(Ids::Sequential, start..end))?;
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
            recreate(&target, DATABASE).await?;
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

/// Deletes a database when it is there, and creates it.
pub(crate) async fn recreate(target: &Target, database: &str) -> Result<(), Failure> {
    let path = format!("/{database}");
    client::once(target, "DELETE", &path, b"").await?;
    let created = client::once(target, "PUT", &path, b"").await?;
    if created.status != 201 && created.status != 202 {
        return Err(format!("PUT {path}: {}", created.status).into());
    }
    Ok(())
}

/// Opens a store in a fresh directory, with an empty database.
pub(crate) fn create(dir: &Path) -> Result<(Store, Database), Failure> {
    let store = Store::open(dir)?;
    let name = DbName::parse(DATABASE).map_err(|_| "no database name")?;
    let database = store.create(&name)?;
    Ok((store, database))
}

/// Writes records as new documents in one durable batch, as an embedder with JSON text in hand would.
pub(crate) fn update(database: &Database, records: &[Cdr]) -> Result<(), Failure> {
    let mut edits = Vec::with_capacity(records.len());
    for record in records {
        edits.push(Edit::Interactive(InteractiveEdit {
            id: DocId::parse(&record.id).map_err(|cause| format!("{}: {cause:?}", record.id))?,
            parent: None,
            deleted: false,
            body: Body::parse(&record.body).map_err(|cause| format!("{}: {cause:?}", record.id))?,
            attachments: Vec::new(),
        }));
    }
    let outcomes = database.update(Batch {
        edits,
        ..Batch::default()
    })?;
    match outcomes.into_iter().find_map(Result::err) {
        Some(refused) => Err(format!("refused: {refused:?}").into()),
        None => Ok(()),
    }
}

/// Writes records `0..docs` by `_bulk_docs`, [`BULK_CONNECTIONS`] batches in flight.
pub(crate) async fn bulk_docs(target: &Target, database: &str, docs: u64) -> Result<(), Failure> {
    let path = format!("/{database}/_bulk_docs");
    let writers = (0..BULK_CONNECTIONS).map(|writer| {
        let path = &path;
        async move {
            let mut connection = Connection::open(target).await?;
            let starts = (0..docs)
                .step_by(BATCH_DOCS as usize)
                .skip(writer as usize)
                .step_by(BULK_CONNECTIONS as usize);
            for start in starts {
                let mut body = b"{\"docs\":[".to_vec();
                for number in start..docs.min(start + BATCH_DOCS) {
                    if number > start {
                        body.push(b',');
                    }
                    cdr::write_document(Ids::Sequential, number, &mut body);
                }
                body.extend_from_slice(b"]}");
                connection
                    .expect(&target.request("POST", &path.clone(), &body))
                    .await?;
            }
            Ok::<_, Failure>(())
        }
    });
    all(writers).await
}

/// Runs several futures side by side on this thread until all are done or one fails.
pub(crate) async fn all(
    futures: impl IntoIterator<Item = impl Future<Output = Result<(), Failure>>>,
) -> Result<(), Failure> {
    futures_util::future::try_join_all(futures).await?;
    Ok(())
}
