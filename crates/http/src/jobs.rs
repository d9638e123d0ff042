//! Replications as `_scheduler` and `_active_tasks` spell them. No credentials are in what this is given.

use serde_json::{Map, Value, json};
use trunkline_replicate::{HistoryEntry, Job, JobState, Origin, ReplicationDoc};
use trunkline_wire::replication::{Failure, rfc3339};

/// The node name in rows: that of a single CouchDB.
pub(crate) const NODE: &str = "nonode@nohost";
/// Stands where CouchDB names an Erlang process.
const PID: &str = "<0.0.0>";
/// Refused documents that a task row shows, the newest: enough to see what is wrong.
const REFUSED_SHOWN: usize = 10;

/// A seq as it is.
fn seq(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null)
}

/// Database and document that a job came from.
fn origin(job: &Job) -> (Option<&str>, Option<&str>) {
    match &job.origin {
        Origin::Document { database, id } => (Some(database.as_str()), Some(id.as_str())),
        _ => (None, None),
    }
}

/// A row of `_active_tasks`.
pub(crate) fn task(job: &Job, now: u64) -> Value {
    let (database, doc_id) = origin(job);
    let refused = job.progress.refused.iter().rev().take(REFUSED_SHOWN);
    let refused =
        refused.map(|doc| json!({ "id": doc.id, "rev": doc.rev, "error": doc.error, "reason": doc.reason }));
    let mut row = json!({
        "node": NODE,
        "pid": PID,
        "type": "replication",
        "replication_id": job.id,
        "doc_id": doc_id,
        "database": database,
        "user": null,
        "source": job.source,
        "target": job.target,
        "continuous": job.continuous,
        "started_on": job.started_ms / 1000,
        "updated_on": now,
        "waiting_for": job.progress.waiting_for,
        "refused": refused.collect::<Vec<_>>(),
    });
    add(&mut row, info(job));
    row
}

/// CouchDB's counters, and what tells whether all is well.
pub(crate) fn info(job: &Job) -> Map<String, Value> {
    let progress = &job.progress;
    let mut info = json!({
        "revisions_checked": progress.revisions_checked,
        "missing_revisions_found": progress.missing_revisions_found,
        "docs_read": progress.docs_read,
        "docs_written": progress.docs_written,
        "doc_write_failures": progress.doc_write_failures,
        "changes_pending": progress.changes_pending,
        "source_seq": seq(progress.source_seq.as_deref()),
        "through_seq": seq(progress.through_seq.as_deref()),
        "checkpointed_source_seq": seq(progress.checkpointed_source_seq.as_deref()),
        "lag_seconds": job.lag_ms as f64 / 1000.0,
        "lag_known": progress.lag_known,
        "docs_per_second": (job.docs_per_second * 10.0).round() / 10.0,
        "last_success": progress.last_success_ms.map(rfc3339),
        "last_error": progress.last_error,
        "degraded": job.failures > 0,
        "failures": job.failures,
    });
    if let (Some(error), Some(info)) = (&job.error, info.as_object_mut()) {
        info.insert("error".to_owned(), json!(error));
    }
    match info {
        Value::Object(info) => info,
        _ => Map::new(),
    }
}

/// A row of `_scheduler/jobs`.
pub(crate) fn job(job: &Job) -> Value {
    let (database, doc_id) = origin(job);
    json!({
        "id": job.id,
        "database": database,
        "doc_id": doc_id,
        "pid": PID,
        "node": NODE,
        "user": null,
        "source": job.source,
        "target": job.target,
        "state": job.state.name(),
        "error_count": job.error_count,
        "start_time": rfc3339(job.started_ms),
        "history": job.history.iter().map(history).collect::<Vec<_>>(),
        "info": info(job),
    })
}

fn history(entry: &HistoryEntry) -> Value {
    let mut row = json!({ "timestamp": rfc3339(entry.time_ms), "type": entry.kind });
    if let (Some(reason), Some(row)) = (&entry.reason, row.as_object_mut()) {
        row.insert("reason".to_owned(), json!(reason));
    }
    row
}

/// A row of `_scheduler/docs`.
pub(crate) fn doc(doc: &ReplicationDoc) -> Value {
    let job = doc.job.as_deref();
    let info = match (job, &doc.reason, &doc.stats) {
        (Some(job), _, _) => Value::Object(info(job)),
        (None, Some(reason), _) => json!({ "error": reason }),
        (None, None, stats) => seq(stats.as_deref()),
    };
    let ended = doc.ended_ms.map(rfc3339);
    let [source_proxy, target_proxy] = job.map_or([None, None], |job| job.proxies.clone());
    json!({
        "database": doc.database.as_str(),
        "doc_id": doc.id,
        "id": doc.job_id.as_ref().filter(|_| doc.state != JobState::Failed),
        "node": NODE,
        "source": doc.source,
        "target": doc.target,
        "source_proxy": source_proxy,
        "target_proxy": target_proxy,
        "state": doc.state.name(),
        "info": info,
        "error_count": job.map_or(u32::from(doc.state == JobState::Failed), |job| job.error_count),
        "last_updated": job.map(|job| rfc3339(job.updated_ms)).or_else(|| ended.clone()),
        "start_time": job.map(|job| rfc3339(job.started_ms)).or(ended),
    })
}

/// One document that did not get to a target.
pub(crate) fn failure(failure: &Failure) -> Value {
    json!({
        "id": failure.id,
        "rev": failure.rev,
        "error": failure.error,
        "reason": failure.reason,
        "time": rfc3339(failure.time_ms),
        "attempts": failure.attempts,
    })
}

fn add(row: &mut Value, members: Map<String, Value>) {
    if let Some(row) = row.as_object_mut() {
        row.extend(members);
    }
}
