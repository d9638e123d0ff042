//! A database of this process as a peer: the store is called directly, and only documents with attachments become
//! JSON on the way.

mod attachments;
mod carry;
mod changes;
mod contents;
mod documents;
mod filter;

pub use filter::{FilterMaker, LocalFilter, Takes};

use crate::peer::{
    BulkWritten, Change, Changes, ChangesAsk, Doc, Fetched, LogWrite, Missing, Oldest, OpenRev, Opened, Peer,
    PeerError, PeerErrorKind, PeerInfo, PeerKind, StoredLog,
};
use crate::session::{RefusedDoc, SourceFilter};
use crate::threads::{Threads, commit};
use crate::turns::Turns;
use crate::unsent::Share;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use std::fmt;
use std::sync::{Arc, LazyLock};
use tokio::sync::mpsc;
use trunkline_core::attachment::{Content, ContentHash};
use trunkline_core::db_name::DbName;
use trunkline_core::doc_id::{DocId, LocalId};
use trunkline_core::rev::Rev;
use trunkline_store::{Asker, Batch, Database, Error, IdRange, LocalWrite, Outcome, Store};
use trunkline_wire::digests::{self, Ranges};
use trunkline_wire::seq;

/// For the calls of all local peers.
static CALLS: LazyLock<Threads> = LazyLock::new(Threads::per_core);

/// A database in this process. It is looked up by name, so that it may be deleted and made again.
#[derive(Clone)]
pub struct LocalPeer {
    store: Store,
    name: DbName,
    open: Arc<Mutex<Option<Database>>>,
    uploads: contents::Uploads,
    /// On whose behalf, however often it is looked up.
    asker: Option<Arc<Asker>>,
    /// Room that rows of a feed are made in, for who sends them on.
    share: Option<Share>,
    /// Whether the store is called on the caller's own thread.
    inline: bool,
}

impl LocalPeer {
    /// The database `name` of `store`, which need not exist yet.
    pub fn new(store: Store, name: DbName) -> LocalPeer {
        LocalPeer {
            store,
            name,
            open: Arc::default(),
            uploads: contents::Uploads::default(),
            asker: None,
            share: None,
            inline: false,
        }
    }

    /// Reads and writes on behalf of someone.
    pub fn on_behalf(self, asker: Arc<Asker>) -> LocalPeer {
        LocalPeer {
            asker: Some(asker),
            ..self
        }
    }

    /// Makes rows of a feed when there is room for them. Whoever takes them counts what he makes of them at once.
    pub fn within(self, share: Share) -> LocalPeer {
        LocalPeer {
            share: Some(share),
            ..self
        }
    }

    /// Calls the store on the caller's thread, so that what a simulation does depends on its seed alone.
    #[doc(hidden)]
    pub fn inline(self) -> LocalPeer {
        LocalPeer { inline: true, ..self }
    }

    /// Calls `work` with the database on a thread that may block.
    async fn with_database<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LocalPeer, Database) -> Result<T, PeerError> + Send + 'static,
    ) -> Result<T, PeerError> {
        let peer = self.clone();
        self.blocking(move || {
            let open = peer.open.lock().clone();
            let database = match open {
                Some(database) => database,
                None => peer.look_up()?,
            };
            work(&peer, database)
        })
        .await
    }

    /// Calls `work` on a thread that may block.
    async fn blocking<T: Send + 'static, E: From<PeerError> + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        if self.inline {
            return work();
        }
        CALLS.run(work).await.unwrap_or_else(|| {
            let reason = "a call panicked";
            Err(PeerError::new(self.name.as_str(), PeerErrorKind::Unavailable, reason).into())
        })
    }

    /// The same for work that a selector may make long: in turn with that of others.
    async fn in_turn<T: Send + 'static>(
        &self,
        database: &Database,
        work: impl FnOnce() -> Result<T, PeerError> + Send + 'static,
    ) -> Result<T, PeerError> {
        if self.inline {
            return work();
        }
        let done = Turns::of_searches().run(database, work).await;
        done.unwrap_or_else(|| {
            let reason = "a call panicked";
            Err(PeerError::new(
                self.name.as_str(),
                PeerErrorKind::Unavailable,
                reason,
            ))
        })
    }

    /// Commits edits, with those of others that wait.
    async fn update(&self, database: &Database, batch: Batch) -> Result<Vec<Outcome>, PeerError> {
        if self.inline {
            return database.update(batch).map_err(|error| self.error(&error));
        }
        match commit(database, batch, ()).await {
            Some(outcomes) => outcomes.map_err(|error| self.error(&error)),
            None => {
                let reason = "the commit was abandoned";
                Err(PeerError::new(self.label(), PeerErrorKind::Unavailable, reason))
            }
        }
    }

    fn look_up(&self) -> Result<Database, PeerError> {
        let database = self
            .store
            .database(&self.name)
            .map_err(|error| self.error(&error))?;
        let database = match &self.asker {
            Some(asker) => database.on_behalf(asker.clone()),
            None => database,
        };
        *self.open.lock() = Some(database.clone());
        Ok(database)
    }

    fn error(&self, error: &Error) -> PeerError {
        let kind = match error {
            Error::DatabaseMissing(_) => {
                *self.open.lock() = None;
                match self.store.database(&self.name) {
                    Ok(_) => PeerErrorKind::Recreated,
                    Err(_) => PeerErrorKind::DatabaseMissing,
                }
            }
            // It may still come, as a database may.
            Error::FeedMissing(_) => PeerErrorKind::DatabaseMissing,
            // A full disk may be emptied, a slow one may answer the next time, and what is damaged may be restored.
            Error::Io(..) | Error::Busy | Error::Closed | Error::Corrupt(_) | Error::FeedUnbuilt(_) => {
                PeerErrorKind::Unavailable
            }
            Error::ContentAbsent(_) => PeerErrorKind::Absent,
            _ => PeerErrorKind::Invalid,
        };
        PeerError::new(self.label(), kind, error.to_string())
    }

    /// As [`LocalPeer::error`], where a document was read: it alone may be damaged.
    fn unserved(&self, error: &Error) -> PeerError {
        match error {
            Error::Corrupt(_) | Error::Io(..) | Error::Refused(_) => {
                PeerError::new(self.label(), PeerErrorKind::Unserved, error.to_string())
            }
            _ => self.error(error),
        }
    }
}

impl From<&Database> for LocalPeer {
    /// On whose behalf the handle is, the peer is, too.
    fn from(database: &Database) -> LocalPeer {
        LocalPeer {
            asker: database.asker().cloned(),
            ..LocalPeer::new(database.store().clone(), database.name().clone())
        }
    }
}

impl fmt::Debug for LocalPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPeer({})", self.label())
    }
}

#[async_trait]
impl Peer for LocalPeer {
    fn label(&self) -> String {
        self.name.as_str().to_owned()
    }

    async fn info(&self) -> Result<PeerInfo, PeerError> {
        *self.open.lock() = None;
        self.with_database(|peer, database| {
            let info = database.info().map_err(|error| peer.error(&error))?;
            Ok(PeerInfo {
                identity: format!("{}/{}/{}", peer.store.uuid(), peer.name.as_str(), info.created_ms),
                instance_start_time: info.created_ms.to_string().into(),
                update_seq: seq::json(info.update_seq, seq::suffix(&info.uuid)).into(),
                kind: PeerKind::Trunkline,
                exchanges: true,
                remote: false,
            })
        })
        .await
    }

    async fn create(&self) -> Result<(), PeerError> {
        let peer = self.clone();
        self.blocking(move || match peer.store.create(&peer.name) {
            Ok(_) | Err(Error::DatabaseExists(_)) => Ok(()),
            Err(error) => Err(peer.error(&error)),
        })
        .await
    }

    async fn replication_log(&self, replication_id: &str) -> Result<Option<StoredLog>, PeerError> {
        let id = self.local_id(replication_id)?;
        self.with_database(move |peer, database| {
            let found = database.local(&id).map_err(|error| peer.error(&error))?;
            Ok(found.map(|(number, json)| StoredLog { number, json }))
        })
        .await
    }

    async fn put_replication_log(
        &self,
        replication_id: &str,
        number: u64,
        body: &str,
    ) -> Result<u64, PeerError> {
        let id = self.local_id(replication_id)?;
        let body = body.to_owned();
        self.with_database(move |peer, database| {
            database
                .put_local(&id, number, Some(&body))
                .map_err(|error| peer.error(&error))
        })
        .await
    }

    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError> {
        self.with_database(|peer, database| {
            database.flush().map_err(|error| peer.error(&error))?;
            let info = database.info().map_err(|error| peer.error(&error))?;
            Ok(info.created_ms.to_string().into())
        })
        .await
    }

    async fn pending(&self, since: &str) -> Result<Option<u64>, PeerError> {
        changes::pending(self, since).await
    }

    async fn filter_code(&self, filter: &SourceFilter) -> Result<String, PeerError> {
        let filter = filter.clone();
        self.with_database(move |peer, database| Ok(peer.filter(&database, &filter)?.code))
            .await
    }

    async fn changes(
        &self,
        ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
        changes::open(self.clone(), ask).await
    }

    async fn revs_diff(&self, asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
        let (mut named, mut unnamed) = (Vec::with_capacity(asked.len()), Vec::new());
        for change in asked {
            match DocId::parse(&change.id) {
                Ok(id) => named.push((id, change.revs.clone())),
                // Missing for good: it is refused, and so told of, when it is written.
                Err(_) => unnamed.push(Missing {
                    id: change.id.clone(),
                    revs: change.revs.clone(),
                    possible_ancestors: Vec::new(),
                }),
            }
        }
        self.with_database(move |peer, database| {
            let compared = database.revs_diff(&named).map_err(|error| peer.error(&error))?;
            let missing = named
                .into_iter()
                .zip(compared)
                .filter(|(_, (missing, _))| !missing.is_empty());
            let missing = missing.map(|((id, _), (revs, possible_ancestors))| Missing {
                id: id.as_str().into(),
                revs,
                possible_ancestors,
            });
            Ok(unnamed.into_iter().chain(missing).collect())
        })
        .await
    }

    async fn bulk_get(&self, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
        let wanted = wanted.to_vec();
        self.with_database(move |peer, database| documents::bulk_get(peer, &database, &wanted))
            .await
    }

    async fn bulk_docs(&self, docs: Vec<Doc>, log: Option<LogWrite>) -> Result<BulkWritten, PeerError> {
        let local = |log: LogWrite| -> Result<_, PeerError> {
            Ok(LocalWrite {
                id: self.local_id(&log.replication_id)?,
                number: log.number,
                json: log.body,
            })
        };
        let log = log.map(local).transpose()?;
        documents::bulk_docs(self, docs, log).await
    }

    async fn open_revs(
        &self,
        wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(attachments::send(self.clone(), wanted.clone(), sender));
        Ok(receiver)
    }

    async fn put_open_rev(&self, rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
        attachments::take(self, rev).await
    }

    async fn lacking(&self, contents: &[Content]) -> Result<Vec<Content>, PeerError> {
        let contents = contents.to_vec();
        self.with_database(move |peer, database| {
            database.lacking(&contents).map_err(|error| peer.error(&error))
        })
        .await
    }

    async fn content(
        &self,
        content: &Content,
        _of: Option<&str>,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
        contents::send(self, content, from).await
    }

    async fn content_begun(&self, content: &Content) -> Result<u64, PeerError> {
        Ok(self.uploads.begun(&content.hash))
    }

    async fn put_content(
        &self,
        content: &Content,
        from: u64,
        bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Result<(), PeerError> {
        contents::take(self, content, from, bytes).await
    }

    async fn absent(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Content>, PeerError> {
        self.with_database(move |peer, database| {
            database.absent(after, limit).map_err(|error| peer.error(&error))
        })
        .await
    }

    async fn oldest_after(&self, since: &str) -> Result<Oldest, PeerError> {
        changes::oldest_after(self, since).await
    }

    async fn digests(&self, ask: digests::Ask) -> Result<Vec<digests::Range>, PeerError> {
        self.with_database(move |peer, database| {
            LocalPeer::digests_of(&database, &ask).map_err(|error| peer.error(&error))
        })
        .await
    }

    async fn leaves(&self, ask: digests::LeavesAsk) -> Result<Vec<(Box<str>, Vec<Rev>)>, PeerError> {
        self.with_database(move |peer, database| {
            let rows = database.leaves_of(ask.after.as_deref(), ask.until.as_deref(), ask.limit);
            rows.map_err(|error| peer.error(&error))
        })
        .await
    }
}

impl LocalPeer {
    /// Answers a question for digests, as a server does for others.
    #[doc(hidden)]
    pub fn digests_of(database: &Database, ask: &digests::Ask) -> Result<Vec<digests::Range>, Error> {
        match &ask.ranges {
            Ranges::Each { docs, at_most } => {
                let ranges = database.digests(ask.after.as_deref(), None, *docs, *at_most)?;
                let range = |range: IdRange| digests::Range {
                    last_id: Some(range.last_id),
                    docs: range.docs,
                    digest: range.digest,
                };
                Ok(ranges.into_iter().map(range).collect())
            }
            Ranges::Ending(ends) => {
                let mut after = ask.after.as_deref();
                let mut ranges = Vec::with_capacity(ends.len());
                for end in ends {
                    let (docs, digest) = database.digest_of(after, end.as_deref())?;
                    ranges.push(digests::Range {
                        last_id: end.clone(),
                        docs,
                        digest,
                    });
                    after = end.as_deref();
                }
                Ok(ranges)
            }
        }
    }

    fn local_id(&self, replication_id: &str) -> Result<LocalId, PeerError> {
        LocalId::parse(replication_id).map_err(|_| {
            let reason = format!("{replication_id} cannot name a checkpoint");
            PeerError::new(self.label(), PeerErrorKind::Invalid, reason)
        })
    }
}
