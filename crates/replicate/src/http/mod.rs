//! A database behind a CouchDB-style URL as a peer.

use crate::peer::*;
use crate::session::RefusedDoc;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

/// How to reach a peer over HTTP.
#[derive(Clone, Default)]
pub struct HttpOptions {
    /// Sent as Basic; wins over what the URL holds.
    pub credentials: Option<(String, String)>,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
}

/// A database behind a URL.
#[derive(Clone, Debug)]
pub struct HttpPeer {}

impl HttpPeer {
    /// Takes `http(s)://[user:password@]host[:port]/path/database`. A database name with `/` in it is one path
    /// segment, with `%2F`. Nothing is sent yet.
    pub fn new(_url: &str, _options: HttpOptions) -> Result<HttpPeer, PeerError> {
        todo!()
    }
}

#[async_trait]
impl Peer for HttpPeer {
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
