//! Indexes that are brought up to date behind writes, so that whoever asks a view next waits for little; named feeds,
//! too.
//!
//! Databases are looked at when they changed, never else: idle ones cost nothing here.

use crate::app::App;
use crate::error::Error;
use crate::feeds;
use crate::views::refresh;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use trunkline_core::db_name::DbName;
use trunkline_core::limits::{INDEX_BACKGROUND_PASSES_MAX, INDEX_BACKGROUND_WAIT_MS};
use trunkline_query::Opened;
use trunkline_store::DbEvent;

/// Databases that changed, each once, until somebody sees to them.
#[derive(Debug, Default)]
struct Changed {
    names: Mutex<BTreeSet<DbName>>,
    more: Notify,
}

/// Runs until the server stops.
pub(crate) async fn run(app: App) {
    let changed = Arc::new(Changed::default());
    let workers = (0..INDEX_BACKGROUND_PASSES_MAX).map(|_| work(&app, &changed));
    tokio::select! {
        () = follow(&app, &changed) => {}
        _ = futures_util::future::join_all(workers) => {}
        () = app.stopping.cancelled() => {}
    }
}

/// Notes which databases change.
async fn follow(app: &App, changed: &Changed) {
    let (_, mut since) = app.store.db_updates(u64::MAX);
    loop {
        let listener = app.store.listen();
        let (rows, last) = app.store.db_updates(since);
        since = last;
        if rows.is_empty() {
            listener.await;
            continue;
        }
        let all = rows.len();
        let live: Vec<_> = rows
            .into_iter()
            .filter(|row| row.event != DbEvent::Deleted)
            .collect();
        if live.len() < all {
            let indexes = app.views.indexes.clone();
            let closing = app.scan(move || {
                indexes.close_deleted();
                Ok(())
            });
            let _ = closing.await;
        }
        let live = live.into_iter();
        changed.names.lock().extend(live.map(|row| row.name));
        changed.more.notify_waiters();
        changed.more.notify_one();
        // Writes come in swarms: one pass for many.
        tokio::time::sleep(Duration::from_millis(INDEX_BACKGROUND_WAIT_MS)).await;
    }
}

async fn work(app: &App, changed: &Changed) {
    loop {
        let more = changed.more.notified();
        let next = changed.names.lock().pop_first();
        match next {
            Some(name) => see_to(app, &name).await,
            None => more.await,
        }
    }
}

/// Brings the feeds and indexes of one database up to date.
async fn see_to(app: &App, name: &DbName) {
    let Ok(db) = app.database(name) else { return };
    if let Err(error) = feeds::build_all(app, &db).await {
        tracing::debug!(?error, database = name.as_str(), "feeds are not built");
    }
    let opening = app.clone();
    let found = app.scan(move || {
        let indexes = &opening.views.indexes;
        let ids = indexes.designs(&db)?;
        let open = |id: String| indexes.open(&db, &id);
        // One that cannot be read is no reason to leave the others behind.
        Ok(ids
            .into_iter()
            .filter_map(|id| open(id).ok().map(Arc::new))
            .collect::<Vec<Arc<Opened>>>())
    });
    for opened in found.await.unwrap_or_default() {
        if !opened.design.autoupdate || opened.design.views.is_empty() {
            continue;
        }
        if let Err(error) = refresh(app, &opened).await {
            let database = opened.index.database().name().as_str();
            match error {
                Error::Design(_, _) | Error::Closing | Error::DatabaseMissing => {
                    tracing::debug!(?error, database, design = opened.id, "no index can be made");
                }
                error => tracing::warn!(?error, database, design = opened.id, "an index stays behind"),
            }
        }
    }
}
