//! A directory of databases, by plain names.

use crate::asynchronous::blocking;
use crate::{Database, Error, Result};
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use trunkline_core::db_name::DbName;
use trunkline_query::Indexes;
use trunkline_replicate::{Replications, Secrets};
use trunkline_store as engine;

/// A directory of databases. Cheap to clone; one process at a time holds the directory.
#[derive(Clone, Debug)]
pub struct Store {
    engine: engine::Store,
    indexes: Indexes,
    replications: Arc<OnceLock<Replications>>,
}

impl From<engine::Store> for Store {
    fn from(engine: engine::Store) -> Store {
        engine.set_guard_maker(trunkline_query::guards());
        trunkline_replicate::LocalPeer::set_filter_maker(trunkline_http::local_filter);
        Store {
            indexes: Indexes::of(&engine),
            engine,
            replications: Arc::default(),
        }
    }
}

impl Store {
    /// Opens a directory, and makes it when it is not there.
    pub fn open(dir: impl AsRef<Path>) -> Result<Store> {
        Ok(Store::from(engine::Store::open(dir)?))
    }

    /// Opens with other settings than the defaults.
    pub fn open_with(dir: impl AsRef<Path>, options: engine::StoreOptions) -> Result<Store> {
        Ok(Store::from(engine::Store::open_with(dir, options)?))
    }

    /// Opens a database, and creates it when it is not there.
    pub fn database(&self, name: &str) -> Result<Database> {
        let name = parse_name(name)?;
        loop {
            match self.engine.database(&name) {
                Err(engine::Error::DatabaseMissing(_)) => {}
                opened => return Ok(Database::from(opened?)),
            }
            match self.engine.create(&name) {
                // Someone else was faster: open theirs.
                Err(engine::Error::DatabaseExists(_)) => {}
                created => return Ok(Database::from(created?)),
            }
        }
    }

    /// Opens a database that is there.
    pub fn existing(&self, name: &str) -> Result<Database> {
        Ok(Database::from(self.engine.database(&parse_name(name)?)?))
    }

    /// Creates a database that is not there.
    pub fn create(&self, name: &str) -> Result<Database> {
        Ok(Database::from(self.engine.create(&parse_name(name)?)?))
    }

    /// Creates a partitioned database that is not there: every document's id begins with the name of a partition and a
    /// colon, and no edit brings another ([`Refused::Member`](crate::engine::Refused::Member)). Views and Mango indexes
    /// are by partition unless their design document says otherwise.
    pub fn create_partitioned(&self, name: &str) -> Result<Database> {
        let options = engine::DatabaseOptions { partitioned: true };
        let created = self.engine.create_with(&parse_name(name)?, options)?;
        Ok(Database::from(created))
    }

    /// Deletes a database, at once whatever it holds.
    pub fn delete(&self, name: &str) -> Result<()> {
        Ok(self.engine.delete(&parse_name(name)?)?)
    }

    /// The names of all databases, in byte order.
    pub fn names(&self) -> Vec<String> {
        self.engine
            .names()
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect()
    }

    /// Runs a call of the store on a thread that may block: opening, creating and deleting databases read and write
    /// files, which code under tokio must not wait for.
    pub async fn blocking<R, F>(&self, call: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&Store) -> Result<R> + Send + 'static,
    {
        let store = self.clone();
        blocking(move || call(&store)).await
    }

    /// The replications that this process keeps running for the store: started here, by requests to
    /// [`Store::serve`], or by documents of `_replicator` databases once
    /// [`follow_documents`](Replications::follow_documents) was called. They end with the last handle of the store, or
    /// in order with [`shutdown`](Replications::shutdown).
    pub fn replications(&self) -> &Replications {
        self.replications_with(Secrets::default())
    }

    /// The same, with directories where credentials are found by name. Counts where it is called first.
    pub fn replications_with(&self, secrets: Secrets) -> &Replications {
        self.replications
            .get_or_init(|| Replications::new(self.engine.clone(), secrets))
    }

    /// Serves every database of the store over HTTP until `shutdown` resolves; running requests finish first. The
    /// store and its replications go on to work in this process, meanwhile and afterwards.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let config = trunkline_http::Config::default();
        trunkline_http::serve_with(listener, self.replications().clone(), config, shutdown).await
    }

    /// Makes every write durable and closes all files. Handles of its databases answer an error from then on.
    pub fn close(&self) -> Result<()> {
        self.indexes.close();
        Ok(self.engine.close()?)
    }

    /// The index files that are open.
    pub(crate) fn index_files(&self) -> &Indexes {
        &self.indexes
    }

    /// The engine's own store, for what is not offered here.
    pub fn engine(&self) -> &engine::Store {
        &self.engine
    }
}

fn parse_name(name: &str) -> Result<DbName> {
    DbName::parse(name).map_err(|_| {
        Error::Invalid(format!(
            "{name:?} is no database name: lower-case letters, digits and _$()+-/ are allowed, a letter comes first"
        ))
    })
}
