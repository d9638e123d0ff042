//! What runs in the background, as `_active_tasks` lists it.

use crate::app::App;
use crate::jobs::{self, NODE};
use crate::views::Pass;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

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
        .map(|job| jobs::task(job, now))
        .chain(compactions)
        .chain(app.views.passes().iter().map(|pass| indexer(pass, now)))
        .collect()
}

/// A pass over an index.
fn indexer(pass: &Pass, now: u64) -> Value {
    let done = pass.index.pass().unwrap_or_default().min(pass.total);
    json!({
        "node": NODE,
        "pid": "<0.0.0>",
        "type": if pass.compacts { "view_compaction" } else { "indexer" },
        "database": pass.database,
        "design_document": pass.design,
        "changes_done": done,
        "total_changes": pass.total,
        "progress": (done * 100).checked_div(pass.total).unwrap_or(0),
        "started_on": pass.started,
        "updated_on": now,
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

/// Since 1970.
pub(crate) fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
