//! One attempt: look at both ends, find where to start, drive the stages, record checkpoints.

use super::backfill::{self, Backfill};
use super::batch::{Finished, Lane, process};
use super::feed::{Batch, Gathering, Linger, Step};
use super::pending::{Pending, Told};
use super::{AttachmentMode, CHANGES, Progress, Run, Spec, Tuning};
use crate::checkpoint::{Checkpointer, Ends, Mark};
use crate::peer::{ChangesAsk, PeerError, PeerErrorKind, PeerInfo, PeerKind};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, StreamExt};
use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use trunkline_core::limits::{
    REPLICATION_BATCH_PAUSE_MS, REPLICATION_BATCHES_IN_FLIGHT, REPLICATION_BATCHES_IN_FLIGHT_EXCHANGE,
    REPLICATION_BYTES_IN_FLIGHT, REPLICATION_FAR_CHANGES,
};

/// How long a one-shot batch waits for more rows: its feed is known to have an end.
const LINGER_ONE_SHOT: Duration = Duration::from_millis(20);

/// Where an attempt got to; the next goes on from there when both databases are still the same.
#[derive(Clone, Debug)]
pub(super) struct Resume {
    replication_id: String,
    seq: Box<str>,
    /// The seq that both logs named when the attempt ended. Logs that name another are those of an end that was
    /// restored from a backup meanwhile, and may lack what came after.
    agreed: Option<Box<str>>,
}

/// An attempt that knows where it starts.
pub(super) struct Attempt<'a> {
    run: &'a mut Run,
    lane: Arc<Lane>,
    ends: Arc<Ends>,
    pending: Pending,
    /// When the feed was asked for, where it ends with what was there then.
    asked_ms: Option<u64>,
    backfill: Option<Backfill>,
    /// Bytes of the batches under way.
    bytes: usize,
}

type Running = FuturesOrdered<AbortOnDropHandle<Result<Finished, PeerError>>>;

impl Attempt<'_> {
    /// Runs until the end of the changes, a failure, or (as success) cancellation.
    pub(super) async fn run(run: &mut Run, cancel: &CancellationToken) -> Result<(), PeerError> {
        let prepared = tokio::select! {
            prepared = Box::pin(prepare(run)) => prepared?,
            () = cancel.cancelled() => return Ok(()),
        };
        let Prepared {
            ends,
            checkpointer,
            since,
            backfill,
        } = prepared;
        let at_end = ends.source_is_at(since.as_deref());
        // Boxed: every step from here to the feed would have room for it.
        let ask = Box::new(changes_ask(&run.spec, &ends, since.clone()));
        let tuned = match run.spec.attachments {
            AttachmentMode::Eager => Arc::clone(&ask.docs),
            // Only documents that come with their rows come without bytes.
            _ => Arc::default(),
        };
        let tuning = Tuning::new(since.is_none(), ends.target_is_empty(), tuned);
        let lane = Arc::new(Lane::new(run, checkpointer, tuning));
        let backfill = backfill.then(|| Backfill::start(&lane));
        let mut attempt = Attempt {
            backfill,
            pending: Pending::new(Arc::clone(&lane.source), counts_loosely(&run.spec, &ends)),
            asked_ms: None,
            lane: Arc::clone(&lane),
            ends,
            run,
            bytes: 0,
        };
        if at_end {
            attempt.run.caught_up();
        }
        let skips = at_end && !attempt.run.spec.continuous;
        let moved = tokio::select! {
            moved = attempt.moved(ask, skips) => moved,
            () = cancel.cancelled() => Ok(()),
        };
        let recorded = Box::pin(lane.checkpointer.record_last(&lane.progress)).await;
        if let Some(resume) = &mut attempt.run.resume {
            resume.agreed = lane.checkpointer.recorded_seq();
        }
        attempt.run.history = lane.checkpointer.history();
        moved.and(recorded)?;
        if !attempt.run.spec.continuous {
            if !cancel.is_cancelled() {
                attempt.run.caught_up();
            }
            let ends = &attempt.ends;
            attempt.run.progress.send_modify(|progress| {
                let seq = || ends.source.update_seq.to_string();
                progress.through_seq.get_or_insert_with(seq);
            });
        }
        Ok(())
    }

    /// Moves the documents, and then, unless it goes on for ever, the contents they left behind.
    async fn moved(&mut self, ask: Box<ChangesAsk>, skips: bool) -> Result<(), PeerError> {
        if !skips {
            self.pipelines(ask).await?;
        }
        match self.backfill.take() {
            Some(backfill) => backfill.drain(&self.lane).await,
            None => Ok(()),
        }
    }

    /// A live feed that has far to go begins with one that ends, which may be wider.
    async fn pipelines(&mut self, mut ask: Box<ChangesAsk>) -> Result<(), PeerError> {
        if ask.continuous && ask.far {
            let mut first = ask.clone();
            first.continuous = false;
            Box::pin(self.pipeline(first)).await?;
            ask.since = self
                .run
                .resume
                .as_ref()
                .map(|resume| resume.seq.clone())
                .or(ask.since);
            ask.far = false;
        }
        self.pipeline(ask).await
    }

    async fn pipeline(&mut self, ask: Box<ChangesAsk>) -> Result<(), PeerError> {
        let lane = Arc::clone(&self.lane);
        let continuous = ask.continuous;
        let since = ask.since.clone();
        self.asked_ms = (!continuous).then(super::now_ms);
        let changes = lane.source.changes(*ask).await?;
        if continuous {
            self.pending.goes_on(since.as_deref().unwrap_or("0"));
        }
        let linger = match continuous {
            true => Linger::AfterLast(Duration::from_millis(REPLICATION_BATCH_PAUSE_MS)),
            false => Linger::AfterFirst(LINGER_ONE_SHOT),
        };
        let mut batches = Gathering::new(
            changes,
            linger,
            lane.throttle.batch_bytes(),
            self.run.spec.priority,
        );
        let most = match self.ends.target.exchanges && self.ends.target.remote {
            true => REPLICATION_BATCHES_IN_FLIGHT_EXCHANGE,
            false => REPLICATION_BATCHES_IN_FLIGHT,
        };
        let mut running = Running::new();
        let mut recording: Option<BoxFuture<'static, Result<(), PeerError>>> = None;
        let mut failure = None;
        let mut open = true;
        while open || !running.is_empty() {
            if continuous && running.is_empty() && !batches.has_begun() {
                self.waits();
            }
            let room = running.len() < most && self.bytes < REPLICATION_BYTES_IN_FLIGHT;
            let due = lane.checkpointer.due().filter(|_| recording.is_none());
            tokio::select! {
                Some(finished) = running.next(), if !running.is_empty() => {
                    let finished: Result<Result<Finished, PeerError>, JoinError> = finished;
                    let idle = running.is_empty() && !batches.has_begun();
                    self.finished(finished.map_err(|error| lost(&lane, &error))??, idle)?;
                }
                told = self.pending.answered() => self.counted(&told, running.is_empty() && !batches.has_begun()),
                step = batches.step(&lane.tuning), if open && room => match step {
                    Some(Ok(Step::Begun(oldest_ms))) => self.comes(oldest_ms),
                    Some(Ok(Step::Batch(batch))) => self.begin(batch, &mut running),
                    Some(Err(error)) => {
                        // What was read before is finished first, so that it need not be read again.
                        failure = Some(error);
                        open = false;
                    }
                    None => open = false,
                },
                () = until(due) => {
                    let lane = Arc::clone(&lane);
                    recording = Some(Box::pin(async move { lane.checkpointer.record(&lane.progress).await }));
                }
                recorded = outcome(&mut recording) => {
                    recording = None;
                    recorded?;
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Rows were read; their batch may still have to wait for room.
    fn comes(&mut self, oldest_ms: Option<u64>) {
        self.pending.comes();
        self.run.under_way.push_back(oldest_ms);
        self.lacks_what_is_under_way(|progress| progress.waiting_for = None);
    }

    fn lacks_what_is_under_way(&self, and: impl FnOnce(&mut Progress)) {
        let oldest_ms = self.run.oldest_under_way();
        self.run.progress.send_modify(|progress| {
            and(progress);
            // A feed that was quiet, and level, until now gives its rows as they are made.
            let now = || progress.behind_since_ms.unwrap_or_else(super::now_ms);
            progress.behind_since_ms = Some(oldest_ms.unwrap_or_else(now));
            progress.lag_known |= oldest_ms.is_some();
        });
    }

    fn begin(&mut self, batch: Batch, running: &mut Running) {
        let under_way = &mut self.run.under_way;
        if let Some(last) = under_way.back_mut() {
            *last = batch.changes.oldest_ms.or(*last);
        }
        self.bytes += batch.held.units();
        let seq = batch.changes.last_seq.to_string();
        self.lacks_what_is_under_way(|progress| progress.source_seq = Some(seq));
        self.lane.under_way.fetch_add(1, Ordering::Relaxed);
        running.push_back(AbortOnDropHandle::new(tokio::spawn(process(
            Arc::clone(&self.lane),
            batch,
        ))));
    }

    fn waits(&self) {
        self.run.progress.send_if_modified(|progress| {
            let waits = progress.is_idle();
            progress.waiting_for = Some(CHANGES.to_owned());
            progress.failed_attempts = 0;
            !waits
        });
    }

    /// The source said how many changes it has left, or that it cannot tell.
    fn counted(&mut self, told: &Told, idle: bool) {
        self.run
            .progress
            .send_modify(|progress| progress.changes_pending = told.left);
        self.level(told, idle);
    }

    fn level(&self, told: &Told, idle: bool) {
        if idle && told.nothing {
            self.run.caught_up();
        } else if let Some(level_ms) = told.level_ms {
            self.run.level(level_ms);
        }
    }

    /// Batches come here in order: this is the low-water mark.
    fn finished(&mut self, batch: Finished, idle: bool) -> Result<(), PeerError> {
        self.run.moved = true;
        self.bytes = self.bytes.saturating_sub(batch.bytes);
        self.lane.under_way.fetch_sub(1, Ordering::Relaxed);
        self.run.under_way.pop_front();
        if batch.later && self.lane.attachments != AttachmentMode::None {
            let backfill = self.backfill.get_or_insert_with(|| Backfill::start(&self.lane));
            backfill.wake();
        }
        let told = self.pending.finished(batch.rows, &batch.last_seq, batch.pending);
        self.run.take_stock(&batch, told.left);
        self.level(&told, idle);
        if self.run.spec.strict
            && let Some(first) = batch.refused.first()
        {
            let reason = format!(
                "document {} {} did not get to the target: {}: {}",
                first.id, first.rev, first.error, first.reason
            );
            return Err(PeerError::new(
                self.lane.target.label(),
                PeerErrorKind::Invalid,
                reason,
            ));
        }
        self.run.through(&batch.last_seq);
        if idle && batch.pending == Some(0) {
            // A feed that ends was read from what was there when it began.
            match self.asked_ms {
                Some(asked_ms) => self.run.level(asked_ms),
                None => self.run.caught_up(),
            }
        }
        self.run.resume = Some(Resume {
            replication_id: self.ends.replication_id.clone(),
            seq: batch.last_seq.clone(),
            agreed: None,
        });
        let counted = Mark::counted(&self.run.progress.borrow());
        self.lane.checkpointer.moved(Mark {
            seq: Some(batch.last_seq),
            ..counted
        });
        Ok(())
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => future::pending().await,
    }
}

async fn outcome<T>(running: &mut Option<BoxFuture<'static, T>>) -> T {
    match running {
        Some(running) => running.await,
        None => future::pending().await,
    }
}

fn lost(lane: &Lane, error: &JoinError) -> PeerError {
    PeerError::new(
        lane.target.label(),
        PeerErrorKind::Unavailable,
        format!("a batch was lost: {error}"),
    )
}

struct Prepared {
    ends: Arc<Ends>,
    checkpointer: Checkpointer,
    since: Option<Box<str>>,
    /// The target waits for contents.
    backfill: bool,
}

async fn prepare(run: &mut Run) -> Result<Prepared, PeerError> {
    let (source, target) = tokio::join!(run.source.info(), run.target.info());
    let source: PeerInfo = source?;
    let target = match target {
        Err(error) if error.kind == PeerErrorKind::DatabaseMissing && run.spec.create_target => {
            run.target.create().await?;
            run.target.info().await?
        }
        target => target?,
    };
    if let Some(filter) = &mut run.spec.filter {
        filter.code = Some(run.source.filter_code(filter).await?);
    }
    if run.spec.filter.is_some() && run.spec.attachments != AttachmentMode::Eager {
        let reason =
            "attachments other than eager do not go with a filter function; a selector can take its place";
        return Err(PeerError::new(run.source.label(), PeerErrorKind::Invalid, reason));
    }
    let ends = Arc::new(Ends::new(source, target, &run.spec));
    if run.spec.attachments != AttachmentMode::Eager && !ends.exchange() {
        // The exchange of our own nodes may only be hidden, or not be there yet: by a proxy, by an older version.
        let ours = [&ends.source, &ends.target]
            .iter()
            .all(|end| end.kind == PeerKind::Trunkline);
        let (kind, reason) = match ours {
            true => (
                PeerErrorKind::Unavailable,
                "attachments other than eager want the exchange, which one end does not offer for now",
            ),
            false => (
                PeerErrorKind::Invalid,
                "attachments other than eager want Trunkline at both ends",
            ),
        };
        return Err(PeerError::new(run.target.label(), kind, reason));
    }
    let backfill = ends.exchange() && backfill::is_due(run).await?;
    let checkpointer = Checkpointer::open(
        Arc::clone(&run.source),
        Arc::clone(&run.target),
        Arc::clone(&ends),
        &run.spec,
        &run.session_id,
    )
    .await?;
    let recorded = checkpointer.recorded_seq();
    let since = start(run, &ends, recorded.clone())?;
    checkpointer.starts_at(Mark {
        seq: since.clone(),
        ..Mark::counted(&run.progress.borrow())
    });
    run.since.clone_from(&since);
    run.under_way.clear();
    run.progress.send_modify(|progress| {
        progress.replication_id.clone_from(&ends.replication_id);
        progress.through_seq = since.as_deref().map(str::to_owned);
        // What was known was of another database, perhaps.
        progress.lag_known &= since.is_some();
        if progress.revisions_checked > 0 {
            // One that was written although its answer was lost.
            progress.checkpointed_source_seq = recorded.as_deref().map(str::to_owned);
        }
    });
    Ok(Prepared {
        ends,
        checkpointer,
        since,
        backfill,
    })
}

/// Where to start; `agreed` is what both logs name.
fn start(run: &mut Run, ends: &Ends, agreed: Option<Box<str>>) -> Result<Option<Box<str>>, PeerError> {
    let holds = |resume: &Resume| resume.replication_id == ends.replication_id && resume.agreed == agreed;
    run.resume = run.resume.take().filter(holds);
    let known = run.resume.as_ref().map(|resume| resume.seq.clone()).or(agreed);
    let known = known.filter(|seq| run.stale.as_ref() != Some(seq));
    let asked = run.spec.since_seq.as_deref().map(Box::from);
    if known.is_none() && asked.is_some() && asked == run.stale {
        let reason = "since_seq is of another incarnation of the database";
        return Err(PeerError::new(run.source.label(), PeerErrorKind::Invalid, reason));
    }
    Ok(known.or(asked))
}

/// Whether rows that the source counts need not come, or it is not known to count.
fn counts_loosely(spec: &Spec, ends: &Ends) -> bool {
    let tells = ends.source.exchanges || !ends.source.remote;
    let filtered =
        spec.doc_ids.is_some() || spec.selector.is_some() || spec.feed_name.is_some() || spec.archive;
    ends.source.kind == PeerKind::PouchDbServer || spec.filter.is_some() || filtered && !tells
}

fn changes_ask(spec: &Spec, ends: &Ends, since: Option<Box<str>>) -> ChangesAsk {
    ChangesAsk {
        continuous: spec.continuous,
        main_only: spec.winning_revs_only,
        doc_ids: spec.doc_ids.clone(),
        selector: spec.selector.clone(),
        filter: spec.filter.clone(),
        feed_name: spec.feed_name.clone(),
        docs: Arc::new(AtomicBool::new(ends.source.kind == PeerKind::Trunkline)),
        contents: ends.exchange(),
        far: ends.changes_since(since.as_deref()) > REPLICATION_FAR_CHANGES,
        until: spec.until.as_deref().map(Box::from),
        without_deleted: spec.archive,
        since,
    }
}
