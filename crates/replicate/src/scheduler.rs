//! The replications a server keeps running (in memory for now): start, list, cancel, checkpoint at shutdown.

use crate::session::Progress;

/// All running replications of a node.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {}

/// A running replication as others see it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its replication id (with `+continuous` where it is).
    pub id: String,
    /// Source, without credentials.
    pub source: String,
    /// Target, without credentials.
    pub target: String,
    /// Whether it is continuous.
    pub continuous: bool,
    /// When it started, ms since 1970.
    pub started_ms: u64,
    /// Its state now.
    pub progress: Progress,
}
