//! A database behind a CouchDB-style URL as a peer.
//!
//! | module | speaks |
//! | --- | --- |
//! | `address` | URLs, and the credentials in them |
//! | `origin` | connections, which peers of one server share |
//! | `client` | requests, time-outs, statuses |
//! | `changes` | `_changes`, read row by row |
//! | `documents` | `_revs_diff`, `_bulk_get`, `_bulk_docs` |
//! | `exchange` | all that and more with a peer of our own kind |
//! | `attachments` | documents with attachments, streamed as multipart |
//! | `upload` | what is streamed to a peer, and whether it takes it |

pub(crate) mod address;
mod attachments;
mod changes;
mod client;
mod documents;
mod exchange;
mod filter;
mod named_feed;
mod origin;
mod trust;
mod upload;

use crate::peer::{
    BulkWritten, Change, Changes, ChangesAsk, Doc, Fetched, LogWrite, Missing, OpenRev, Opened, Peer,
    PeerError, PeerErrorKind, PeerInfo, PeerKind, StoredLog, no_exchange,
};
use crate::scheduler::Tls;
use crate::session::{RefusedDoc, SourceFilter};
use address::escaped;
use async_trait::async_trait;
use bytes::Bytes;
use client::{BATCH, Client, QUICK};
use futures_util::stream::BoxStream;
use parking_lot::RwLock;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use trunkline_core::attachment::{Content, ContentHash};
use trunkline_core::rev::Rev;
use trunkline_wire::{digests, info, local_doc, revs_diff};

pub use trust::{TlsNames, explain_tls};

/// How to reach a peer over HTTP.
#[derive(Clone, Default)]
pub struct HttpOptions {
    /// Sent as Basic; wins over what the URL holds.
    pub credentials: Option<(String, String)>,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
    /// How connections are made.
    pub connect: ConnectOptions,
    /// What errors call the files of certificates.
    pub tls_names: TlsNames,
}

/// How connections are made. Peers of one server with the same of these share them.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ConnectOptions {
    /// URL of a proxy: `http`, `https`, `socks5` or `socks5h` (which looks names up itself), with credentials where it
    /// asks for them. Without it the environment's is used.
    pub proxy: Option<String>,
    /// PEM file of certificates that vouch for the peer's, beside those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate that this end shows; wants `client_key`.
    pub client_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key: Option<PathBuf>,
}

impl ConnectOptions {
    /// Takes from the node's own what is not named here.
    pub fn complete(&mut self, tls: &Tls) {
        if self.ca_file.is_none() {
            self.ca_file.clone_from(&tls.authorities);
        }
        if self.client_cert.is_none() && self.client_key.is_none() {
            self.client_cert.clone_from(&tls.certificate);
            self.client_key.clone_from(&tls.key);
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectOptions")
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpOptions")
    }
}

/// A database's URL without credentials, or why it is none.
pub(crate) fn label_of(url: &str) -> Result<String, PeerError> {
    address::Address::parse(url).map(|address| address.database())
}

/// The URL of an attachment of a revision in the database behind a URL, without credentials; `None` where that is none.
pub(crate) fn attachment_url(database: &str, id: &str, rev: &Rev, name: &str) -> Option<String> {
    let database = address::Address::parse(database).ok()?;
    let document = database.document(id);
    Some(format!("{document}/{}?rev={rev}", address::escaped(name)))
}

/// A database behind a URL. Cheap to clone.
#[derive(Clone)]
pub struct HttpPeer {
    client: Client,
    /// As the last look told.
    looked: Arc<RwLock<Looked>>,
}

/// What a look at a server told.
#[derive(Clone, Copy)]
struct Looked {
    kind: PeerKind,
    exchanges: bool,
    /// Something before the server let only the protocol through that everybody speaks, whatever the server says: when
    /// that was seen.
    hidden: Option<Instant>,
}

impl Looked {
    /// It is not hidden for ever: a proxy that was being set up answers as one that hides it.
    fn is_hidden(&self) -> bool {
        self.hidden.is_some_and(|since| since.elapsed() < HIDDEN_FOR)
    }
}

impl HttpPeer {
    /// Takes `http(s)://[user:password@]host[:port]/path/database`. A database name with `/` in it is one path
    /// segment, with `%2F`. Nothing is sent yet.
    pub fn new(url: &str, options: HttpOptions) -> Result<HttpPeer, PeerError> {
        let client = Client::new(url, &options)?;
        Ok(HttpPeer {
            client,
            looked: Arc::new(RwLock::new(Looked {
                kind: PeerKind::CouchDb,
                exchanges: false,
                hidden: None,
            })),
        })
    }

    fn looked(&self) -> Looked {
        *self.looked.read()
    }

    /// What the server says of itself: its uuid where it has one. A proxy may hide it.
    async fn welcome(&self) -> Result<Option<String>, PeerError> {
        let request = self.client.get(self.client.address.root());
        let answer = self.client.send(request, QUICK).await?;
        if !answer.status().is_success() {
            let error = self.client.fault(answer).await.error;
            // Busy is not without a uuid: under another identity the checkpoints would be lost.
            return match error.kind {
                PeerErrorKind::Unavailable => Err(error),
                _ => Ok(None),
            };
        }
        let body = self.client.body(answer).await?;
        let Ok(welcome) = info::parse_welcome(&body) else {
            return Ok(None);
        };
        let vendor = welcome.vendor.unwrap_or_default();
        let kind = match vendor.to_lowercase() {
            vendor if vendor == "trunkline" => PeerKind::Trunkline,
            vendor if vendor.contains("pouchdb") => PeerKind::PouchDbServer,
            _ => PeerKind::CouchDb,
        };
        let exchanges =
            kind == PeerKind::Trunkline && welcome.features.iter().any(|feature| feature == EXCHANGE);
        if exchanges {
            self.client.connect_for_exchange().await;
        }
        let mut looked = self.looked.write();
        looked.kind = kind;
        looked.exchanges = exchanges && !looked.is_hidden();
        drop(looked);
        Ok(welcome.uuid)
    }

    /// The server has no paths for the exchange after all. The next look says so, and then all goes without.
    fn hides(&self) {
        let mut looked = self.looked.write();
        looked.hidden = Some(Instant::now());
        looked.exchanges = false;
    }

    /// What came of a path of the exchange.
    fn exchanged<T>(&self, answer: Result<Option<T>, PeerError>) -> Result<T, PeerError> {
        answer?.ok_or_else(|| {
            self.hides();
            let reason = "something before the server hides the exchange; it goes on without";
            self.client.error(PeerErrorKind::Unavailable, reason)
        })
    }

    fn log_url(&self, replication_id: &str) -> String {
        self.client
            .address
            .below(&format!("_local/{}", escaped(replication_id)))
    }
}

/// How long a server of which something hides the exchange goes without.
const HIDDEN_FOR: Duration = Duration::from_secs(600);

/// The feature of a server that exchanges.
const EXCHANGE: &str = "exchange";

impl fmt::Debug for HttpPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpPeer({})", self.label())
    }
}

#[async_trait]
impl Peer for HttpPeer {
    fn label(&self) -> String {
        self.client.address.database()
    }

    async fn info(&self) -> Result<PeerInfo, PeerError> {
        let client = &self.client;
        let looked = client.read(client.get(client.address.database()), QUICK);
        let (uuid, looked) = tokio::join!(self.welcome(), looked);
        let (uuid, looked) = (uuid?, looked.map_err(no_database)?);
        let looked = info::parse_db(&looked).map_err(|error| client.bad_answer(error))?;
        let Looked { kind, exchanges, .. } = self.looked();
        // PouchDB Server tells when its process started; an old CouchDB tells 0.
        let incarnation = match &*looked.instance_start_time {
            "0" => "",
            _ if kind == PeerKind::PouchDbServer => "",
            time => time,
        };
        let mut identity = match uuid {
            Some(uuid) => format!("{uuid}/{}/{incarnation}", client.address.name),
            None => format!("{}/{incarnation}", client.address.database()),
        };
        if let Some(bounds) = &looked.bounds {
            // What was read under others lacks what these show: no checkpoint of one counts for the other.
            identity.push_str(&format!("/{bounds}"));
        }
        Ok(PeerInfo {
            identity,
            kind,
            exchanges,
            remote: true,
            update_seq: looked.update_seq,
            instance_start_time: looked.instance_start_time,
        })
    }

    async fn create(&self) -> Result<(), PeerError> {
        let request = self.client.put(self.client.address.database());
        // Some servers, and proxies before them, answer 411 to a request that does not say it is empty.
        let request = request.header(CONTENT_LENGTH, 0);
        let answer = self.client.send(request, QUICK).await?;
        if answer.status().is_success() || answer.status() == StatusCode::PRECONDITION_FAILED {
            return Ok(());
        }
        Err(self.client.fault(answer).await.error)
    }

    async fn replication_log(&self, replication_id: &str) -> Result<Option<StoredLog>, PeerError> {
        let client = &self.client;
        let answer = client
            .send(client.get(self.log_url(replication_id)), QUICK)
            .await?;
        if answer.status() == StatusCode::NOT_FOUND {
            let fault = client.fault(answer).await;
            return match fault.error.kind {
                PeerErrorKind::DatabaseMissing => Err(fault.error),
                _ => Ok(None),
            };
        }
        if !answer.status().is_success() {
            return Err(client.fault(answer).await.error);
        }
        let body = client.body(answer).await?;
        let number = local_doc::parse(&body)
            .ok()
            .and_then(|doc| doc.number)
            .unwrap_or_default();
        Ok(Some(StoredLog {
            number,
            json: String::from_utf8_lossy(&body).into_owned(),
        }))
    }

    async fn put_replication_log(
        &self,
        replication_id: &str,
        number: u64,
        body: &str,
    ) -> Result<u64, PeerError> {
        let client = &self.client;
        let mut number = number;
        for last in [false, true] {
            let mut json = Vec::with_capacity(body.len() + 100);
            local_doc::write(&mut json, replication_id, (number > 0).then_some(number), body);
            let request = client
                .put(self.log_url(replication_id))
                .header(CONTENT_TYPE, "application/json");
            let answer = client.send(request.body(json), QUICK).await?;
            // PouchDB Server insists on the number; another writer of the same checkpoint may have raised it.
            if answer.status() == StatusCode::CONFLICT && !last {
                number = self
                    .replication_log(replication_id)
                    .await?
                    .map_or(0, |log| log.number);
                continue;
            }
            if !answer.status().is_success() {
                return Err(client.fault(answer).await.error);
            }
            let written = info::parse_written(&client.body(answer).await?);
            let (_, rev) = written.map_err(|error| client.bad_answer(error))?;
            return Ok(local_doc::parse_rev(&rev).unwrap_or(number + 1));
        }
        Err(client.error(
            PeerErrorKind::Unavailable,
            "somebody else keeps writing this checkpoint",
        ))
    }

    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError> {
        let client = &self.client;
        let request = client.post(client.address.below("_ensure_full_commit"));
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = client.read(request.header(CONTENT_LENGTH, 0), QUICK).await?;
        info::parse_full_commit(&body).map_err(|error| client.bad_answer(error))
    }

    async fn pending(&self, since: &str) -> Result<Option<u64>, PeerError> {
        changes::pending(&self.client, since).await
    }

    async fn filter_code(&self, filter: &SourceFilter) -> Result<String, PeerError> {
        filter::code(&self.client, filter).await
    }

    async fn changes(
        &self,
        ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
        let Looked { kind, exchanges, .. } = self.looked();
        if let Some(name) = &ask.feed_name {
            named_feed::check(&self.client, name).await?;
        }
        if exchanges && ask.filter.is_none() {
            match exchange::open(self.client.clone(), &ask).await? {
                Some(feed) => return Ok(feed),
                None => self.hides(),
            }
        }
        changes::open(self.client.clone(), kind, ask).await
    }

    async fn revs_diff(&self, asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
        documents::revs_diff(&self.client, asked).await
    }

    async fn bulk_get(&self, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
        let fetched = documents::bulk_get(&self.client, wanted).await;
        fetched.map_err(PeerError::about_documents)
    }

    async fn bulk_docs(&self, docs: Vec<Doc>, log: Option<LogWrite>) -> Result<BulkWritten, PeerError> {
        let Looked { kind, exchanges, .. } = self.looked();
        if exchanges {
            return self.exchanged(exchange::bulk_docs(&self.client, docs, log).await);
        }
        documents::bulk_docs(&self.client, kind, docs).await
    }

    async fn open_revs(
        &self,
        wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError> {
        attachments::open_revs(&self.client, wanted).await
    }

    async fn put_open_rev(&self, rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
        attachments::put_open_rev(&self.client, rev).await
    }

    async fn lacking(&self, contents: &[Content]) -> Result<Vec<Content>, PeerError> {
        self.exchanged(exchange::lacking(&self.client, contents).await)
    }

    async fn content(
        &self,
        content: &Content,
        of: Option<&str>,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
        exchange::content(&self.client, content, of, from).await
    }

    async fn content_begun(&self, content: &Content) -> Result<u64, PeerError> {
        exchange::content_begun(&self.client, content).await
    }

    async fn put_content(
        &self,
        content: &Content,
        from: u64,
        bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Result<(), PeerError> {
        exchange::put_content(&self.client, content, from, bytes).await
    }

    async fn absent(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Content>, PeerError> {
        if !self.looked().exchanges {
            return Err(no_exchange(self.label()));
        }
        self.exchanged(exchange::absent(&self.client, after, limit).await)
    }

    async fn reachable_again(&self) {
        self.client
            .origin
            .reachable_again(self.client.address.root())
            .await;
    }

    async fn digests(&self, ask: digests::Ask) -> Result<Vec<digests::Range>, PeerError> {
        let mut body = Vec::new();
        digests::write_ask(&mut body, &ask);
        let request = documents::post(&self.client, "_exchange/digests", body);
        let answer = self.client.read(request, BATCH).await?;
        digests::parse(&answer).map_err(|error| self.client.bad_answer(error))
    }

    async fn leaves(&self, ask: digests::LeavesAsk) -> Result<Vec<(Box<str>, Vec<Rev>)>, PeerError> {
        let mut body = Vec::new();
        digests::write_leaves_ask(&mut body, &ask);
        let request = documents::post(&self.client, "_exchange/leaves", body);
        let answer = self.client.read(request, BATCH).await?;
        let rows = revs_diff::parse(&answer);
        let rows = rows.map_err(|error| self.client.error(PeerErrorKind::Protocol, error.to_string()))?;
        Ok(rows.into_iter().map(|(id, revs)| (id.into(), revs)).collect())
    }
}

/// A database that a server says nothing about is not there, whatever words it uses.
fn no_database(error: PeerError) -> PeerError {
    match error.kind {
        PeerErrorKind::Protocol if error.reason.starts_with("404") => PeerError {
            kind: PeerErrorKind::DatabaseMissing,
            ..error
        },
        _ => error,
    }
}
