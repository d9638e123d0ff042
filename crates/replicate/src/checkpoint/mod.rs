//! Checkpoints: where both ends agree that a replication has got to.
//!
//! A checkpoint is written to the target first made durable, then to both ends; it never passes the low-water mark.

mod id;

pub(crate) use id::{Ends, digest};

use crate::peer::{Peer, PeerError, PeerErrorKind, PeerKind, StoredLog};
use crate::session::{Progress, Spec};
use id::same_incarnation;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trunkline_core::checkpoint::ReplicationLog;
use trunkline_wire::replication_log;

/// The first checkpoint of a run that goes on follows its first batch this closely: short-lived links get somewhere.
const FIRST_AFTER: Duration = Duration::from_millis(500);
/// From then on, at most this much work is done again after a crash.
const INTERVAL: Duration = Duration::from_secs(5);
/// Or this many documents.
const INTERVAL_DOCS: u64 = 250_000;
/// How long the final checkpoint of a cancelled run may take: nobody waits for a peer that is gone.
const FINAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The low-water mark, and what was done up to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) seq: Option<Box<str>>,
    pub(crate) missing_checked: u64,
    pub(crate) missing_found: u64,
    pub(crate) docs_read: u64,
    pub(crate) docs_written: u64,
    pub(crate) doc_write_failures: u64,
}

impl Mark {
    pub(crate) fn counted(progress: &Progress) -> Mark {
        Mark {
            seq: None,
            missing_checked: progress.revisions_checked,
            missing_found: progress.missing_revisions_found,
            docs_read: progress.docs_read,
            docs_written: progress.docs_written,
            doc_write_failures: progress.doc_write_failures,
        }
    }
}

/// Reads and writes the checkpoints of one attempt.
pub(crate) struct Checkpointer {
    source: Side,
    target: Side,
    replication_id: String,
    session_id: String,
    writes: bool,
    start_time: SystemTime,
    start_seq: Option<Box<str>>,
    recorded_seq: Option<Box<str>>,
    /// This run's entry, once it is recorded.
    newest: Option<replication_log::Entry>,
    /// Entries of earlier runs, newest first, as JSON text.
    older: Vec<String>,
}

struct Side {
    peer: Arc<dyn Peer>,
    begun: crate::peer::PeerInfo,
    number: u64,
    /// The peer does not let us write local documents; the replication goes on without.
    refuses: bool,
}

impl Side {
    async fn put(&mut self, replication_id: &str, body: &str) -> Result<(), PeerError> {
        if self.refuses {
            return Ok(());
        }
        match self
            .peer
            .put_replication_log(replication_id, self.number, body)
            .await
        {
            Ok(number) => self.number = number,
            Err(error) if matches!(error.kind, PeerErrorKind::Forbidden | PeerErrorKind::Unauthorized) => {
                tracing::warn!(%error, "no checkpoint can be kept there; the next run may start from the beginning");
                self.refuses = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn commit(&self) -> Result<(), PeerError> {
        let now = match self.peer.ensure_full_commit().await {
            // Someone who may only read may not commit either, and has nothing to commit.
            Err(error) if matches!(error.kind, PeerErrorKind::Forbidden | PeerErrorKind::Unauthorized) => {
                return Ok(());
            }
            now => now?,
        };
        same_incarnation(&self.peer.label(), &self.begun, &now)
    }
}

impl Checkpointer {
    /// Reads both ends' logs and compares them.
    pub(crate) async fn open(
        source: Arc<dyn Peer>,
        target: Arc<dyn Peer>,
        ends: &Ends,
        spec: &Spec,
        session_id: &str,
    ) -> Result<Checkpointer, PeerError> {
        let (source_log, target_log) = tokio::join!(
            source.replication_log(&ends.replication_id),
            target.replication_log(&ends.replication_id)
        );
        let (source_log, target_log) = (source_log?, target_log?);
        let number = |log: &Option<StoredLog>| log.as_ref().map_or(0, |log| log.number);
        let (source_number, target_number) = (number(&source_log), number(&target_log));
        // A checkpoint that makes no sense is as good as none.
        let parsed = |log: Option<StoredLog>| {
            log.and_then(|log| replication_log::parse(log.json.as_bytes()).ok())
                .unwrap_or_default()
        };
        let (source_log, target_log) = (parsed(source_log), parsed(target_log));
        let alone = target_alone(&source_log.log, &target_log, &ends.source.update_seq);
        let common_seq = common_seq(&source_log.log, &target_log.log).or(alone);
        let kept = match &common_seq {
            Some(_) if source_log.log.session_id.is_empty() => target_log,
            Some(_) => source_log,
            None => replication_log::StoredLog::default(),
        };
        let mut older = kept.history;
        if kept.log.session_id.as_ref() == session_id {
            // An earlier attempt of this run; its entry is written anew.
            older.drain(..1.min(older.len()));
        }
        let side = |peer, begun: &crate::peer::PeerInfo, number| Side {
            peer,
            begun: begun.clone(),
            number,
            refuses: false,
        };
        Ok(Checkpointer {
            source: side(source, &ends.source, source_number),
            target: side(target, &ends.target, target_number),
            replication_id: ends.replication_id.clone(),
            session_id: session_id.to_owned(),
            writes: spec.use_checkpoints.unwrap_or(true),
            start_time: SystemTime::now(),
            start_seq: None,
            recorded_seq: common_seq,
            newest: None,
            older,
        })
    }

    /// The source seq that both ends know to be replicated.
    pub(crate) fn recorded_seq(&self) -> Option<Box<str>> {
        self.recorded_seq.clone()
    }

    /// Tells where the attempt really starts.
    pub(crate) fn starts_at(&mut self, seq: Option<Box<str>>) {
        self.start_seq = seq;
    }

    /// History entries as recorded, newest first.
    pub(crate) fn into_history(self) -> Vec<String> {
        let newest = self.newest.map(|entry| {
            let mut text = Vec::new();
            replication_log::write_entry(&mut text, &entry);
            String::from_utf8_lossy(&text).into_owned()
        });
        newest.into_iter().chain(self.older).collect()
    }

    /// Records the mark as it moves, until `stop`; then records it a last time.
    pub(crate) async fn follow(
        &mut self,
        mut marks: watch::Receiver<Mark>,
        stop: &CancellationToken,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), PeerError> {
        let mut due: Option<Instant> = None;
        let mut interval = FIRST_AFTER;
        let mut recorded_docs = marks.borrow().docs_written;
        loop {
            let pause = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let now = tokio::select! {
                () = stop.cancelled() => break,
                () = pause => true,
                changed = marks.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    due = due.or_else(|| Some(Instant::now() + interval));
                    marks.borrow().docs_written.saturating_sub(recorded_docs) >= INTERVAL_DOCS
                }
            };
            if now {
                let mark = marks.borrow_and_update().clone();
                recorded_docs = mark.docs_written;
                tokio::select! {
                    recorded = self.record(&mark, progress) => recorded?,
                    // The last one has a time limit.
                    () = stop.cancelled() => break,
                }
                due = None;
                interval = INTERVAL;
            }
        }
        let mark = marks.borrow_and_update().clone();
        match tokio::time::timeout(FINAL_TIMEOUT, self.record(&mark, progress)).await {
            Ok(recorded) => recorded,
            Err(_) => Err(PeerError::new(
                self.target.peer.label(),
                PeerErrorKind::Unavailable,
                "the final checkpoint took too long",
            )),
        }
    }

    /// Makes the target durable and records the mark at both ends, unless it has not moved.
    async fn record(&mut self, mark: &Mark, progress: &watch::Sender<Progress>) -> Result<(), PeerError> {
        let Some(seq) = &mark.seq else { return Ok(()) };
        if !self.writes || self.recorded_seq.as_ref() == Some(seq) {
            return Ok(());
        }
        // A Trunkline's checkpoint is durable together with everything before it, and bears its incarnation in its name.
        let source = async {
            match self.source.begun.kind {
                PeerKind::Trunkline => Ok(()),
                _ => self.source.commit().await,
            }
        };
        let (target, source) = tokio::join!(self.target.commit(), source);
        target.and(source)?;
        let newest = self.entry(mark, seq);
        let knew = self.source.refuses;
        let body = self.body(&newest);
        let (target, source) = tokio::join!(
            self.target.put(&self.replication_id, &body),
            self.source.put(&self.replication_id, &body)
        );
        target.and(source)?;
        if self.source.refuses && !knew {
            let body = self.body(&newest);
            self.target.put(&self.replication_id, &body).await?;
        }
        self.recorded_seq = Some(seq.clone());
        self.newest = Some(newest);
        progress.send_modify(|progress| progress.checkpointed_source_seq = Some(seq.to_string()));
        Ok(())
    }

    fn body(&self, newest: &replication_log::Entry) -> String {
        let mut body = Vec::new();
        let older = self.older.iter().map(String::as_str);
        replication_log::write(&mut body, newest, self.source.refuses, older);
        String::from_utf8_lossy(&body).into_owned()
    }

    fn entry(&self, mark: &Mark, seq: &str) -> replication_log::Entry {
        replication_log::Entry {
            session_id: self.session_id.clone(),
            start_time: httpdate::fmt_http_date(self.start_time),
            end_time: httpdate::fmt_http_date(SystemTime::now()),
            start_last_seq: self.start_seq.as_deref().unwrap_or("0").to_owned(),
            end_last_seq: seq.to_owned(),
            missing_checked: mark.missing_checked,
            missing_found: mark.missing_found,
            docs_read: mark.docs_read,
            docs_written: mark.docs_written,
            doc_write_failures: mark.doc_write_failures,
        }
    }
}

/// As [`trunkline_core::checkpoint::common_seq`]; but when both logs end with the same run, the lower of their seqs
/// counts where numbers can be seen in them: the end with the lower one may have been restored from a backup.
fn common_seq(source: &ReplicationLog, target: &ReplicationLog) -> Option<Box<str>> {
    let common = trunkline_core::checkpoint::common_seq(source, target)?;
    if source.session_id == target.session_id
        && let (Some(ours), Some(theirs)) = (number(&common), number(&target.source_last_seq))
        && theirs < ours
    {
        return Some(target.source_last_seq.clone());
    }
    Some(common)
}

/// The number that a seq starts with, in those that show one.
fn number(seq: &str) -> Option<u64> {
    let digits = seq.trim_start_matches('"');
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

/// The seq in the target's log, where the source has none because it let nobody write one, and has not visibly gone back
/// since. The log cannot claim more than the target has, whatever becomes of the target: it is restored and deleted
/// with it.
fn target_alone(
    source: &ReplicationLog,
    target: &replication_log::StoredLog,
    update_seq: &str,
) -> Option<Box<str>> {
    let seq = &target.log.source_last_seq;
    let alone = target.source_refused && source.session_id.is_empty() && !seq.is_empty();
    let gone_back = matches!((number(update_seq), number(seq)), (Some(now), Some(then)) if now < then);
    (alone && !gone_back).then(|| seq.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(session_id: &str, seq: &str) -> ReplicationLog {
        ReplicationLog {
            session_id: session_id.into(),
            source_last_seq: seq.into(),
            history: Vec::new(),
        }
    }

    #[test]
    fn an_end_restored_from_a_backup_sets_both_back() {
        let common = |ours, theirs| common_seq(&log("s", ours), &log("s", theirs)).unwrap();
        assert_eq!(&*common("\"90-aa\"", "\"100-aa\""), "\"90-aa\"");
        assert_eq!(&*common("\"100-aa\"", "\"90-aa\""), "\"90-aa\"");
        assert_eq!(&*common("100", "7"), "7");
        assert_eq!(&*common("[1,2]", "[1,3]"), "[1,2]");
        assert!(common_seq(&log("s", "1"), &log("t", "1")).is_none());
    }

    #[test]
    fn a_log_at_the_target_alone_counts_only_when_the_source_takes_none() {
        let alone = |source_refused, source, update_seq| {
            let log = log("s", "\"90-aa\"");
            let target = replication_log::StoredLog {
                log,
                source_refused,
                history: Vec::new(),
            };
            target_alone(&source, &target, update_seq).is_some()
        };
        let none = ReplicationLog::default;
        assert!(alone(true, none(), "\"90-aa\""));
        assert!(alone(true, none(), "[7]"));
        assert!(!alone(false, none(), "\"99-aa\""));
        assert!(!alone(true, log("t", "1"), "\"99-aa\""));
        assert!(!alone(true, none(), "\"89-aa\""));
    }
}
