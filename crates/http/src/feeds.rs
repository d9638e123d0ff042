//! Named feeds that are being built: who wants to read one waits for it without holding a thread.

use crate::app::{App, blocking};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use trunkline_core::db_name::DbName;
use trunkline_store::Database;

/// Who waits for feeds of which database, and which are being built.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    lines: Mutex<HashMap<DbName, Weak<Line>>>,
}

/// Those that wait for feeds of a database.
#[derive(Debug, Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    build: Mutex<Option<Build>>,
}

/// A thread that builds feeds.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) db: Database,
    /// Seconds since 1970.
    pub(crate) started: u64,
}

impl Feeds {
    fn line(&self, db: &Database) -> Arc<Line> {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(db.name()).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line::default());
        lines.insert(db.name().clone(), Arc::downgrade(&line));
        line
    }

    /// What is being built now.
    pub(crate) fn builds(&self) -> Vec<Build> {
        let lines: Vec<_> = self.lines.lock().values().filter_map(Weak::upgrade).collect();
        lines
            .iter()
            .filter_map(|line| line.build.lock().clone())
            .collect()
    }
}

/// Waits until a feed is built, and builds it if nobody does.
pub(crate) async fn built(app: &App, db: &Database, name: &str) -> Result<()> {
    let (asked, feed) = (db.clone(), name.to_owned());
    if app.scan(move || Ok(asked.feed(&feed)?.built)).await? {
        return Ok(());
    }
    let name = name.to_owned();
    in_turn(app, db, move |db| Ok(db.build_feed(&name)?)).await
}

/// Builds every feed of a database that is not built, and clears those that are no more.
pub(crate) async fn build_all(app: &App, db: &Database) -> Result<()> {
    let asked = db.clone();
    if app.scan(move || Ok(asked.builds_feeds()?)).await? {
        in_turn(app, db, |db| Ok(db.build_feeds()?)).await?;
    }
    Ok(())
}

async fn in_turn(
    app: &App,
    db: &Database,
    work: impl FnOnce(&Database) -> Result<()> + Send + 'static,
) -> Result<()> {
    let line = app.feeds.line(db);
    let turn = tokio::select! {
        turn = line.turn.clone().lock_owned() => turn,
        () = app.stopping.cancelled() => return Err(Error::Closing),
    };
    let db = db.clone();
    let build = blocking(move || {
        // Kept by the thread, whether or not who wanted it still waits.
        let _turn = turn;
        *line.build.lock() = Some(Build {
            db: db.clone(),
            started: crate::tasks::seconds(),
        });
        let done = work(&db);
        *line.build.lock() = None;
        done
    });
    tokio::select! {
        done = build => done,
        () = app.stopping.cancelled() => Err(Error::Closing),
    }
}
