//! The task of one job: attempts to start it, runs of it, and a look at each step of a run.

use super::Node;
use super::events::EventKind;
use super::job::{Entry, JobState, Origin};
use super::now_ms;
use crate::backoff::Backoff;
use crate::peer::{PeerError, PeerErrorKind};
use crate::session::{self, RefusedDoc, Report};
use futures_util::TryFutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{SemaphorePermit, watch};
use trunkline_store::Error;

/// How long a job that starts keeps others from starting: peers that do not answer hold nobody up.
const START_MAX: Duration = Duration::from_secs(2);

/// Runs a job until it is cancelled, comes to its end, or fails for good.
pub(super) async fn drive(node: &Arc<Node>, job: &Arc<Entry>) -> Result<Box<Report>, PeerError> {
    let mut backoff = Backoff::default();
    let mut looks = Looks::new(job);
    loop {
        let error = match attempt(node, job, &mut looks).await {
            Ok(report) => return Ok(report),
            Err(error) if job.cancel.is_cancelled() || is_final(job, &error) => return Err(error),
            Err(error) => error,
        };
        let jitter = rand::random();
        let wait = match error.kind {
            PeerErrorKind::DatabaseMissing | PeerErrorKind::Forbidden | PeerErrorKind::Untrusted => {
                backoff.longest_wait(jitter, error.retry_after)
            }
            _ => backoff.next_wait(jitter, error.retry_after),
        };
        let state = if looks.ran {
            JobState::Crashing
        } else {
            JobState::Error
        };
        job.live
            .lock()
            .becomes(state, Some(error.to_string()), backoff.failures());
        node.tell(
            job,
            EventKind::Paused {
                error: Some(error.to_string()),
            },
        );
        tokio::select! {
            () = job.cancel.cancelled() => return Err(error),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Whether it is no use to try again. Jobs of documents and continuous ones are meant to outlive what time may heal.
fn is_final(job: &Entry, error: &PeerError) -> bool {
    let persists = job.definition.spec.continuous || matches!(job.origin, Origin::Document { .. });
    !persists || error.kind == PeerErrorKind::Invalid
}

async fn attempt(node: &Arc<Node>, job: &Arc<Entry>, looks: &mut Looks) -> Result<Box<Report>, PeerError> {
    looks.ran = false;
    if !looks.loaded {
        load_failures(node, job).await?;
        looks.loaded = true;
    }
    let (asked, resolving) = (Arc::clone(node), Arc::clone(job));
    let resolved =
        tokio::task::spawn_blocking(move || resolving.definition.peers(&asked, &resolving.origin)).await;
    let lost = |error| PeerError::new(job.definition.source.label(), PeerErrorKind::Unavailable, error);
    let [source, target] = resolved.map_err(|error| lost(format!("a call was lost: {error}")))??;
    // The semaphore is never closed.
    let mut starting = tokio::select! {
        permit = node.starting.acquire() => permit.ok(),
        () = job.cancel.cancelled() => return Err(lost("it was cancelled".to_owned())),
    };
    looks.ran = true;
    job.live.lock().becomes(JobState::Running, None, 0);
    node.tell(job, EventKind::Active);
    let spec = job.definition.spec.clone();
    let run = session::run(source, target, spec, job.progress.clone(), job.cancel.clone());
    // What comes at times is boxed: ten thousand runs that wait need not have room for it.
    let mut run = std::pin::pin!(run.map_ok(Box::new));
    loop {
        tokio::select! {
            ended = &mut run => {
                Box::pin(looks.look(node, job, &mut starting)).await;
                return ended;
            }
            _ = looks.progress.changed() => Box::pin(looks.look(node, job, &mut starting)).await,
            () = tokio::time::sleep(START_MAX), if starting.is_some() => starting = None,
        }
    }
}

/// Reads the list that an earlier start of the node left. Nothing may be written over one that cannot be read for now.
async fn load_failures(node: &Arc<Node>, job: &Arc<Entry>) -> Result<(), PeerError> {
    let (store, loading) = (node.store.clone(), Arc::clone(job));
    match tokio::task::spawn_blocking(move || loading.failures.load(&store)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error @ Error::Corrupt(_))) => {
            tracing::error!(job = job.id, %error, "the list of failures is lost");
            Ok(())
        }
        Ok(Err(error)) => {
            let reason = format!("the list of failures cannot be read: {error}");
            Err(PeerError::new(
                job.definition.source.label(),
                PeerErrorKind::Unavailable,
                reason,
            ))
        }
        Err(error) => {
            let reason = format!("a call was lost: {error}");
            Err(PeerError::new(
                job.definition.source.label(),
                PeerErrorKind::Unavailable,
                reason,
            ))
        }
    }
}

/// What was seen of a job's progress so far.
struct Looks {
    progress: watch::Receiver<session::Progress>,
    /// The list of failures is known.
    loaded: bool,
    /// The last attempt got as far as a run.
    ran: bool,
    written: u64,
    failures: u64,
    listed: usize,
    failed_attempts: u32,
    working: bool,
}

/// What one look found.
struct Seen {
    failed_attempts: u32,
    error: Option<String>,
    begun: bool,
    idle: bool,
    written: u64,
    refused: Vec<RefusedDoc>,
    failures: u64,
}

impl Looks {
    fn new(job: &Entry) -> Looks {
        Looks {
            progress: job.progress.subscribe(),
            loaded: false,
            ran: false,
            written: 0,
            failures: 0,
            listed: 0,
            failed_attempts: 0,
            working: true,
        }
    }

    /// Brings the job's state up to date, tells listeners what is new, and keeps new failures.
    async fn look(&mut self, node: &Node, job: &Entry, starting: &mut Option<SemaphorePermit<'_>>) {
        let seen = self.see(job);
        if seen.begun || seen.failed_attempts > 0 {
            *starting = None;
        }
        {
            let mut live = job.live.lock();
            let now = now_ms();
            let state = match seen.failed_attempts {
                0 => JobState::Running,
                _ => JobState::Crashing,
            };
            live.becomes(state, seen.error.clone(), seen.failed_attempts);
            if seen.written > self.written {
                live.rate.counted(now, self.written);
            }
        }
        self.tell(node, job, &seen);
        let unlisted = (seen.failures - self.failures).saturating_sub(seen.refused.len() as u64);
        if !seen.refused.is_empty() || unlisted > 0 {
            job.failures.add(&seen.refused, unlisted);
            job.failures.save(&node.store).await;
        }
        self.written = seen.written;
        self.failures = seen.failures;
        self.failed_attempts = seen.failed_attempts;
    }

    fn see(&mut self, job: &Entry) -> Seen {
        let seen = {
            let progress = self.progress.borrow_and_update();
            Seen {
                failed_attempts: progress.failed_attempts,
                error: progress
                    .last_error
                    .clone()
                    .filter(|_| progress.failed_attempts > 0),
                begun: !progress.replication_id.is_empty(),
                idle: progress.is_idle() && progress.behind_since_ms.is_none(),
                written: progress.docs_written,
                refused: progress.refused.get(self.listed..).unwrap_or_default().to_vec(),
                failures: progress.doc_write_failures,
            }
        };
        self.listed += seen.refused.len();
        if job.definition.spec.continuous && !seen.refused.is_empty() {
            // They are on the job's own list from here on; nobody will read them in a report.
            job.progress.send_if_modified(|progress| {
                let listed = Arc::make_mut(&mut progress.refused);
                listed.drain(..self.listed.min(listed.len()));
                false
            });
            self.listed = 0;
        }
        seen
    }

    fn tell(&mut self, node: &Node, job: &Entry, seen: &Seen) {
        let working = !seen.idle && seen.failed_attempts == 0;
        if working && !self.working {
            node.tell(job, EventKind::Active);
        }
        if seen.written > self.written {
            node.tell(
                job,
                EventKind::Change {
                    docs_written: seen.written,
                },
            );
        }
        for doc in &seen.refused {
            node.tell(job, EventKind::Denied(doc.clone()));
        }
        if !working && (self.working || seen.failed_attempts > self.failed_attempts) {
            node.tell(
                job,
                EventKind::Paused {
                    error: seen.error.clone(),
                },
            );
        }
        self.working = working;
    }
}
