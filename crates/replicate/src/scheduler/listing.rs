//! Documents of `_replicator` databases with what became of them.

use super::definition::Definition;
use super::documents::ended;
use super::job::{Job, JobState, Origin};
use super::{Node, Replications};
use std::ops::ControlFlow;
use trunkline_core::db_name::DbName;
use trunkline_store::{DocsScan, Error};
use trunkline_wire::replication::Asked;
use trunkline_wire::seq::parse_time;

/// A document that is a replication.
#[derive(Clone, Debug)]
pub struct ReplicationDoc {
    /// Its database.
    pub database: DbName,
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: JobState,
    /// Its job, while there is one.
    pub job: Option<Box<Job>>,
    /// Its job's id, where one could be made.
    pub job_id: Option<String>,
    /// Source, without credentials.
    pub source: Option<String>,
    /// Target, without credentials.
    pub target: Option<String>,
    /// When it came to its end, ms since 1970.
    pub ended_ms: Option<u64>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Its counters at the end; JSON text.
    pub stats: Option<String>,
}

impl Replications {
    /// Shows every document of a `_replicator` database in the order of ids. Blocks.
    pub fn documents(&self, database: &DbName, show: &mut dyn FnMut(ReplicationDoc)) -> Result<(), Error> {
        let opened = self.node().store.database(database)?;
        let mut scan = DocsScan {
            start: None,
            after_start: false,
            end: None,
            inclusive_end: true,
            descending: false,
            bodies: true,
            limit: usize::MAX,
        };
        loop {
            let end = opened.all_docs(&scan, &mut |row| {
                if let (Some(winner), false) = (&row.winner, row.id.starts_with("_design/")) {
                    show(shown(self.node(), database, row.id, winner.body));
                }
                ControlFlow::Continue(())
            })?;
            if end.done || end.last.is_none() {
                return Ok(());
            }
            scan.start = end.last;
            scan.after_start = true;
        }
    }

    /// One of them; `None` when there is no such document. Blocks.
    pub fn document(&self, database: &DbName, id: &str) -> Result<Option<ReplicationDoc>, Error> {
        let leaf = self.node().store.database(database)?.get(id, None)?;
        let leaf = leaf.filter(|leaf| !leaf.deleted && !id.starts_with("_design/"));
        Ok(leaf.map(|leaf| shown(self.node(), database, id, leaf.body.as_str())))
    }

    /// The document whose replication of this id has ended, with its definition. Blocks.
    pub(super) fn ended_document(&self, job: &str) -> Option<(Origin, Definition)> {
        let databases = self.node().store.names();
        let databases = databases.into_iter().filter(super::documents::is_replicator);
        for database in databases {
            let mut found = None;
            let looked = self.documents(&database, &mut |doc| {
                if doc.job_id.as_deref() == Some(job) && doc.job.is_none() && doc.state == JobState::Completed
                {
                    found = Some(doc.id);
                }
            });
            let (Ok(()), Some(id)) = (looked, found) else {
                continue;
            };
            let leaf = self
                .node()
                .store
                .database(&database)
                .ok()?
                .get(&id, None)
                .ok()??;
            let definition = Definition::parse(leaf.body.as_str()).ok()?;
            return Some((Origin::Document { database, id }, definition));
        }
        None
    }
}

fn shown(node: &Node, database: &DbName, id: &str, body: &str) -> ReplicationDoc {
    let mut doc = ReplicationDoc {
        database: database.clone(),
        id: id.to_owned(),
        state: JobState::Initializing,
        job: None,
        job_id: None,
        source: None,
        target: None,
        ended_ms: None,
        reason: None,
        stats: None,
    };
    if let Some(job) = node.of_document(database, id) {
        let job = job.snapshot();
        doc.state = job.state;
        doc.job_id = Some(job.id.clone());
        doc.source = Some(job.source.clone());
        doc.target = Some(job.target.clone());
        doc.reason.clone_from(&job.error);
        doc.job = Some(Box::new(job));
        return doc;
    }
    let asked = match Asked::parse(body) {
        Ok(asked) => asked,
        Err(invalid) => {
            doc.state = JobState::Failed;
            doc.reason = Some(invalid.reason);
            return doc;
        }
    };
    if let Some(state) = ended(&asked) {
        doc.state = state;
        doc.ended_ms = asked.state_time.as_deref().and_then(parse_time);
        doc.reason.clone_from(&asked.state_reason);
        doc.job_id.clone_from(&asked.state_id);
        doc.stats.clone_from(&asked.stats);
    }
    if let Ok(definition) = Definition::from_asked(asked) {
        doc.source = Some(definition.source.label());
        doc.target = Some(definition.target.label());
        doc.job_id.get_or_insert_with(|| definition.job_id());
    }
    doc
}
