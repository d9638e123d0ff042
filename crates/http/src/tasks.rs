//! What runs in the background, as `_active_tasks` lists it.

use crate::app::App;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_replicate::Job;

/// The node name in task rows: that of a single CouchDB.
const NODE: &str = "nonode@nohost";
/// Refused documents that a task row shows, the newest: enough to see what is wrong.
const REFUSED_SHOWN: usize = 10;

/// Every task that runs now.
pub(crate) fn active(app: &App) -> Vec<Value> {
    let now = seconds();
    let compactions = app.compactions.lock();
    let compactions = compactions.iter().map(|(database, started)| {
        json!({
            "node": NODE,
            "pid": "<0.0.0>",
            "type": "database_compaction",
            "database": database,
            "started_on": started,
            "updated_on": now,
        })
    });
    app.replications
        .jobs()
        .iter()
        .map(|job| replication(job, now))
        .chain(compactions)
        .collect()
}

fn replication(job: &Job, now: u64) -> Value {
    let progress = &job.progress;
    let seq = |text: &Option<String>| -> Value {
        text.as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null)
    };
    let refused = progress.refused.iter().rev().take(REFUSED_SHOWN);
    let refused =
        refused.map(|doc| json!({ "id": doc.id, "rev": doc.rev, "error": doc.error, "reason": doc.reason }));
    json!({
        "node": NODE,
        "pid": "<0.0.0>",
        "type": "replication",
        "replication_id": job.id,
        "doc_id": null,
        "database": null,
        "user": null,
        "source": job.source,
        "target": job.target,
        "continuous": job.continuous,
        "started_on": job.started_ms / 1000,
        "updated_on": now,
        "revisions_checked": progress.revisions_checked,
        "missing_revisions_found": progress.missing_revisions_found,
        "docs_read": progress.docs_read,
        "docs_written": progress.docs_written,
        "doc_write_failures": progress.doc_write_failures,
        "changes_pending": progress.changes_pending,
        "source_seq": seq(&progress.source_seq),
        "through_seq": seq(&progress.through_seq),
        "checkpointed_source_seq": seq(&progress.checkpointed_source_seq),
        "waiting_for": progress.waiting_for,
        "last_error": progress.last_error,
        "refused": refused.collect::<Vec<_>>(),
    })
}

/// A compaction that runs; dropping it takes it off the list.
#[derive(Debug)]
pub(crate) struct Compaction {
    app: App,
    database: String,
}

impl Compaction {
    /// Lists a compaction; `None` when one of the same database runs already.
    pub(crate) fn start(app: &App, database: &str) -> Option<Compaction> {
        let mut running = app.compactions.lock();
        if running.iter().any(|(other, _)| other == database) {
            return None;
        }
        running.push((database.to_owned(), seconds()));
        drop(running);
        Some(Compaction {
            app: app.clone(),
            database: database.to_owned(),
        })
    }

    /// Whether a compaction of the database runs.
    pub(crate) fn runs(app: &App, database: &str) -> bool {
        app.compactions.lock().iter().any(|(other, _)| other == database)
    }
}

impl Drop for Compaction {
    fn drop(&mut self) {
        self.app
            .compactions
            .lock()
            .retain(|(other, _)| *other != self.database);
    }
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
