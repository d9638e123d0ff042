//! The replications that a node keeps running: those of its `_replicator` documents, of requests, and of the program
//! that embeds the store. One task a job; nothing ticks.
//!
//! | module | holds |
//! | --- | --- |
//! | `definition`, `secrets` | what was asked for; credentials by name |
//! | `job`, `rate`, `drive` | a job, how fast it is, its task |
//! | `documents`, `listing` | `_replicator` documents: followed, told how they ended, listed |
//! | `failures`, `retry` | documents that did not get to a target: kept, tried again, dismissed |
//! | `holders` | attachment bytes that have not come yet: who has them |
//! | `events` | what happens, as it happens |

mod definition;
mod documents;
mod drive;
mod events;
mod failures;
mod holders;
mod job;
mod listing;
mod rate;
mod retry;
mod secrets;

pub use definition::{Definition, Endpoint, InvalidDefinition};
pub use documents::is_replicator;
pub use events::{Event, EventKind, Events};
pub use holders::Holder;
pub use job::{HistoryEntry, Job, JobState, Origin};
pub use listing::ReplicationDoc;
pub use retry::{Became, FailureList, Retried};
pub use secrets::{Secrets, Tls};

use crate::peer::{PeerError, PeerErrorKind};
use crate::session::{Progress, Report};
use documents::REPLICATOR;
use failures::Failures;
use job::{Entry, Live};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trunkline_core::db_name::DbName;
use trunkline_core::rev::Rev;
use trunkline_store::{Asker, Store};

/// Jobs that make their first connections at once: ten thousand of them start within seconds, and no peer meets all of
/// them together.
const STARTING_MAX: usize = 64;

/// All replications of a store that this process drives. Cheap to clone; when the last clone is gone, they end.
#[derive(Clone)]
pub struct Replications(Arc<Owner>);

/// What users of the node hold, as its tasks do not.
struct Owner {
    node: Arc<Node>,
    following: AtomicBool,
    /// Made when jobs are started where there is no runtime.
    runtime: OnceLock<Runtime>,
}

/// What all tasks share.
struct Node {
    store: Store,
    secrets: Secrets,
    jobs: Mutex<Jobs>,
    events: broadcast::Sender<Event>,
    starting: Semaphore,
    closed: CancellationToken,
    askers: OnceLock<Askers>,
}

/// Says on whose behalf a replication writes to a database of the store, by the database and by what the replication is
/// called ([`Origin::named`]); `None` for nobody's.
pub type Askers = Arc<dyn Fn(&DbName, &str) -> Option<Arc<Asker>> + Send + Sync>;

#[derive(Default)]
struct Jobs {
    by_number: BTreeMap<u64, Arc<Entry>>,
    /// The newest of each id.
    by_id: HashMap<String, u64>,
    by_document: HashMap<(DbName, String), u64>,
    added: u64,
}

/// What became of the wish for a job.
enum Added {
    Started(JoinHandle<Result<Box<Report>, PeerError>>),
    /// Another one does the same.
    Exists(Arc<Entry>),
    Closed,
}

impl Replications {
    /// Those of a store; none yet, and no document is looked at before [`Replications::follow_documents`].
    pub fn new(store: Store, secrets: Secrets) -> Replications {
        let (events, _) = broadcast::channel(events::EVENTS_WAITING_MAX);
        Replications(Arc::new(Owner {
            node: Arc::new(Node {
                store,
                secrets,
                jobs: Mutex::default(),
                events,
                starting: Semaphore::new(STARTING_MAX),
                closed: CancellationToken::new(),
                askers: OnceLock::new(),
            }),
            following: AtomicBool::new(false),
            runtime: OnceLock::new(),
        }))
    }

    /// The store whose replications they are.
    pub fn store(&self) -> &Store {
        &self.node().store
    }

    /// Sets, once, on whose behalf they write. The first to come stays; without one they write on nobody's behalf.
    pub fn set_askers(&self, askers: Askers) {
        let _ = self.node().askers.set(askers);
    }

    /// From now on every document of `_replicator` and of databases named `…/_replicator` is a job. Asking twice is as
    /// good as once.
    pub fn follow_documents(&self) {
        if !self.0.following.swap(true, Ordering::SeqCst) {
            let _within = self.0.enter();
            tokio::spawn(documents::follow(Arc::clone(self.node())));
        }
    }

    /// Starts a job of this program's own, and answers its id; one that does the same already is left alone. It runs
    /// on the current tokio runtime, or, where there is none, on one made for the purpose.
    pub fn start(&self, definition: Definition) -> Result<String, PeerError> {
        self.begin(definition, Origin::Library)
    }

    /// Starts a continuous job for a request, as [`Replications::start`].
    pub fn start_transient(&self, mut definition: Definition) -> Result<String, PeerError> {
        definition.spec.continuous = true;
        self.begin(definition, Origin::Transient)
    }

    /// Runs a job to its end; it is listed while it runs, and goes on when this future is dropped.
    pub async fn run(&self, mut definition: Definition) -> Result<Report, PeerError> {
        definition.spec.continuous = false;
        let peer = definition.target.label();
        let unavailable = |reason: String| PeerError::new(peer.clone(), PeerErrorKind::Unavailable, reason);
        match self.node().add(definition, Origin::Transient, None, None) {
            Added::Started(task) => task
                .await
                .unwrap_or_else(|error| Err(unavailable(format!("the run was lost: {error}"))))
                .map(|report| *report),
            Added::Exists(other) => Err(unavailable(format!("{} does the same", other.id))),
            Added::Closed => Err(unavailable("this node is shutting down".to_owned())),
        }
    }

    fn begin(&self, definition: Definition, origin: Origin) -> Result<String, PeerError> {
        let _within = self.0.enter();
        let id = definition.job_id();
        let peer = definition.target.label();
        match self.node().add(definition, origin, None, None) {
            Added::Started(_) | Added::Exists(_) => Ok(id),
            Added::Closed => Err(PeerError::new(
                peer,
                PeerErrorKind::Unavailable,
                "this node is shutting down",
            )),
        }
    }

    /// Every job that runs now, or tries to.
    pub fn jobs(&self) -> Vec<Job> {
        let jobs: Vec<Arc<Entry>> = self.node().jobs.lock().by_number.values().cloned().collect();
        jobs.iter().map(|job| job.snapshot()).collect()
    }

    /// One of them, by its id.
    pub fn job(&self, id: &str) -> Option<Job> {
        self.node().of_id(id).map(|job| job.snapshot())
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        Events(self.node().events.subscribe())
    }

    /// Asks jobs to end (by job id with or without `+continuous`, or replication id); answers the id. `None` when
    /// there is none. Those of documents end when their document is deleted.
    pub fn cancel(&self, id: &str) -> Option<String> {
        let named = self.node().named(id);
        named.iter().for_each(|job| job.cancel.cancel());
        named.first().map(|job| job.id.clone())
    }

    /// As [`Replications::cancel`], and waits until they have written their final checkpoints.
    pub async fn stop(&self, id: &str) -> Option<String> {
        let named = self.node().named(id);
        named.iter().for_each(|job| job.cancel.cancel());
        for job in &named {
            job.ended.cancelled().await;
        }
        named.first().map(|job| job.id.clone())
    }

    /// Ends all jobs, each with its final checkpoint, and takes no new ones.
    pub async fn shutdown(&self) {
        for ended in self.node().close() {
            ended.cancelled().await;
        }
    }

    fn node(&self) -> &Arc<Node> {
        &self.0.node
    }
}

impl Owner {
    /// Makes the runtime that jobs run on the current one. Only a machine out of threads has none.
    fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        if Handle::try_current().is_ok() {
            return None;
        }
        if self.runtime.get().is_none() {
            let made = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("replications")
                .enable_all()
                .build();
            match made {
                Ok(runtime) => drop(self.runtime.set(runtime)),
                Err(error) => tracing::error!(%error, "no runtime for replications"),
            }
        }
        self.runtime.get().map(Runtime::enter)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.node.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Node {
    /// Lists a job and starts its task, `after` another one ended.
    fn add(
        self: &Arc<Node>,
        definition: Definition,
        origin: Origin,
        rev: Option<Rev>,
        after: Option<CancellationToken>,
    ) -> Added {
        let id = definition.job_id();
        let mut jobs = self.jobs.lock();
        if self.closed.is_cancelled() {
            return Added::Closed;
        }
        let other = jobs.by_id.get(&id).and_then(|number| jobs.by_number.get(number));
        let is_document = matches!(origin, Origin::Document { .. });
        let mut after = after;
        let mut waits = None;
        match other {
            // A document's job takes over where a request's ends.
            Some(other) if is_document && other.origin == Origin::Transient => {
                waits = Some(format!(
                    "Replication `{id}` already runs, started via `_replicate`"
                ));
                after = Some(other.ended.clone());
            }
            Some(other) if is_document || definition.spec.continuous => {
                return Added::Exists(Arc::clone(other));
            }
            _ => {}
        }
        jobs.added += 1;
        let state = match waits {
            Some(_) => JobState::Error,
            None => JobState::Pending,
        };
        let entry = Arc::new(Entry {
            number: jobs.added,
            failures: Failures::new(&id, home(&origin)),
            id: id.clone(),
            rev,
            definition,
            started_ms: now_ms(),
            progress: watch::Sender::new(Progress::default()),
            live: Mutex::new(Live::new(state, waits)),
            cancel: CancellationToken::new(),
            ended: CancellationToken::new(),
            after,
            origin,
        });
        jobs.by_id.insert(id, entry.number);
        if let Origin::Document { database, id } = &entry.origin {
            jobs.by_document
                .insert((database.clone(), id.clone()), entry.number);
        }
        jobs.by_number.insert(entry.number, Arc::clone(&entry));
        drop(jobs);
        Added::Started(tokio::spawn(task(Listed {
            node: Arc::clone(self),
            entry,
        })))
    }

    fn of_id(&self, id: &str) -> Option<Arc<Entry>> {
        let jobs = self.jobs.lock();
        let number = jobs.by_id.get(id)?;
        jobs.by_number.get(number).cloned()
    }

    fn of_document(&self, database: &DbName, id: &str) -> Option<Arc<Entry>> {
        let jobs = self.jobs.lock();
        let number = jobs.by_document.get(&(database.clone(), id.to_owned()))?;
        jobs.by_number.get(number).cloned()
    }

    /// Jobs of requests and programs, by whichever of their names.
    fn named(&self, id: &str) -> Vec<Arc<Entry>> {
        let bare = |id: &str| id.split('+').next().unwrap_or_default().to_owned();
        let id = bare(id);
        let jobs: Vec<Arc<Entry>> = self.jobs.lock().by_number.values().cloned().collect();
        let is = |job: &Arc<Entry>| {
            let is_document = matches!(job.origin, Origin::Document { .. });
            !is_document && (bare(&job.id) == id || job.progress.borrow().replication_id == id)
        };
        jobs.into_iter().filter(is).collect()
    }

    /// Cancels a job and takes it off the list at once: its document says something else now.
    fn detach(&self, job: &Entry) {
        job.cancel.cancel();
        self.jobs.lock().remove(job);
    }

    fn detach_all_of(&self, database: &DbName) {
        let jobs: Vec<Arc<Entry>> = self.jobs.lock().by_number.values().cloned().collect();
        for job in jobs {
            if matches!(&job.origin, Origin::Document { database: of, .. } if of == database) {
                self.detach(&job);
            }
        }
    }

    fn tell(&self, job: &Entry, kind: EventKind) {
        // Nobody may be listening.
        let _ = self.events.send(Event {
            job: job.id.clone(),
            kind,
        });
    }

    /// Cancels everything; answers what tells the end of each job.
    fn close(&self) -> Vec<CancellationToken> {
        let jobs = self.jobs.lock();
        self.closed.cancel();
        let jobs = jobs.by_number.values();
        jobs.map(|job| {
            job.cancel.cancel();
            job.ended.clone()
        })
        .collect()
    }
}

impl Jobs {
    fn remove(&mut self, job: &Entry) {
        self.by_number.remove(&job.number);
        if self.by_id.get(&job.id) == Some(&job.number) {
            self.by_id.remove(&job.id);
        }
        if let Origin::Document { database, id } = &job.origin {
            let key = (database.clone(), id.clone());
            if self.by_document.get(&key) == Some(&job.number) {
                self.by_document.remove(&key);
            }
        }
    }
}

/// The whole life of a job.
async fn task(listed: Listed) -> Result<Box<Report>, PeerError> {
    let Listed { node, entry } = &listed;
    if let Some(after) = &entry.after {
        tokio::select! {
            () = after.cancelled() => {}
            () = entry.cancel.cancelled() => {}
        }
    }
    // Boxed: what a run holds is large, and a job that waits need not hold it.
    let result = Box::pin(drive::drive(node, entry)).await;
    Box::pin(documents::settle(node, entry, &result)).await;
    let error = result.as_ref().err().map(ToString::to_string);
    if let Some(error) = error.as_ref().filter(|_| !entry.cancel.is_cancelled()) {
        tracing::error!(job = entry.id, error, "replication ended");
    }
    node.tell(entry, EventKind::Complete { error });
    result
}

/// Takes a job off the list when its task ends, however it ends.
struct Listed {
    node: Arc<Node>,
    entry: Arc<Entry>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.node.jobs.lock().remove(&self.entry);
        self.entry.ended.cancel();
    }
}

/// Where a job's list of failures is kept.
fn home(origin: &Origin) -> Option<DbName> {
    match origin {
        Origin::Transient => None,
        Origin::Library => DbName::parse(REPLICATOR).ok(),
        Origin::Document { database, .. } => Some(database.clone()),
    }
}

impl From<Store> for Replications {
    fn from(store: Store) -> Replications {
        Replications::new(store, Secrets::default())
    }
}

impl fmt::Debug for Replications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Replications({} jobs)",
            self.node().jobs.lock().by_number.len()
        )
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
