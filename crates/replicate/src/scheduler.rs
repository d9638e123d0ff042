//! The replications a server keeps running (in memory for now): start, list, cancel, checkpoint at shutdown.

use crate::peer::{Peer, PeerError};
use crate::session::{Progress, Report, Spec};
use std::sync::Arc;

/// All running replications of a node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {}

/// A running replication as others see it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names the job: hex digest of both ends' addresses and the filter (with `+continuous` where it is), known before
    /// either end was reached.
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

impl Scheduler {
    /// The id a job of these ends would have. No I/O: what `cancel` needs when only the request is repeated.
    pub fn job_id(_source: &dyn Peer, _target: &dyn Peer, _spec: &Spec) -> String {
        todo!()
    }
    /// Starts a continuous replication and answers its job id at once; one that already runs is left alone.
    pub fn start(&self, _source: Arc<dyn Peer>, _target: Arc<dyn Peer>, _spec: Spec) -> String {
        todo!()
    }
    /// Runs a one-shot replication to its end; it is listed while it runs, and goes on when this future is dropped.
    pub async fn run(
        &self,
        _source: Arc<dyn Peer>,
        _target: Arc<dyn Peer>,
        _spec: Spec,
    ) -> Result<Report, PeerError> {
        todo!()
    }
    /// Every job that runs now.
    pub fn jobs(&self) -> Vec<Job> {
        todo!()
    }
    /// Ends a job (by job id with or without `+continuous`, or replication id) after its final checkpoint. Answers
    /// the job id; `None` when there is no such job.
    pub async fn cancel(&self, _id: &str) -> Option<String> {
        todo!()
    }
    /// Ends all jobs, each with its final checkpoint, and takes no new ones.
    pub async fn shutdown(&self) {
        todo!()
    }
}
