//! What every handler shares: the store, the settings, running replications, and the news that the server stops.

use crate::access;
use crate::admission::Admission;
use crate::auth::{Auth, users_db};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::feeds::Feeds;
use crate::filters::Filters;
use crate::reads::Reads;
use crate::respond::Answer;
use crate::room::{Room, Rooms};
use crate::routes::Uploads;
use crate::settings::Live;
use crate::snapshots::Snapshots;
use crate::tls::ServerTls;
use crate::views::Views;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::Edit;
use trunkline_core::limits::AGGREGATES_MAX;
use trunkline_replicate::{LocalPeer, Replications};
use trunkline_replicate::{Threads, Turns, Unsent, commit};
use trunkline_store::{Batch, Database, Outcome, Store};

/// Shared state; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) config: Live,
    /// What its places with TLS show.
    pub(crate) certificates: Vec<ServerTls>,
    /// Who asks.
    pub(crate) auth: Auth,
    pub(crate) replications: Replications,
    /// How much is under way.
    pub(crate) admission: Admission,
    /// Reads of one document at a time.
    pub(crate) reads: Reads,
    /// Feeds and listings, a chunk at a time.
    pub(crate) scans: Threads,
    /// What may take long for each chunk, by who asks.
    pub(crate) searches: Turns,
    /// For request bodies held in memory.
    pub(crate) rooms: Rooms,
    /// For what filters of clients take, compiled, and as long as feeds live.
    pub(crate) filters: Filters,
    /// Answers that were made and are not taken.
    pub(crate) unsent: Unsent,
    /// Contents that peers bring.
    pub(crate) uploads: Uploads,
    /// Indexes, and who brings them up to date.
    pub(crate) views: Views,
    /// Named feeds that are being built.
    pub(crate) feeds: Feeds,
    /// Moments that clients ask several questions about.
    pub(crate) snapshots: Snapshots,
    /// Turns of aggregates.
    pub(crate) aggregates: Arc<Semaphore>,
    /// Cancelled at the shutdown signal: feeds send their `last_seq` and end.
    pub(crate) stopping: CancellationToken,
    /// Databases being compacted, and since when (seconds since 1970).
    pub(crate) compactions: parking_lot::Mutex<Vec<(String, u64)>>,
    /// Names this start of the server in seqs that do not outlive it.
    pub(crate) boot: String,
    request_number: AtomicU64,
}

impl std::ops::Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(replications: Replications, config: Live, certificates: Vec<ServerTls>) -> App {
        let now = config.now();
        let buffers = now.request_buffers_bytes_max.max(now.request_buffer_bytes_max);
        replications.store().set_guard_maker(trunkline_query::guards());
        replications.set_askers(Arc::new(access::of_replication));
        LocalPeer::set_filter_maker(crate::local_filters::local_filter);
        App(Arc::new(Shared {
            filters: Filters::new(now.request_buffers_wait_ms),
            rooms: Rooms::new(buffers, now.request_buffers_wait_ms),
            store: replications.store().clone(),
            views: Views::new(replications.store()),
            config,
            certificates,
            auth: Auth::new(),
            replications,
            admission: Admission::default(),
            reads: Reads::default(),
            scans: Threads::per_core(),
            searches: Turns::of_searches(),
            unsent: Unsent::new(now.answers_bytes_max),
            uploads: Uploads::default(),
            aggregates: Arc::new(Semaphore::new(AGGREGATES_MAX)),
            feeds: Feeds::default(),
            snapshots: Snapshots::default(),
            stopping: CancellationToken::new(),
            compactions: parking_lot::Mutex::default(),
            boot: uuid::Uuid::new_v4()
                .simple()
                .to_string()
                .chars()
                .take(8)
                .collect(),
            request_number: AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().0),
        }))
    }

    /// Makes a chunk of an answer, a listing's or a feed's, when there is room for it.
    pub(crate) async fn render<T: Send + 'static>(
        &self,
        answer: impl Into<Answer<'_>>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.render_on(answer.into(), None, work).await
    }

    /// The same for what a client's selector may make long.
    pub(crate) async fn render_found<T: Send + 'static>(
        &self,
        answer: impl Into<Answer<'_>>,
        db: &Database,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.render_on(answer.into(), Some(db), work).await
    }

    async fn render_on<T: Send + 'static>(
        &self,
        answer: Answer<'_>,
        search: Option<&Database>,
        mut work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        loop {
            answer.room().await?;
            let share = answer.share().clone();
            // There may be none any more when a thread comes to it.
            let attempt = move || {
                Ok(match share.is_full() {
                    true => Err(work),
                    false => Ok(work()?),
                })
            };
            let attempted = match search {
                Some(db) => self.search(db, attempt).await?,
                None => self.scan(attempt).await?,
            };
            match attempted {
                Ok(made) => return Ok(made),
                Err(again) => work = again,
            }
        }
    }

    /// Runs work that reads a database on a thread that may block.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = self.scans.run(work).await;
        done.unwrap_or_else(|| Err(Error::Internal("a call panicked".to_owned())))
    }

    /// Runs a chunk of what a client's selector may make long, in turn with those of others, on a thread that may block.
    pub(crate) async fn search<T: Send + 'static>(
        &self,
        db: &Database,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = self.searches.run(db, work).await;
        done.unwrap_or_else(|| Err(Error::Internal("a call panicked".to_owned())))
    }

    /// Room for the window of a body that is passed on as it is decoded. One that is held takes as much room itself.
    pub(crate) async fn window(&self, bytes: usize) -> Result<Room> {
        match bytes.min(self.config().request_buffer_bytes_max) {
            0 => Ok(Room::default()),
            bytes => self.rooms.take(bytes).await,
        }
    }

    /// The settings as they are now.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.now()
    }

    /// A database by name.
    pub(crate) fn database(&self, name: &DbName) -> Result<Database> {
        Ok(self.store.database(name)?)
    }

    /// A name for the next request in logs and its `X-Couch-Request-ID`. Only has to differ from its neighbours.
    pub(crate) fn next_request_id(&self) -> String {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let number = self.request_number.fetch_add(1, Ordering::Relaxed);
        format!("{:010x}", number.wrapping_mul(ODD) >> 24)
    }
}

/// Runs store calls on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(call).await {
        Ok(answer) => answer,
        Err(join) => Err(Error::Internal(join.to_string())),
    }
}

/// Queues edits with the group commit and waits for their outcomes without holding a thread. Whether
/// or not the client waits for them, they keep the room of their request until then.
pub(crate) async fn update(database: &Database, mut batch: Batch, room: Room) -> Result<Vec<Outcome>> {
    let others = users_db::others(database, &batch.edits);
    if let Some(others) = &others {
        refuse_others(database, &mut batch, others);
    }
    let outcomes = match batch.edits.is_empty() && others.is_some() {
        true => Vec::new(),
        false => match commit(database, batch, room).await {
            Some(outcomes) => outcomes?,
            None => return Err(Error::Internal("the commit was abandoned".to_owned())),
        },
    };
    let Some(others) = others else {
        return Ok(outcomes);
    };
    let mut tried = outcomes.into_iter();
    let refused = || Err(users_db::not_yours());
    let outcome = |other| match other {
        true => refused(),
        false => tried.next().unwrap_or_else(refused),
    };
    Ok(others.into_iter().map(outcome).collect())
}

/// Takes out of a batch what is not even tried: edits of the documents of others, or all of them where it is all or none.
fn refuse_others(database: &Database, batch: &mut Batch, others: &[bool]) {
    let mut places = others.iter();
    let is_atomic = batch.atomic;
    let is_refused = |_: &mut Edit| is_atomic || places.next() != Some(&false);
    let refused = Batch {
        edits: batch.edits.extract_if(.., is_refused).collect(),
        ..Batch::default()
    };
    let witness = database.asker().and_then(|asker| asker.witness.as_ref());
    if let Some(told) = witness.and_then(|witness| witness(database.name(), &refused)) {
        let outcomes: Vec<Outcome> = refused.edits.iter().map(|_| Err(users_db::not_yours())).collect();
        told(&outcomes);
    }
}
