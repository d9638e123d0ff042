//! Documents that did not get to the target, tried again or dismissed when somebody asks.

use super::failures::Failures;
use super::job::Origin;
use super::{Replications, home};
use crate::peer::{Change, Peer, PeerError, PeerErrorKind};
use crate::session::{self, Progress, RefusedDoc, Spec};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::rev::Rev;
use trunkline_wire::replication::Failure;

/// A job's list of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureList {
    /// Those that are listed, oldest first.
    pub failures: Vec<Failure>,
    /// How many there are beside them, since the list is bounded.
    pub unlisted: u64,
}

/// What became of a document that was tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retried {
    /// As it was listed.
    pub failure: Failure,
    /// What became of it.
    pub became: Became,
}

/// What became of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// The target has it.
    Written,
    /// The source has it no more; there is nothing to move.
    Gone,
    /// Refused again: error word and reason.
    Refused(String, String),
}

impl Replications {
    /// The failures of a job, which may have ended if it was a document's; `None` when there is no such job.
    pub async fn failures(&self, id: &str) -> Option<FailureList> {
        let (_, _, failures) = self.failing(id).await?;
        let (failures, unlisted) = failures.get().listed();
        Some(FailureList { failures, unlisted })
    }

    /// Tries failures of a job again: those of these documents, or all. What got through is crossed off. `None` when
    /// there is no such job.
    pub async fn retry(&self, id: &str, docs: Option<&[String]>) -> Option<Result<Vec<Retried>, PeerError>> {
        let (origin, definition, failures) = self.failing(id).await?;
        let (listed, _) = failures.get().listed();
        let wanted = |failure: &Failure| docs.is_none_or(|docs| docs.contains(&failure.id));
        let tried: Vec<Failure> = listed.into_iter().filter(wanted).collect();
        let node = Arc::clone(self.node());
        let resolving = definition.clone();
        let resolved = tokio::task::spawn_blocking(move || resolving.peers(&node, &origin)).await;
        let lost = |_| PeerError::new(id, PeerErrorKind::Unavailable, "a call was lost");
        let [source, target] = match resolved.map_err(lost).and_then(|resolved| resolved) {
            Ok(peers) => peers,
            Err(error) => return Some(Err(error)),
        };
        let (refused, gone) = match again(source, target, definition.spec, &tried).await {
            Ok(outcome) => outcome,
            Err(error) => return Some(Err(error)),
        };
        failures.get().settle(&tried, &refused);
        failures.get().save(&self.node().store).await;
        let became = |failure: Failure| {
            let is = |doc: &&RefusedDoc| doc.id == failure.id && doc.rev == failure.rev;
            let became = match refused.iter().find(is) {
                Some(doc) => Became::Refused(doc.error.clone(), doc.reason.clone()),
                None if gone.contains(&failure.id) => Became::Gone,
                None => Became::Written,
            };
            Retried { failure, became }
        };
        Some(Ok(tried.into_iter().map(became).collect()))
    }

    /// Takes failures of a job off its list without another try: those of these documents, or all; answers how many.
    /// For what will never get through, so that the job is not degraded for ever. `None` when there is no such job.
    pub async fn dismiss(&self, id: &str, docs: Option<&[String]>) -> Option<u64> {
        let (_, _, failures) = self.failing(id).await?;
        let dismissed = failures.get().dismiss(docs);
        failures.get().save(&self.node().store).await;
        Some(dismissed)
    }

    async fn failing(&self, id: &str) -> Option<(Origin, super::Definition, Failing)> {
        if let Some(job) = self.node().of_id(id) {
            return Some((job.origin.clone(), job.definition.clone(), Failing::Listed(job)));
        }
        let (asked, job) = (self.clone(), id.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let (origin, definition) = asked.ended_document(&job)?;
            let failures = Failures::new(&job, home(&origin));
            failures.load(&asked.node().store).ok()?;
            Some((origin, definition, Failing::Ended(failures)))
        });
        found.await.ok()?
    }
}

/// Moves the documents by themselves, whatever the source has of them now. Answers those refused again, and the ids of
/// those that the source has no more.
async fn again(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
    tried: &[Failure],
) -> Result<(Vec<RefusedDoc>, Vec<String>), PeerError> {
    if tried.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut ids: Vec<String> = tried.iter().map(|failure| failure.id.clone()).collect();
    ids.dedup();
    let alone = Spec {
        continuous: false,
        doc_ids: Some(ids),
        selector: None,
        filter: None,
        feed_name: None,
        since_seq: None,
        until: None,
        use_checkpoints: Some(false),
        strict: false,
        ..spec
    };
    let progress = watch::Sender::new(Progress::default());
    let report = session::run(
        source,
        Arc::clone(&target),
        alone,
        progress,
        CancellationToken::new(),
    )
    .await?;
    let moved = tried.iter().filter_map(|failure| {
        Some(Change {
            id: failure.id.as_str().into(),
            revs: vec![Rev::parse(&failure.rev).ok()?],
            odd_revs: Vec::new(),
            docs: Vec::new(),
        })
    });
    let missing = target.revs_diff(&moved.collect::<Vec<_>>()).await?;
    let gone = missing.into_iter().map(|missing| missing.id.into_string());
    Ok((report.refused, gone.collect()))
}

/// The failures of a job that runs, or of one that has ended.
enum Failing {
    Listed(Arc<super::job::Entry>),
    Ended(Failures),
}

impl Failing {
    fn get(&self) -> &Failures {
        match self {
            Failing::Listed(job) => &job.failures,
            Failing::Ended(failures) => failures,
        }
    }
}
