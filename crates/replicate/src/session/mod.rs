//! One run of a replication.

use crate::peer::{Peer, PeerError};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::selector::Selector;

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
    /// Where to start without a common checkpoint: a seq of the source as JSON text.
    pub since_seq: Option<String>,
    /// Only winning revisions.
    pub winning_revs_only: bool,
    /// Whether checkpoints are written (they are read in any case). `None` means yes.
    pub use_checkpoints: Option<bool>,
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
    /// Documents the target refused.
    pub doc_write_failures: u64,
    /// Changes at the source not yet handled, where known.
    pub changes_pending: Option<u64>,
    /// Source seq (JSON text) up to which changes were read.
    pub source_seq: Option<String>,
    /// Source seq (JSON text) up to which the target is durable.
    pub through_seq: Option<String>,
    /// Source seq (JSON text) of the last checkpoint.
    pub checkpointed_source_seq: Option<String>,
    /// The newest failure that was retried.
    pub last_error: Option<String>,
}

/// A document the target refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDoc {
    /// Its id.
    pub id: String,
    /// Its revision.
    pub rev: String,
    /// The target's error word.
    pub error: String,
    /// The target's reason.
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
pub async fn run(
    _source: Arc<dyn Peer>,
    _target: Arc<dyn Peer>,
    _spec: Spec,
    _progress: watch::Sender<Progress>,
    _cancel: CancellationToken,
) -> Result<Report, PeerError> {
    todo!()
}
