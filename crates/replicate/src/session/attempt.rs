//! One attempt: look at both ends, find where to start, drive the stages, record checkpoints.

use super::batch::{Finished, Lane, process};
use super::pending::Pending;
use super::{CONTINUOUS_TRIES, ONE_SHOT_TRIES, Run, Spec, Tuning, feed};
use crate::checkpoint::{Checkpointer, Ends, Mark};
use crate::peer::{Changes, ChangesAsk, PeerError, PeerErrorKind, PeerInfo, PeerKind};
use futures_util::stream::{FuturesOrdered, StreamExt};
use std::future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use trunkline_core::limits::{
    REFUSED_LISTED_MAX, REPLICATION_ATTACHMENT_STREAMS, REPLICATION_BATCHES_IN_FLIGHT,
    REPLICATION_BYTES_IN_FLIGHT,
};

/// How long a one-shot batch waits for more rows: its feed is known to have an end.
const LINGER_ONE_SHOT: Duration = Duration::from_millis(20);
/// The same for a feed that may be quiet from here on.
const LINGER_LIVE: Duration = Duration::from_millis(2);

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
    replication_id: String,
    mark: watch::Sender<Mark>,
    pending: Pending,
}

impl Attempt<'_> {
    /// Runs until the end of the changes, a failure, or (as success) cancellation.
    pub(super) async fn run(run: &mut Run, cancel: &CancellationToken) -> Result<(), PeerError> {
        let prepared = tokio::select! {
            prepared = prepare(run) => prepared?,
            () = cancel.cancelled() => return Ok(()),
        };
        let Prepared {
            ends,
            mut checkpointer,
            since,
        } = prepared;
        let (mark, marks) = watch::channel(Mark {
            seq: since.clone(),
            ..Mark::counted(&run.progress.borrow())
        });
        let nothing_new = !run.spec.continuous && ends.source_is_at(since.as_deref());
        let ask = changes_ask(&run.spec, &ends, since.clone());
        let tuning = Tuning::new(since.is_none(), ends.target_is_empty(), Arc::clone(&ask.docs));
        let lane = Arc::new(lane(run, tuning));
        let progress = run.progress.clone();
        let mut attempt = Attempt {
            run,
            replication_id: ends.replication_id.clone(),
            mark,
            pending: Pending::new(Arc::clone(&lane.source)),
        };
        let stop = CancellationToken::new();
        let broken = CancellationToken::new();
        let (moved, recorded) = tokio::join!(
            async {
                let moved = tokio::select! {
                    moved = attempt.pipeline(lane, ask), if !nothing_new => moved,
                    () = cancel.cancelled() => Ok(()),
                    () = broken.cancelled() => Ok(()),
                    () = future::ready(()), if nothing_new => Ok(()),
                };
                stop.cancel();
                moved
            },
            async {
                let recorded = checkpointer.follow(marks, &stop, &progress).await;
                if recorded.is_err() {
                    broken.cancel();
                }
                recorded
            },
        );
        if let Some(resume) = &mut attempt.run.resume {
            resume.agreed = checkpointer.recorded_seq();
        }
        attempt.run.history = checkpointer.into_history();
        moved.and(recorded)?;
        if !attempt.run.spec.continuous {
            attempt.run.progress.send_modify(|progress| {
                let seq = || ends.source.update_seq.to_string();
                progress.through_seq.get_or_insert_with(seq);
            });
        }
        Ok(())
    }

    async fn pipeline(&mut self, lane: Arc<Lane>, ask: ChangesAsk) -> Result<(), PeerError> {
        let continuous = ask.continuous;
        let since = ask.since.clone();
        let changes = lane.source.changes(ask).await?;
        if continuous {
            self.pending.ask(since.as_deref().unwrap_or("0"));
        }
        let linger = if continuous { LINGER_LIVE } else { LINGER_ONE_SHOT };
        let (sender, mut batches) = mpsc::channel(2);
        let _gathering = AbortOnDropHandle::new(tokio::spawn(feed::gather(changes, linger, sender)));
        let mut running = FuturesOrdered::new();
        let mut failure = None;
        let mut open = true;
        while open || !running.is_empty() {
            if continuous && running.is_empty() {
                self.waits_for(Some("changes"));
            }
            tokio::select! {
                Some(finished) = running.next(), if !running.is_empty() => {
                    let finished: Result<Result<Finished, PeerError>, JoinError> = finished;
                    self.finished(finished.map_err(|error| lost(&lane, &error))??);
                }
                left = self.pending.answered() => {
                    self.run.progress.send_modify(|progress| progress.changes_pending = left);
                }
                batch = batches.recv(), if open && running.len() < REPLICATION_BATCHES_IN_FLIGHT => match batch {
                    Some(Ok(batch)) => {
                        self.read(&batch);
                        running.push_back(AbortOnDropHandle::new(tokio::spawn(process(Arc::clone(&lane), batch))));
                    }
                    Some(Err(error)) => {
                        // What was read before is finished first, so that it need not be read again.
                        failure = Some(error);
                        open = false;
                    }
                    None => open = false,
                },
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn read(&self, batch: &Changes) {
        self.run.progress.send_modify(|progress| {
            progress.waiting_for = None;
            progress.source_seq = Some(batch.last_seq.to_string());
        });
    }

    fn waits_for(&self, what: Option<&str>) {
        self.run
            .progress
            .send_modify(|progress| progress.waiting_for = what.map(str::to_owned));
    }

    /// Batches come here in order: this is the low-water mark.
    fn finished(&mut self, batch: Finished) {
        self.run.moved = true;
        let failures = batch.refused.len() as u64 + batch.unlisted;
        let left = self.pending.finished(batch.rows, &batch.last_seq, batch.pending);
        for refused in &batch.refused {
            tracing::warn!(
                id = refused.id,
                rev = refused.rev,
                error = refused.error,
                reason = refused.reason,
                "document not replicated"
            );
        }
        self.run.progress.send_modify(|progress| {
            progress.revisions_checked += batch.checked;
            progress.missing_revisions_found += batch.missing;
            progress.docs_read += batch.read;
            progress.docs_written += batch.written;
            progress.doc_write_failures += failures;
            if failures > 0 {
                let listed = Arc::make_mut(&mut progress.refused);
                let room = REFUSED_LISTED_MAX.saturating_sub(listed.len());
                listed.extend(batch.refused.into_iter().take(room));
            }
            progress.through_seq = Some(batch.last_seq.to_string());
            progress.changes_pending = left.or(progress.changes_pending);
            progress.waiting_for = None;
        });
        self.run.resume = Some(Resume {
            replication_id: self.replication_id.clone(),
            seq: batch.last_seq.clone(),
            agreed: None,
        });
        let counted = Mark::counted(&self.run.progress.borrow());
        self.mark.send_replace(Mark {
            seq: Some(batch.last_seq),
            ..counted
        });
    }
}

fn lane(run: &Run, tuning: Tuning) -> Lane {
    Lane {
        source: Arc::clone(&run.source),
        target: Arc::clone(&run.target),
        tuning,
        progress: run.progress.clone(),
        tries: if run.spec.continuous {
            CONTINUOUS_TRIES
        } else {
            ONE_SHOT_TRIES
        },
        held_kib: Semaphore::new(REPLICATION_BYTES_IN_FLIGHT >> 10),
        attachment_streams: Semaphore::new(REPLICATION_ATTACHMENT_STREAMS),
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
    ends: Ends,
    checkpointer: Checkpointer,
    since: Option<Box<str>>,
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
    let ends = Ends::new(source, target, &run.spec);
    let source_peer = Arc::clone(&run.source);
    let target_peer = Arc::clone(&run.target);
    let mut checkpointer =
        Checkpointer::open(source_peer, target_peer, &ends, &run.spec, &run.session_id).await?;
    let since = start(run, &ends, checkpointer.recorded_seq())?;
    checkpointer.starts_at(since.clone());
    run.since.clone_from(&since);
    run.progress.send_modify(|progress| {
        progress.replication_id.clone_from(&ends.replication_id);
        progress.through_seq = since.as_deref().map(str::to_owned);
    });
    Ok(Prepared {
        ends,
        checkpointer,
        since,
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

fn changes_ask(spec: &Spec, ends: &Ends, since: Option<Box<str>>) -> ChangesAsk {
    ChangesAsk {
        since,
        continuous: spec.continuous,
        main_only: spec.winning_revs_only,
        doc_ids: spec.doc_ids.clone(),
        selector: spec.selector.clone(),
        docs: Arc::new(AtomicBool::new(ends.source.kind == PeerKind::Trunkline)),
        contents: false,
        until: None,
        without_deleted: false,
    }
}
