//! One-way replication from a source [`Peer`] to a target [`Peer`]; push and pull differ only in which is local.
//!
//! A run reads checkpoints on both sides, starts from the seq they agree on, and moves batches through a pipeline
//! of stages (changes, revs_diff, bulk_get, bulk_docs) joined by channels that are bounded in bytes. A batch that is
//! durable at the target enters a low-water mark, and only that is ever recorded as a checkpoint.

mod backoff;
mod checkpoint;
mod http;
mod local;
mod pace;
pub mod peer;
pub mod pem;
mod scheduler;
mod session;
mod snapshot;
mod threads;
mod turns;
mod unsent;
mod verify;

pub use http::{ConnectOptions, HttpOptions, HttpPeer, TlsNames, explain_tls};
pub use local::{FilterMaker, LocalFilter, LocalPeer, Takes};
pub use peer::{Peer, PeerError, PeerErrorKind};
pub use scheduler::{
    Askers, Became, Definition, Endpoint, Event, EventKind, Events, FailureList, HistoryEntry, Holder,
    InvalidDefinition, Job, JobState, Origin, ReplicationDoc, Replications, Retried, Secrets, Tls,
    is_replicator,
};
pub use session::{AttachmentMode, ContentsFirst, Progress, RefusedDoc, Report, SourceFilter, Spec, run};
pub use snapshot::{SnapshotPeer, Taken, take_snapshot};
pub use threads::{Threads, commit};
pub use turns::Turns;
pub use unsent::{Counted, Share, Unsent};
pub use verify::{Difference, Verified, verify};

/// What a simulation of many replications shares with the real ones.
#[doc(hidden)]
pub mod policy {
    pub use crate::backoff::Backoff;
    pub use crate::checkpoint::INTERVAL as CHECKPOINT_INTERVAL;
}
