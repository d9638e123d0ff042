//! A store in memory with its server and its replication.

use crate::bench::DATABASE;
use crate::measure::Failure;
use parking_lot::Mutex;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trunkline_core::db_name::DbName;
use trunkline_replicate::{HttpOptions, HttpPeer, LocalPeer, PeerError, Progress, Report, Spec};
use trunkline_store::{BackendSeam, Database, Store, StoreOptions};

/// One node of the fleet.
pub(crate) struct Node {
    pub(crate) database: Database,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<io::Result<()>>>>,
    replication: Mutex<Option<JoinHandle<Result<Report, PeerError>>>>,
}

impl Node {
    /// A node that only serves.
    pub(crate) async fn writer(dir: &Path) -> Result<Node, Failure> {
        let dir = tempfile::Builder::new().prefix("node-").tempdir_in(dir)?.keep();
        let memory = Memory(Arc::new(InMemoryBackend::new()));
        let backend = BackendSeam(Arc::new(move |_: &Path| Ok(Box::new(memory.clone()))));
        let store = Store::open_with(
            dir,
            StoreOptions {
                backend: Some(backend),
                ..StoreOptions::default()
            },
        )?;
        let name = DbName::parse(DATABASE).map_err(|_| "no database name")?;
        let database = store.create(&name)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let server = tokio::spawn(trunkline_http::serve(
            listener,
            store,
            trunkline_http::Config::default(),
            stop.clone().cancelled_owned(),
        ));
        Ok(Node {
            database,
            address,
            stop,
            tasks: Mutex::new(vec![server]),
            replication: Mutex::default(),
        })
    }

    /// A node that pulls from `parent`, and serves.
    pub(crate) async fn replica(dir: &Path, parent: &Node) -> Result<Node, Failure> {
        let node = Node::writer(dir).await?;
        let source = HttpPeer::new(
            &format!("http://{}/{DATABASE}", parent.address),
            HttpOptions::default(),
        )?;
        let spec = Spec {
            continuous: true,
            ..Spec::default()
        };
        let (progress, _) = watch::channel(Progress::default());
        let target = Arc::new(LocalPeer::from(&node.database));
        let run = trunkline_replicate::run(Arc::new(source), target, spec, progress, node.stop.clone());
        *node.replication.lock() = Some(tokio::spawn(run));
        Ok(node)
    }

    /// Ends its replication and its server.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let replication = self.replication.lock().take();
        if let Some(replication) = replication {
            let _ = replication.await;
        }
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            let _ = task.await;
        }
    }
}

/// A file in memory that outlives whoever opens it.
#[derive(Clone, Debug)]
struct Memory(Arc<InMemoryBackend>);

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}
