//! What happens to replications, as it happens.

use crate::session::RefusedDoc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Events that wait for a slow listener; it is told how many it missed beyond.
pub(super) const EVENTS_WAITING_MAX: usize = 1024;

/// Something happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which: [`crate::Job::id`]. Empty for [`EventKind::Missed`].
    pub job: String,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It started, or found something to do again.
    Active,
    /// It waits: for changes, or, with an error, until it tries again.
    Paused {
        /// Why it could not go on.
        error: Option<String>,
    },
    /// The target took documents.
    Change {
        /// So many since the job started.
        docs_written: u64,
    },
    /// A document did not get to the target.
    Denied(RefusedDoc),
    /// It ended; with an error, not as it should.
    Complete {
        /// Why it ended early.
        error: Option<String>,
    },
    /// This listener was too slow for so many events.
    Missed(u64),
}

/// Events from the moment of asking on.
#[derive(Debug)]
pub struct Events(pub(super) broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` when there will be none.
    pub async fn next(&mut self) -> Option<Event> {
        received(self.0.recv().await)
    }

    /// The same for a thread without a runtime. Panics within one, as it would block it.
    pub fn next_blocking(&mut self) -> Option<Event> {
        received(self.0.blocking_recv())
    }
}

fn received(event: Result<Event, RecvError>) -> Option<Event> {
    match event {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(missed)) => Some(Event {
            job: String::new(),
            kind: EventKind::Missed(missed),
        }),
        Err(RecvError::Closed) => None,
    }
}
