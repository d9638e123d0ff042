//! Checkpoints: where both ends agree that a replication has got to.
//!
//! A checkpoint is written to the target first made durable, then to both ends; it never passes the low-water mark. A
//! target that exchanges takes it in a commit of documents (`ride`).

mod id;
mod ride;

pub(crate) use id::{Ends, digest};

use crate::peer::{Peer, PeerError, PeerErrorKind, PeerInfo, PeerKind, StoredLog};
use crate::session::{Progress, Spec};
use id::same_incarnation;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;
use trunkline_core::checkpoint::ReplicationLog;
use trunkline_wire::replication_log::{self, Entry};

/// The first checkpoint of a run that goes on follows its first batch this closely: short-lived links get somewhere.
const FIRST_AFTER: Duration = Duration::from_millis(500);
/// From then on, at most this much work is done again after a crash.
pub const INTERVAL: Duration = Duration::from_secs(5);
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
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    ends: Arc<Ends>,
    session_id: String,
    writes: bool,
    interval: Duration,
    start_time: SystemTime,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    source: Log,
    target: Log,
    mark: Mark,
    start_seq: Option<Box<str>>,
    /// The target's log was believed without the source's.
    alone: bool,
    /// What both ends recorded.
    recorded_seq: Option<Box<str>>,
    recorded_docs: u64,
    /// When the newest checkpoint was written, at the target at least.
    last: Option<Instant>,
    /// When the mark is to be recorded, if it has moved.
    due: Option<Instant>,
    /// A checkpoint is under way together with documents.
    rides: bool,
    /// One that came to the target so, and is not at the source yet.
    rode: Option<Entry>,
    /// This run's entry, once it is recorded.
    newest: Option<Entry>,
    /// Entries of earlier runs, newest first, as JSON text.
    older: Vec<String>,
}

/// One end's log.
#[derive(Default)]
struct Log {
    number: u64,
    /// The peer does not let us write local documents; the replication goes on without.
    refuses: bool,
}

impl Checkpointer {
    /// Reads both ends' logs and compares them.
    pub(crate) async fn open(
        source: Arc<dyn Peer>,
        target: Arc<dyn Peer>,
        ends: Arc<Ends>,
        spec: &Spec,
        session_id: &str,
    ) -> Result<Checkpointer, PeerError> {
        let (source_log, target_log) = tokio::join!(
            source.replication_log(&ends.replication_id),
            target.replication_log(&ends.replication_id)
        );
        let (source_log, target_log) = (source_log?, target_log?);
        let log = |log: &Option<StoredLog>| Log {
            number: log.as_ref().map_or(0, |log| log.number),
            refuses: false,
        };
        let mut state = State {
            source: log(&source_log),
            target: log(&target_log),
            ..State::default()
        };
        // A checkpoint that makes no sense is as good as none.
        let parsed = |log: Option<StoredLog>| {
            log.and_then(|log| replication_log::parse(log.json.as_bytes()).ok())
                .unwrap_or_default()
        };
        let (source_log, target_log) = (parsed(source_log), parsed(target_log));
        let alone = target_alone(&source_log.log, &target_log, &ends.source.update_seq);
        state.alone = alone.is_some();
        state.recorded_seq = common_seq(&source_log.log, &target_log.log).or(alone);
        let kept = match &state.recorded_seq {
            Some(_) if source_log.log.session_id.is_empty() => target_log,
            Some(_) => source_log,
            None => replication_log::StoredLog::default(),
        };
        state.older = kept.history;
        if kept.log.session_id.as_ref() == session_id {
            // An earlier attempt of this run; its entry is written anew.
            state.older.drain(..1.min(state.older.len()));
        }
        Ok(Checkpointer {
            source,
            target,
            ends,
            session_id: session_id.to_owned(),
            writes: spec.use_checkpoints.unwrap_or(true),
            interval: spec.checkpoint_interval.unwrap_or(INTERVAL),
            start_time: SystemTime::now(),
            state: Mutex::new(state),
        })
    }

    /// The source seq that both ends know to be replicated.
    pub(crate) fn recorded_seq(&self) -> Option<Box<str>> {
        self.state.lock().recorded_seq.clone()
    }

    /// Tells where the attempt really starts, and what earlier ones of the run did.
    pub(crate) fn starts_at(&self, mark: Mark) {
        let mut state = self.state.lock();
        state.recorded_docs = mark.docs_written;
        state.start_seq.clone_from(&mark.seq);
        state.mark = mark;
    }

    /// History entries as recorded, newest first.
    pub(crate) fn history(&self) -> Vec<String> {
        let state = self.state.lock();
        let newest = state.newest.as_ref().map(|entry| {
            let mut text = Vec::new();
            replication_log::write_entry(&mut text, entry);
            String::from_utf8_lossy(&text).into_owned()
        });
        newest.into_iter().chain(state.older.iter().cloned()).collect()
    }

    /// The mark moved.
    pub(crate) fn moved(&self, mark: Mark) {
        if !self.writes {
            return;
        }
        let mut state = self.state.lock();
        let now = Instant::now();
        let much = mark.docs_written.saturating_sub(state.recorded_docs) >= INTERVAL_DOCS;
        let after = match state.last {
            None => self.interval.min(FIRST_AFTER),
            Some(_) => self.interval,
        };
        let due = if much { now } else { now + after };
        state.due = Some(state.due.map_or(due, |was| was.min(due)));
        state.mark = mark;
    }

    /// When to call [`Checkpointer::record`] next, if ever.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.state.lock().due
    }

    /// Records the mark a last time.
    pub(crate) async fn record_last(&self, progress: &watch::Sender<Progress>) -> Result<(), PeerError> {
        self.state.lock().rides = false;
        let recorded = async {
            self.record(progress).await?;
            // What rode with documents went first.
            self.record(progress).await
        };
        match tokio::time::timeout(FINAL_TIMEOUT, recorded).await {
            Ok(recorded) => recorded,
            Err(_) => Err(PeerError::new(
                self.target.label(),
                PeerErrorKind::Unavailable,
                "the final checkpoint took too long",
            )),
        }
    }

    /// Makes the target durable and records the mark at both ends, unless it has not moved. What rode to the target
    /// with documents is recorded at the source instead, the rest when it is due again.
    pub(crate) async fn record(&self, progress: &watch::Sender<Progress>) -> Result<(), PeerError> {
        let (entry, rode) = {
            let mut state = self.state.lock();
            state.due = None;
            if !self.writes {
                return Ok(());
            }
            if state.rides {
                // It is on its way, and may be enough.
                state.due = Some(Instant::now() + FIRST_AFTER);
                return Ok(());
            }
            match (state.rode.take(), &state.mark.seq) {
                (Some(entry), _) => (entry, true),
                (None, Some(seq)) if state.recorded_seq.as_ref() != Some(seq) => {
                    (self.entry(&state, &state.mark, seq), false)
                }
                _ => return Ok(()),
            }
        };
        if !rode {
            self.state.lock().last = Some(Instant::now());
            self.commit().await?;
        }
        let knew = self.state.lock().source.refuses;
        let body = self.body(&entry);
        let target = async {
            match rode {
                true => Ok(()),
                false => self.put(&self.target, |state| &mut state.target, &body).await,
            }
        };
        let source = self.put(&self.source, |state| &mut state.source, &body);
        let (target, source) = tokio::join!(target, source);
        target.and(source)?;
        if self.state.lock().source.refuses && !knew {
            let body = self.body(&entry);
            self.put(&self.target, |state| &mut state.target, &body).await?;
        }
        let seq = entry.end_last_seq.clone();
        let mut state = self.state.lock();
        state.recorded_docs = state.recorded_docs.max(entry.docs_written);
        state.recorded_seq = Some(seq.as_str().into());
        state.newest = Some(entry);
        if state.mark.seq != state.recorded_seq && state.due.is_none() {
            state.due = Some(Instant::now() + self.interval);
        }
        drop(state);
        progress.send_modify(|progress| progress.checkpointed_source_seq = Some(seq));
        Ok(())
    }

    /// Fails when the target is another database by now than the attempt began with.
    pub(crate) fn same_target(&self, instance_start_time: &str) -> Result<(), PeerError> {
        same_incarnation(&self.target.label(), &self.ends.target, instance_start_time)
    }

    /// A Trunkline's checkpoint is durable together with everything before it, and bears its incarnation in its name.
    async fn commit(&self) -> Result<(), PeerError> {
        let target = async {
            match self.ends.target.exchanges {
                true => Ok(()),
                false => commit(&*self.target, &self.ends.target).await,
            }
        };
        let source = async {
            match self.ends.source.kind {
                PeerKind::Trunkline => Ok(()),
                _ => commit(&*self.source, &self.ends.source).await,
            }
        };
        let (target, source) = tokio::join!(target, source);
        target.and(source)
    }

    async fn put(
        &self,
        peer: &Arc<dyn Peer>,
        log: impl Fn(&mut State) -> &mut Log,
        body: &str,
    ) -> Result<(), PeerError> {
        let number = {
            let mut state = self.state.lock();
            let log = log(&mut state);
            if log.refuses {
                return Ok(());
            }
            log.number
        };
        let put = peer.put_replication_log(&self.ends.replication_id, number, body);
        match put.await {
            Ok(number) => log(&mut self.state.lock()).number = number,
            Err(error) if matches!(error.kind, PeerErrorKind::Forbidden | PeerErrorKind::Unauthorized) => {
                tracing::warn!(%error, "no checkpoint can be kept there; the next run may start from the beginning");
                log(&mut self.state.lock()).refuses = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn body(&self, newest: &Entry) -> String {
        let state = self.state.lock();
        let mut body = Vec::new();
        let older = state.older.iter().map(String::as_str);
        replication_log::write(&mut body, newest, state.source.refuses, older);
        String::from_utf8_lossy(&body).into_owned()
    }

    fn entry(&self, state: &State, mark: &Mark, seq: &str) -> Entry {
        Entry {
            session_id: self.session_id.clone(),
            start_time: httpdate::fmt_http_date(self.start_time),
            end_time: httpdate::fmt_http_date(SystemTime::now()),
            start_last_seq: state.start_seq.as_deref().unwrap_or("0").to_owned(),
            end_last_seq: seq.to_owned(),
            missing_checked: mark.missing_checked,
            missing_found: mark.missing_found,
            docs_read: mark.docs_read,
            docs_written: mark.docs_written,
            doc_write_failures: mark.doc_write_failures,
        }
    }
}

async fn commit(peer: &dyn Peer, begun: &PeerInfo) -> Result<(), PeerError> {
    let now = match peer.ensure_full_commit().await {
        // Someone who may only read may not commit either, and has nothing to commit.
        Err(error) if matches!(error.kind, PeerErrorKind::Forbidden | PeerErrorKind::Unauthorized) => {
            return Ok(());
        }
        now => now?,
    };
    same_incarnation(&peer.label(), begun, &now)
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
pub(crate) fn number(seq: &str) -> Option<u64> {
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
