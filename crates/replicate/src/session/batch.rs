//! One batch on its way: compared with the target, fetched, written.

use super::attachments;
use super::budget::Share;
use super::contents;
use super::feed::Batch;
use super::odd;
use super::throttle::Throttle;
use super::unserved::{self, Left};
use super::{AttachmentMode, CONTINUOUS_TRIES, ONE_SHOT_TRIES, Progress, Run, Tuning};
use crate::checkpoint::{Checkpointer, Mark};
use crate::peer::{Change, Doc, Fetched, Missing, Peer, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use trunkline_core::limits::{
    REPLICATION_ATTACHMENT_STREAMS, REPLICATION_BATCH_BYTES, REPLICATION_BYTES_IN_FLIGHT,
};
use trunkline_core::rev::Rev;

/// How long a revision that the source announced but does not have may take to appear.
const MISSING_RETRY: Duration = Duration::from_secs(2);

/// What the batches of one attempt share.
pub(super) struct Lane {
    pub(super) source: Arc<dyn Peer>,
    pub(super) target: Arc<dyn Peer>,
    pub(super) tuning: Tuning,
    pub(super) progress: watch::Sender<Progress>,
    /// How often a document is asked for that the source does not serve.
    pub(super) tries: u32,
    /// KiB of documents that may be held at once.
    pub(super) held_kib: Semaphore,
    /// Documents with attachments, or contents, under way.
    pub(super) attachment_streams: Semaphore,
    /// Of all runs' attachments under way.
    pub(super) streams: Share,
    pub(super) attachments: AttachmentMode,
    pub(super) contents: contents::Turns,
    /// Contents that may be brought before the documents that name them are written.
    pub(super) contents_ahead: Semaphore,
    pub(super) throttle: Arc<Throttle>,
    pub(super) priority: i32,
    pub(super) checkpointer: Checkpointer,
    /// Whether a refusal ends the run; then no checkpoint names a batch before all of it was taken.
    strict: bool,
    /// Batches that are begun and not finished.
    pub(super) under_way: AtomicUsize,
}

impl Lane {
    pub(super) fn new(run: &Run, checkpointer: Checkpointer, tuning: Tuning) -> Lane {
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
            streams: Share::default(),
            attachments: run.spec.attachments,
            contents: contents::Turns::default(),
            contents_ahead: Semaphore::new(contents::CONTENTS_AHEAD),
            throttle: Arc::new(Throttle::new(run.spec.bytes_per_second)),
            priority: run.spec.priority,
            checkpointer,
            strict: run.spec.strict,
            under_way: AtomicUsize::new(0),
        }
    }
}

/// What became of one batch, all of it durable at the target.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) last_seq: Box<str>,
    pub(super) pending: Option<u64>,
    /// Rows of the feed.
    pub(super) rows: u64,
    pub(super) checked: u64,
    pub(super) missing: u64,
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) refused: Vec<RefusedDoc>,
    /// Refused beside these.
    pub(super) unlisted: u64,
    /// Documents were written without some of their contents.
    pub(super) later: bool,
    /// Bytes the batch held.
    pub(super) bytes: usize,
}

/// Moves one batch.
pub(super) async fn process(lane: Arc<Lane>, batch: Batch) -> Result<Finished, PeerError> {
    let Batch { changes, held } = batch;
    let mut finished = Finished {
        last_seq: changes.last_seq,
        pending: changes.pending,
        rows: changes.rows.len() as u64,
        bytes: held.units(),
        ..Finished::default()
    };
    let mut rows = newest(changes.rows);
    rows.retain_mut(|row| odd::sort_out(row, &mut finished));
    finished.checked = rows.iter().map(|row| row.revs.len() as u64).sum();
    let (ready, mut wanted) = compare(&lane, rows).await?;
    finished.missing = ready.len() as u64 + revs_in(&wanted);
    if !ready.is_empty() {
        finished.read += ready.len() as u64;
        write_carried(&lane, ready, &mut wanted, &mut finished).await?;
    }
    let mut left = Left::default();
    fetch_all(&lane, wanted, &mut left, &mut finished).await?;
    // What is left is little, and comes late: others may have the room.
    drop(held);
    unserved::settle(&lane, &mut left, &mut finished).await?;
    let absent = std::mem::take(&mut left.absent);
    if !absent.is_empty() {
        tokio::time::sleep(MISSING_RETRY).await;
        fetch_all(&lane, absent, &mut left, &mut finished).await?;
        unserved::settle(&lane, &mut left, &mut finished).await?;
    }
    for missing in &left.absent {
        let reason = "the source announced this revision but does not have it";
        finished.refuse(missing, "not_found", reason);
    }
    Ok(finished)
}

/// Keeps the last row of each document, which names all its leaves. A target may compare only one of several rows, and
/// an older one may carry a document that the target has.
fn newest(rows: Vec<Change>) -> Vec<Change> {
    let mut seen = HashSet::with_capacity(rows.len());
    let mut kept: Vec<bool> = rows.iter().rev().map(|row| seen.insert(&*row.id)).collect();
    kept.reverse();
    let kept = rows.into_iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(row, _)| row).collect()
}

/// Writes documents that came with their rows, the contents they name first.
async fn write_carried(
    lane: &Arc<Lane>,
    mut ready: Vec<Doc>,
    wanted: &mut Vec<Missing>,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    if lane.attachments != AttachmentMode::Eager {
        contents::put_off_all(&mut ready, finished);
    }
    if contents::naming(&ready).is_empty() {
        return write(lane, ready, wanted.is_empty(), finished).await;
    }
    contents::write_all(lane, ready, wanted, finished).await
}

/// Splits rows into documents that came with them and revisions to fetch, both without what the target has.
async fn compare(lane: &Lane, rows: Vec<Change>) -> Result<(Vec<Doc>, Vec<Missing>), PeerError> {
    if rows.is_empty() || lane.tuning.skips_revs_diff() {
        let mut ready = Vec::with_capacity(rows.len());
        let mut wanted = Vec::new();
        for row in rows {
            if row.docs.is_empty() {
                wanted.push(Missing {
                    id: row.id,
                    revs: row.revs,
                    possible_ancestors: Vec::new(),
                });
            } else {
                ready.extend(row.docs);
            }
        }
        return Ok((ready, wanted));
    }
    let missing = lane.target.revs_diff(&rows).await?;
    lane.tuning.compared(
        rows.iter().map(|row| row.revs.len() as u64).sum(),
        revs_in(&missing),
    );
    let mut carried: BTreeMap<Box<str>, Vec<Doc>> = rows
        .into_iter()
        .filter(|row| !row.docs.is_empty())
        .map(|row| (row.id, row.docs))
        .collect();
    let (mut ready, mut wanted) = (Vec::new(), Vec::with_capacity(missing.len()));
    for missing in missing {
        match carried.remove(&missing.id) {
            Some(docs) => ready.extend(docs.into_iter().filter(|doc| missing.revs.contains(&doc.rev))),
            None => wanted.push(missing),
        }
    }
    Ok((ready, wanted))
}

/// Fetches and writes in portions that fit the byte bounds.
async fn fetch_all(
    lane: &Arc<Lane>,
    wanted: Vec<Missing>,
    left: &mut Left,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    let mut rest = wanted.as_slice();
    // Falls to one where a document spoils the answer for those that share it, and rises again behind it.
    let mut most = usize::MAX;
    while !rest.is_empty() {
        let portion = lane.tuning.portion(rest).min(most);
        let (now, later) = rest.split_at(portion.min(rest.len()));
        match fetch(lane, now, left, finished).await {
            Err(error) if error.kind == PeerErrorKind::TooLarge && now.len() > 1 => {
                lane.tuning.fetched_too_much(now.len());
            }
            Err(error) if error.kind == PeerErrorKind::Unserved && now.len() > 1 => most = now.len() / 2,
            Err(error) if matches!(error.kind, PeerErrorKind::TooLarge | PeerErrorKind::Unserved) => {
                tracing::debug!(%error, "a document is fetched by itself");
                attachments::transfer(lane, now.to_vec(), left, finished).await?;
                rest = later;
            }
            done => {
                done?;
                most = most.saturating_mul(2);
                rest = later;
            }
        }
    }
    Ok(())
}

async fn fetch(
    lane: &Arc<Lane>,
    wanted: &[Missing],
    left: &mut Left,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    let kib = lane
        .tuning
        .expected_bytes(wanted.len())
        .min(REPLICATION_BYTES_IN_FLIGHT)
        >> 10;
    // The semaphore is never closed.
    let Ok(_held) = lane.held_kib.acquire_many(kib.max(1) as u32).await else {
        return Ok(());
    };
    let fetched = lane.source.bulk_get(wanted).await?;
    let mut docs = Vec::with_capacity(fetched.len());
    let mut with_attachments: Vec<Missing> = Vec::new();
    for one in fetched {
        match one {
            Fetched::Doc(doc) => docs.push(doc),
            Fetched::HasAttachments { id, rev } => add(&mut with_attachments, id, rev),
            Fetched::Missing { id, rev } => add(&mut left.absent, id, rev),
            Fetched::Refused(refused) => {
                finished.read += 1;
                finished.refused.push(refused);
            }
        }
    }
    for missing in &mut with_attachments {
        if let Some(asked) = wanted.iter().find(|asked| asked.id == missing.id) {
            missing.possible_ancestors.clone_from(&asked.possible_ancestors);
        }
    }
    lane.tuning
        .fetched(wanted.len(), docs.iter().map(Doc::bytes).sum());
    finished.read += docs.len() as u64;
    write(lane, docs, false, finished).await?;
    attachments::transfer(lane, with_attachments, left, finished).await
}

fn add(list: &mut Vec<Missing>, id: Box<str>, rev: Rev) {
    match list.last_mut() {
        Some(last) if last.id == id => {
            if !last.revs.contains(&rev) {
                last.revs.push(rev);
            }
        }
        _ => list.push(Missing {
            id,
            revs: vec![rev],
            possible_ancestors: Vec::new(),
        }),
    }
}

/// Writes documents, and with them a checkpoint where one is due; `whole` when they are all that the batch has to write.
pub(super) async fn write(
    lane: &Lane,
    docs: Vec<Doc>,
    whole: bool,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    if docs.is_empty() {
        return Ok(());
    }
    let count = docs.len() as u64;
    lane.throttle.pass(docs.iter().map(Doc::bytes).sum()).await;
    // What may be tried again must not be passed by a checkpoint that comes with it.
    let alone = lane.under_way.load(Ordering::Relaxed) == 1;
    let nothing_lost = finished.refused.is_empty() && finished.unlisted == 0;
    let own = (whole && alone && nothing_lost && !lane.strict).then(|| Mark {
        seq: Some(finished.last_seq.clone()),
        missing_checked: finished.checked,
        missing_found: finished.missing,
        docs_read: finished.read,
        docs_written: count,
        doc_write_failures: 0,
    });
    let (ride, log) = lane.checkpointer.ride(own).unzip();
    let written = lane.target.bulk_docs(docs, log).await?;
    if let Some(now) = &written.instance_start_time {
        lane.checkpointer.same_target(now)?;
    }
    if let Some(ride) = ride {
        ride.arrived(written.log_number, written.refused.is_empty());
    }
    let refused = written.refused;
    finished.written += count.saturating_sub(refused.len() as u64);
    finished.refused.extend(refused);
    Ok(())
}

fn revs_in(missing: &[Missing]) -> u64 {
    missing.iter().map(|missing| missing.revs.len() as u64).sum()
}

/// Most bytes that a portion is expected to have.
pub(super) const PORTION_BYTES: usize = REPLICATION_BATCH_BYTES;
