//! A database of this process as a peer: the store is called directly, nothing becomes JSON.

use crate::peer::*;
use crate::session::RefusedDoc;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use trunkline_core::db_name::DbName;
use trunkline_store::{Database, Store};

/// A database in this process. It is looked up by name for each run, so that it may be deleted and made again.
#[derive(Clone, Debug)]
pub struct LocalPeer {
    store: Store,
    name: DbName,
}

impl LocalPeer {
    /// The database `name` of `store`, which need not exist yet.
    pub fn new(store: Store, name: DbName) -> LocalPeer {
        LocalPeer { store, name }
    }
}

impl From<&Database> for LocalPeer {
    fn from(database: &Database) -> LocalPeer {
        LocalPeer::new(database.store().clone(), database.name().clone())
    }
}

#[async_trait]
impl Peer for LocalPeer {
    fn label(&self) -> String {
        todo!()
    }
    async fn info(&self) -> Result<PeerInfo, PeerError> {
        todo!()
    }
    async fn create(&self) -> Result<(), PeerError> {
        todo!()
    }
    async fn replication_log(&self, _replication_id: &str) -> Result<Option<StoredLog>, PeerError> {
        todo!()
    }
    async fn put_replication_log(
        &self,
        _replication_id: &str,
        _number: u64,
        _body: &str,
    ) -> Result<u64, PeerError> {
        todo!()
    }
    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError> {
        todo!()
    }
    async fn changes(
        &self,
        _ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
        todo!()
    }
    async fn revs_diff(&self, _asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
        todo!()
    }
    async fn bulk_get(&self, _wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
        todo!()
    }
    async fn bulk_docs(&self, _docs: Vec<Doc>) -> Result<Vec<RefusedDoc>, PeerError> {
        todo!()
    }
    async fn open_revs(
        &self,
        _wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<OpenRev, PeerError>>, PeerError> {
        todo!()
    }
    async fn put_open_rev(&self, _rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
        todo!()
    }
}
