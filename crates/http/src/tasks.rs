//! What runs in the background, as `_active_tasks` lists it.

use crate::app::App;
use crate::feeds::Build;
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
        .chain(app.feeds.builds().iter().flat_map(|build| feeds(build, now)))
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

/// Named feeds that are being built, one after the other.
fn feeds(build: &Build, now: u64) -> Vec<Value> {
    let feeds = build.db.feeds().unwrap_or_default();
    let unbuilt = feeds.into_iter().filter(|feed| !feed.built);
    let task = unbuilt.map(|feed| {
        let done = feed.total.saturating_sub(feed.pending);
        json!({
            "node": NODE,
            "pid": "<0.0.0>",
            "type": "feed_build",
            "database": build.db.name().as_str(),
            "feed": feed.name,
            "changes_done": done,
            "total_changes": feed.total,
            "progress": (done * 100).checked_div(feed.total).unwrap_or(0),
            "started_on": build.started,
            "updated_on": now,
        })
    });
    task.collect()
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
