//! One run of a replication: attempts, each a pipeline from the last checkpoint on, until one reaches the end.
//!
//! | module | stage |
//! | --- | --- |
//! | `attempt` | looks at both ends, finds where to start, drives the stages and the checkpoints |
//! | `feed` | changes of the source, gathered into batches |
//! | `batch` | revs_diff, fetch and write of one batch; several are under way at once |
//! | `contents` | attachment bytes by content, between peers that exchange, before the documents that name them |
//! | `backfill` | the same, after them |
//! | `attachments` | documents with attachments, streamed one by one: what other peers understand |
//! | `stream` | their bytes on the way, and when they are given up |
//! | `unserved` | documents that the source does not serve |
//! | `odd` | documents and revisions whose ids are none here |
//! | `pending` | how many changes are left, where the feed does not say, and how far behind that is |
//! | `tuning` | what earlier batches teach about the next |
//! | `budget`, `throttle` | bounds over all runs of the process; one run's bandwidth cap |
//!
//! Batches may overlap but are finished in order, so that the seq of the last finished one is the low-water mark:
//! everything up to it is durable at the target. Whatever fails ends the attempt; the next starts from that mark.

mod attachments;
mod attempt;
mod backfill;
mod batch;
mod budget;
mod contents;
mod feed;
mod odd;
mod pending;
mod stream;
mod throttle;
mod tuning;
mod unserved;

use crate::backoff::Backoff;
use crate::peer::{Oldest, Peer, PeerError, PeerErrorKind};
use attempt::{Attempt, Resume};
pub use backfill::ContentsFirst;
use batch::Finished;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trunkline_core::limits::REFUSED_LISTED_MAX;
use trunkline_core::selector::Selector;
use tuning::Tuning;

/// Attempts without progress after which a one-shot replication gives up: eight seconds or so.
const ONE_SHOT_TRIES: u32 = 6;
/// Times that a continuous replication asks for a document that alone is not served, over a minute or more: longer than
/// a part of a cluster takes to start.
const CONTINUOUS_TRIES: u32 = 11;
/// Runs that wait for the same server come back to it within this time.
const REUNION: Duration = Duration::from_millis(500);
/// A continuous attempt that held for so long was no failure to connect, or spent its pause waiting. A one-shot one that
/// moved nothing counts, however long it took: a peer that never answers must be given up.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// How often a source that is read while its target is away is asked again how old its oldest change is.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What to replicate, and how.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Goes on waiting for changes instead of ending.
    pub continuous: bool,
    /// Creates the target when it is not there.
    pub create_target: bool,
    /// Only these documents.
    pub doc_ids: Option<Vec<String>>,
    /// Only documents that match; the selector's JSON text and its parsed form.
    pub selector: Option<(String, Selector)>,
    /// Only documents that a function of the source lets pass.
    pub filter: Option<SourceFilter>,
    /// Only what is in this named feed of the source, `design/name`. Its selector is the source's business: when that
    /// changes, the replication goes on from where it is with the difference.
    pub feed_name: Option<String>,
    /// Where to start without a common checkpoint: a seq of the source as JSON text.
    pub since_seq: Option<String>,
    /// Only winning revisions.
    pub winning_revs_only: bool,
    /// Whether checkpoints are written (they are read in any case). `None` means yes.
    pub use_checkpoints: Option<bool>,
    /// How often a checkpoint is written; `None` for the default.
    pub checkpoint_interval: Option<Duration>,
    /// Ends at this seq of the source (JSON text).
    pub until: Option<String>,
    /// Keeps what the source deletes: documents all of whose leaves are deleted are passed over.
    pub archive: bool,
    /// Ends with an error at the first document that does not get to the target.
    pub strict: bool,
    /// When attachment bytes follow their documents.
    pub attachments: AttachmentMode,
    /// Most bytes of documents and attachments moved in a second.
    pub bytes_per_second: Option<u64>,
    /// Who goes first where replications of this process wait for each other: higher before lower.
    pub priority: i32,
}

/// A filter function that the source runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// `design/name`, or `_view`.
    pub name: String,
    /// What the function is asked with.
    pub params: Vec<(String, String)>,
    /// Its source as the run found it: another function makes another replication.
    pub(crate) code: Option<String>,
}

impl SourceFilter {
    /// `name` with the parameters `params`.
    pub fn new(name: impl Into<String>, params: Vec<(String, String)>) -> SourceFilter {
        SourceFilter {
            name: name.into(),
            params,
            code: None,
        }
    }
}

/// When attachment bytes follow their documents. Other modes than `Eager` want peers that exchange at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttachmentMode {
    /// Before the document is written.
    #[default]
    Eager,
    /// Documents first; the bytes in the background, those that were asked for first.
    Lazy,
    /// Never.
    None,
}

/// What a run is doing now, for `_active_tasks`, a progress bar, or a test.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Names the replication: hex digest of both ends' identities and the filter.
    pub replication_id: String,
    /// Names this run.
    pub session_id: String,
    /// What it waits for, in words ("changes", "target http://…: connection refused, next try in 4 s").
    pub waiting_for: Option<String>,
    /// Revisions compared with the target.
    pub revisions_checked: u64,
    /// Of these, revisions that the target lacked.
    pub missing_revisions_found: u64,
    /// Documents fetched.
    pub docs_read: u64,
    /// Documents the target took.
    pub docs_written: u64,
    /// Documents the target refused, or the source never served.
    pub doc_write_failures: u64,
    /// Changes at the source not yet handled, where known. A peer over HTTP counts those that a filter will hold back.
    pub changes_pending: Option<u64>,
    /// Source seq (JSON text) up to which changes were read.
    pub source_seq: Option<String>,
    /// Source seq (JSON text) up to which the target is durable.
    pub through_seq: Option<String>,
    /// Source seq (JSON text) of the last checkpoint.
    pub checkpointed_source_seq: Option<String>,
    /// Attempts that failed since one last got through to the feed.
    pub failed_attempts: u32,
    /// The newest failure that was retried.
    pub last_error: Option<String>,
    /// Since when the target lacks changes, at the latest: ms since 1970 by this node's clock. `None` while it is known
    /// to lack none. The age of a change is counted from its first commit, on the node that made it, where the
    /// source tells; where it does not, everything made before is known to be at the target.
    pub behind_since_ms: Option<u64>,
    /// Whether that is so. Until then nothing is known of what the target lacks, and the run's begin stands there.
    pub lag_known: bool,
    /// When a batch, or the knowledge that there is none, last came through; ms since 1970.
    pub last_success_ms: Option<u64>,
    /// Where attachment bytes come behind their documents: asks for some of them first.
    pub contents: Option<ContentsFirst>,
    /// Documents that did not get to the target, up to a bound; `doc_write_failures` counts all.
    pub refused: Arc<Vec<RefusedDoc>>,
}

/// What a run waits for when it has replicated everything.
const CHANGES: &str = "changes";

impl Progress {
    /// Whether everything known of is replicated, and it waits for changes.
    pub fn is_idle(&self) -> bool {
        self.waiting_for.as_deref() == Some(CHANGES)
    }
}

/// A document that did not get to the target: refused there, or not served by the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDoc {
    /// Its id.
    pub id: String,
    /// Its revision.
    pub rev: String,
    /// The target's error word; `not_found` or `unserved` when it was the source, `illegal_docid` or `bad_request` when
    /// the id or the revision is none here.
    pub error: String,
    /// The reason in words.
    pub reason: String,
}

/// The result of a run that ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Counters at the end.
    pub progress: Progress,
    /// Nothing was to do.
    pub no_changes: bool,
    /// Every refused document, up to a bound; `progress.doc_write_failures` counts all.
    pub refused: Vec<RefusedDoc>,
    /// The newest history entries, as JSON text, newest first, as the checkpoint document holds them.
    pub history: Vec<String>,
}

/// Runs a replication to its end; a continuous one ends only when cancelled (with a final checkpoint).
pub fn run(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
) -> impl Future<Output = Result<Report, PeerError>> + Send {
    // Boxed: a future holds its arguments and what becomes of them, each for itself.
    let run = Box::new(Run {
        source,
        target,
        spec,
        progress,
        session_id: uuid::Uuid::new_v4().simple().to_string(),
        history: Vec::new(),
        resume: None,
        since: None,
        stale: None,
        moved: false,
        under_way: VecDeque::new(),
    });
    attempts(run, cancel)
}

async fn attempts(mut run: Box<Run>, cancel: CancellationToken) -> Result<Report, PeerError> {
    run.progress.send_modify(|progress| {
        progress.session_id.clone_from(&run.session_id);
        progress.behind_since_ms.get_or_insert_with(now_ms);
    });
    let mut backoff = Backoff::default();
    loop {
        run.moved = false;
        let begun = Instant::now();
        let ended = Attempt::run(&mut run, &cancel).await;
        let Err(error) = ended else {
            return Ok(run.report());
        };
        // Whatever is made from now on is not at the target.
        run.lacks_from_now_on();
        if cancel.is_cancelled() {
            return Ok(run.report());
        }
        if run.moved || run.spec.continuous && begun.elapsed() > LONG_ENOUGH {
            backoff.succeeded();
        }
        let wait = run.wait_after(&error, &mut backoff)?;
        tracing::warn!(%error, ?wait, "replication failed for now");
        run.progress.send_modify(|progress| {
            progress.failed_attempts = progress.failed_attempts.saturating_add(1);
            progress.last_error = Some(error.to_string());
            progress.waiting_for = Some(format!("{error}; next try in {} ms", wait.as_millis()));
        });
        tokio::select! {
            () = cancel.cancelled() => return Ok(run.report()),
            () = tokio::time::sleep(wait) => {}
            () = run.reachable_again() => {}
            () = Box::pin(run.counts_what_waits()) => {}
        }
    }
}

/// What outlives an attempt.
struct Run {
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
    progress: watch::Sender<Progress>,
    session_id: String,
    history: Vec<String>,
    resume: Option<Resume>,
    /// Where the newest attempt started.
    since: Option<Box<str>>,
    /// Where an attempt could not start, since the source's database is another one.
    stale: Option<Box<str>>,
    /// Whether the attempt finished any batch.
    moved: bool,
    /// When the oldest change of each batch under way was made, where the source told.
    under_way: VecDeque<Option<u64>>,
}

impl Run {
    /// How long to wait before the next attempt; the error itself when there is to be none.
    fn wait_after(&mut self, error: &PeerError, backoff: &mut Backoff) -> Result<Duration, PeerError> {
        let jitter = rand::random::<f64>();
        match error.kind {
            PeerErrorKind::Invalid => return Err(error.clone()),
            PeerErrorKind::Unauthorized
            | PeerErrorKind::Forbidden
            | PeerErrorKind::Untrusted
            | PeerErrorKind::DatabaseMissing => {
                if !self.spec.continuous {
                    return Err(error.clone());
                }
                return Ok(backoff.longest_wait(jitter, error.retry_after));
            }
            PeerErrorKind::Recreated => {
                self.resume = None;
                self.stale = self.since.take();
            }
            _ => {}
        }
        let wait = backoff.next_wait(jitter, error.retry_after);
        if !self.spec.continuous && backoff.failures() >= ONE_SHOT_TRIES {
            return Err(error.clone());
        }
        Ok(wait)
    }

    /// Returns when an end that could not be reached can be again, a little later for some than for others: whoever
    /// lost the same server is told at the same moment.
    async fn reachable_again(&self) {
        tokio::select! {
            () = self.source.reachable_again() => {}
            () = self.target.reachable_again() => {}
        }
        tokio::time::sleep(REUNION.mul_f64(rand::random())).await;
    }

    /// Tells how many changes wait at the source meanwhile, once, and since when; never ends.
    async fn counts_what_waits(&self) {
        let through = self.progress.borrow().through_seq.clone();
        let seq = through.as_deref().unwrap_or("0");
        if let Ok(Some(left)) = self.source.pending(seq).await {
            self.progress
                .send_modify(|progress| progress.changes_pending = Some(left));
        }
        loop {
            match self.source.oldest_after(seq).await {
                Ok(Oldest::Since(oldest_ms)) => self.is_behind_since(Some(oldest_ms)),
                Ok(Oldest::Nothing) => self.is_behind_since(None),
                Ok(Oldest::Unknown) | Err(_) => std::future::pending().await,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn is_behind_since(&self, since_ms: Option<u64>) {
        self.progress.send_modify(|progress| {
            progress.behind_since_ms = since_ms;
            progress.lag_known = true;
        });
    }

    /// The target lacks nothing now.
    fn caught_up(&self) {
        self.progress.send_modify(|progress| {
            progress.behind_since_ms = None;
            progress.lag_known = true;
            progress.last_success_ms = Some(now_ms());
        });
    }

    /// The target lacks nothing that was made before.
    fn level(&self, level_ms: u64) {
        if self.oldest_under_way().is_some() {
            // That is known better.
            return;
        }
        self.progress.send_modify(|progress| {
            progress.behind_since_ms = progress.behind_since_ms.map(|since| since.max(level_ms));
            progress.lag_known = true;
        });
    }

    fn lacks_from_now_on(&self) {
        self.progress.send_modify(|progress| {
            progress.behind_since_ms.get_or_insert_with(now_ms);
        });
    }

    fn oldest_under_way(&self) -> Option<u64> {
        self.under_way.iter().flatten().min().copied()
    }

    /// Counts what became of a batch; `left` is what the source has behind it.
    fn take_stock(&self, batch: &Finished, left: Option<u64>) {
        for refused in &batch.refused {
            tracing::warn!(
                id = refused.id,
                rev = refused.rev,
                error = refused.error,
                reason = refused.reason,
                "document not replicated"
            );
        }
        let failures = batch.refused.len() as u64 + batch.unlisted;
        let oldest_ms = self.oldest_under_way();
        self.progress.send_modify(|progress| {
            progress.revisions_checked += batch.checked;
            progress.missing_revisions_found += batch.missing;
            progress.docs_read += batch.read;
            progress.docs_written += batch.written;
            progress.doc_write_failures += failures;
            if failures > 0 {
                let listed = Arc::make_mut(&mut progress.refused);
                let room = REFUSED_LISTED_MAX.saturating_sub(listed.len());
                listed.extend(batch.refused.iter().take(room).cloned());
            }
            progress.changes_pending = left.or(progress.changes_pending);
            progress.behind_since_ms = oldest_ms.or(progress.behind_since_ms);
            progress.last_success_ms = Some(now_ms());
            progress.waiting_for = None;
            progress.failed_attempts = 0;
        });
    }

    /// Everything up to a seq is at the target.
    fn through(&self, seq: &str) {
        self.progress
            .send_modify(|progress| progress.through_seq = Some(seq.to_owned()));
    }

    fn report(self) -> Report {
        self.progress.send_modify(|progress| progress.waiting_for = None);
        let progress = self.progress.borrow().clone();
        let no_changes = progress.revisions_checked == 0 && progress.checkpointed_source_seq.is_none();
        Report {
            no_changes,
            refused: progress.refused.to_vec(),
            progress,
            history: self.history,
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
