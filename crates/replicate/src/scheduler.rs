//! The replications a server keeps running (in memory for now): start, list, cancel, checkpoint at shutdown.

use crate::checkpoint::digest;
use crate::peer::{Peer, PeerError, PeerErrorKind};
use crate::session::{self, Progress, Report, Spec};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a continuous job's id ends with.
const CONTINUOUS: &str = "+continuous";

/// All running replications of a node. Cheap to clone.
#[derive(Clone, Default)]
pub struct Scheduler {
    running: Arc<Mutex<Jobs>>,
}

#[derive(Default)]
struct Jobs {
    list: Vec<Running>,
    started: u64,
    closed: bool,
}

struct Running {
    /// Tells this run from others of the same job.
    number: u64,
    job: Job,
    progress: watch::Receiver<Progress>,
    cancel: CancellationToken,
    ended: CancellationToken,
}

/// A running replication as others see it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names the job: hex digest of both ends' addresses and the filter (with `+continuous` where it is), known before
    /// either end was reached.
    pub id: String,
    /// Source, without credentials.
    pub source: String,
    /// Target, without credentials.
    pub target: String,
    /// Whether it is continuous.
    pub continuous: bool,
    /// When it started, ms since 1970.
    pub started_ms: u64,
    /// Its state now.
    pub progress: Progress,
}

impl Scheduler {
    /// The id a job of these ends would have. No I/O: what `cancel` needs when only the request is repeated.
    pub fn job_id(source: &dyn Peer, target: &dyn Peer, spec: &Spec) -> String {
        let digest = digest(&source.label(), &target.label(), spec);
        if spec.continuous {
            digest + CONTINUOUS
        } else {
            digest
        }
    }

    /// Starts a continuous replication and answers its job id at once; one that already runs is left alone. Must be
    /// called within a tokio runtime.
    pub fn start(&self, source: Arc<dyn Peer>, target: Arc<dyn Peer>, spec: Spec) -> String {
        let spec = Spec {
            continuous: true,
            ..spec
        };
        let id = Scheduler::job_id(&*source, &*target, &spec);
        // Its result is of no use to anyone: a continuous job ends when it is cancelled, or says why in the log.
        drop(self.spawn(id.clone(), source, target, spec));
        id
    }

    /// Runs a one-shot replication to its end; it is listed while it runs, and goes on when this future is dropped.
    pub async fn run(
        &self,
        source: Arc<dyn Peer>,
        target: Arc<dyn Peer>,
        spec: Spec,
    ) -> Result<Report, PeerError> {
        let spec = Spec {
            continuous: false,
            ..spec
        };
        let id = Scheduler::job_id(&*source, &*target, &spec);
        let label = target.label();
        let unavailable = |reason: String| PeerError::new(label, PeerErrorKind::Unavailable, reason);
        match self.spawn(id, source, target, spec) {
            None => Err(unavailable("this node is shutting down".to_owned())),
            Some(task) => task
                .await
                .unwrap_or_else(|error| Err(unavailable(format!("the run was lost: {error}")))),
        }
    }

    /// `None` when nothing was started: a continuous job already runs, or the scheduler is shut down.
    fn spawn(
        &self,
        id: String,
        source: Arc<dyn Peer>,
        target: Arc<dyn Peer>,
        spec: Spec,
    ) -> Option<JoinHandle<Result<Report, PeerError>>> {
        let mut jobs = self.running.lock();
        if jobs.closed || spec.continuous && jobs.list.iter().any(|running| running.job.id == id) {
            return None;
        }
        jobs.started += 1;
        let (progress, watched) = watch::channel(Progress::default());
        let running = Running {
            number: jobs.started,
            job: Job {
                id,
                source: source.label(),
                target: target.label(),
                continuous: spec.continuous,
                started_ms: now_ms(),
                progress: Progress::default(),
            },
            progress: watched,
            cancel: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        let cancel = running.cancel.clone();
        let listed = Listed {
            jobs: Arc::clone(&self.running),
            number: running.number,
            ended: running.ended.clone(),
        };
        jobs.list.push(running);
        Some(tokio::spawn(async move {
            let _listed = listed;
            let ended = session::run(source, target, spec, progress, cancel).await;
            if let Err(error) = &ended {
                tracing::error!(%error, "replication ended");
            }
            ended
        }))
    }

    /// Every job that runs now.
    pub fn jobs(&self) -> Vec<Job> {
        let jobs = self.running.lock();
        let job = |running: &Running| Job {
            progress: running.progress.borrow().clone(),
            ..running.job.clone()
        };
        jobs.list.iter().map(job).collect()
    }

    /// Ends a job (by job id with or without `+continuous`, or replication id) after its final checkpoint. Answers
    /// the job id; `None` when there is no such job.
    pub async fn cancel(&self, id: &str) -> Option<String> {
        let id = id.split('+').next().unwrap_or(id);
        let mut found = None;
        let mut endings = Vec::new();
        for running in &self.running.lock().list {
            let named = running.job.id.split('+').next() == Some(id);
            if named || running.progress.borrow().replication_id == id {
                running.cancel.cancel();
                endings.push(running.ended.clone());
                found = Some(running.job.id.clone());
            }
        }
        for ended in endings {
            ended.cancelled().await;
        }
        found
    }

    /// Ends all jobs, each with its final checkpoint, and takes no new ones.
    pub async fn shutdown(&self) {
        let endings: Vec<CancellationToken> = {
            let mut jobs = self.running.lock();
            jobs.closed = true;
            jobs.list.iter().for_each(|running| running.cancel.cancel());
            jobs.list.iter().map(|running| running.ended.clone()).collect()
        };
        for ended in endings {
            ended.cancelled().await;
        }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scheduler({} jobs)", self.running.lock().list.len())
    }
}

/// Takes a job off the list when its task ends, however it ends.
struct Listed {
    jobs: Arc<Mutex<Jobs>>,
    number: u64,
    ended: CancellationToken,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.jobs
            .lock()
            .list
            .retain(|running| running.number != self.number);
        self.ended.cancel();
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
