//! One job: what it is, and what its task last told.

use super::definition::Definition;
use super::failures::Failures;
use super::now_ms;
use super::rate::Rate;
use crate::session::Progress;
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::db_name::DbName;
use trunkline_core::rev::Rev;

/// Entries that a job's history keeps: CouchDB's `max_history`.
const HISTORY_MAX: usize = 20;

/// What a job came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A request (`_replicate`): it ends with the process.
    Transient,
    /// The program that embeds the store.
    Library,
    /// A document of a `_replicator` database.
    Document {
        /// The database.
        database: DbName,
        /// The document.
        id: String,
    },
}

impl Origin {
    /// What a job with this id is called: `database/id` of its document, or the id.
    pub fn named(&self, job: &str) -> String {
        match self {
            Origin::Document { database, id } => format!("{}/{id}", database.as_str()),
            Origin::Transient | Origin::Library => job.to_owned(),
        }
    }
}

/// Where a job is on its way: CouchDB's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Its document was seen and not read yet.
    Initializing,
    /// It cannot start for now (a secret is missing, another job does the same), and will try again.
    Error,
    /// It waits for its turn to start.
    Pending,
    /// It runs.
    Running,
    /// It failed for now, and will try again.
    Crashing,
    /// It came to its end.
    Completed,
    /// It is no use to try again.
    Failed,
}

impl JobState {
    /// Its name, as documents and answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Initializing => "initializing",
            JobState::Error => "error",
            JobState::Pending => "pending",
            JobState::Running => "running",
            JobState::Crashing => "crashing",
            JobState::Completed => "completed",
            JobState::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn of_name(name: &str) -> Option<JobState> {
        use JobState::{Completed, Crashing, Error, Failed, Initializing, Pending, Running};
        [Initializing, Error, Pending, Running, Crashing, Completed, Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// An entry of a job's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When, ms since 1970.
    pub time_ms: u64,
    /// `added`, `started` or `crashed`.
    pub kind: &'static str,
    /// Why it crashed.
    pub reason: Option<String>,
}

/// A job as others see it. No credentials are in it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names the job: hex digest of both ends' addresses and the filter (with `+continuous` where it is), known before
    /// either end was reached.
    pub id: String,
    /// Source, without credentials.
    pub source: String,
    /// Target, without credentials.
    pub target: String,
    /// Proxies to source and target, without credentials.
    pub proxies: [Option<String>; 2],
    /// Whether it is continuous.
    pub continuous: bool,
    /// What it came from.
    pub origin: Origin,
    /// When it started, ms since 1970.
    pub started_ms: u64,
    /// When its state last changed, ms since 1970.
    pub updated_ms: u64,
    /// Its state.
    pub state: JobState,
    /// Failed attempts in a row.
    pub error_count: u32,
    /// Why the last attempt failed; `None` once one got through.
    pub error: Option<String>,
    /// What happened to it, newest first.
    pub history: Vec<HistoryEntry>,
    /// Documents on its list of failures; while there are any, the job is degraded.
    pub failures: u64,
    /// For how long the target has lacked changes, or has not been known to lack none, in ms; 0 while it is known to.
    pub lag_ms: u64,
    /// Documents written in a second, over the last minute.
    pub docs_per_second: f64,
    /// Its counters.
    pub progress: Progress,
}

/// What the node keeps of a job.
pub(super) struct Entry {
    /// Tells it from others of the same id.
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) origin: Origin,
    /// Of its document.
    pub(super) rev: Option<Rev>,
    pub(super) definition: Definition,
    pub(super) started_ms: u64,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) live: Mutex<Live>,
    pub(super) failures: Failures,
    pub(super) cancel: CancellationToken,
    pub(super) ended: CancellationToken,
    /// Another one that must have ended first.
    pub(super) after: Option<CancellationToken>,
}

/// The part of it that changes.
pub(super) struct Live {
    pub(super) state: JobState,
    pub(super) error_count: u32,
    pub(super) error: Option<String>,
    pub(super) updated_ms: u64,
    history: VecDeque<HistoryEntry>,
    pub(super) rate: Rate,
}

impl Live {
    pub(super) fn new(state: JobState, error: Option<String>) -> Live {
        let mut live = Live {
            state,
            error_count: 0,
            error,
            updated_ms: now_ms(),
            history: VecDeque::new(),
            rate: Rate::default(),
        };
        live.happened("added", None);
        live
    }

    /// Notes a state, and what led to it.
    pub(super) fn becomes(&mut self, state: JobState, error: Option<String>, failed: u32) {
        let now = now_ms();
        if state == JobState::Running && self.state != JobState::Running {
            self.happened("started", None);
        }
        if failed > self.error_count {
            self.happened("crashed", error.clone());
        }
        if self.state != state || self.error != error {
            self.updated_ms = now;
        }
        self.state = state;
        self.error_count = failed;
        self.error = error;
    }

    fn happened(&mut self, kind: &'static str, reason: Option<String>) {
        self.history.truncate(HISTORY_MAX - 1);
        self.history.push_front(HistoryEntry {
            time_ms: now_ms(),
            kind,
            reason,
        });
    }
}

impl Entry {
    pub(super) fn snapshot(&self) -> Job {
        let now = now_ms();
        let progress = self.progress.borrow().clone();
        let live = self.live.lock();
        let behind_since = match progress.last_success_ms {
            Some(_) => progress.behind_since_ms,
            // Nothing is known yet.
            None => progress.behind_since_ms.or(Some(self.started_ms)),
        };
        // None is only where nothing is lacking.
        let lag_ms = behind_since.map_or(0, |since| now.saturating_sub(since).max(1));
        Job {
            id: self.id.clone(),
            source: self.definition.source.label(),
            target: self.definition.target.label(),
            proxies: [
                self.definition.source.proxy_label(),
                self.definition.target.proxy_label(),
            ],
            continuous: self.definition.spec.continuous,
            origin: self.origin.clone(),
            started_ms: self.started_ms,
            updated_ms: live.updated_ms,
            state: live.state,
            error_count: live.error_count,
            error: live.error.clone(),
            history: live.history.iter().cloned().collect(),
            failures: self.failures.count(),
            lag_ms,
            docs_per_second: live.rate.per_second(now, progress.docs_written),
            progress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_states() {
        assert_eq!(JobState::of_name("crashing"), Some(JobState::Crashing));
        assert_eq!(JobState::of_name("x"), None);
    }

    #[test]
    fn history_is_bounded_and_newest_first() {
        let mut live = Live::new(JobState::Pending, None);
        live.becomes(JobState::Running, None, 0);
        for failed in 1..30 {
            live.becomes(JobState::Crashing, Some(failed.to_string()), failed);
        }
        let crashed = live.history.front().unwrap();
        assert_eq!((crashed.kind, crashed.reason.as_deref()), ("crashed", Some("29")));
        assert_eq!(live.history.len(), HISTORY_MAX);
        live.becomes(JobState::Running, None, 0);
        assert_eq!(live.history.front().unwrap().kind, "started");
        assert_eq!((live.error_count, live.error), (0, None));
    }
}
