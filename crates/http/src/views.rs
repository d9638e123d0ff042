//! The indexes of a server: which design document makes which, and bringing them up to date.
//!
//! A pass over an index takes a thread for as long as it takes. Requests that want the same index wait for it without
//! holding any, one behind the other, and most of them find that the pass before them came far enough.

use crate::app::{App, blocking};
use crate::error::{Error, Result};
use axum::http::StatusCode;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;
use trunkline_core::limits::INDEX_PASSES_MAX;
use trunkline_core::selector::TooMuchWork;
use trunkline_query::design::Signature;
use trunkline_query::index::IndexState;
use trunkline_query::{Indexes, Opened, ViewIndex};
use trunkline_store::{Database, Store};

/// The indexes that are in use, and who waits for them.
#[derive(Debug)]
pub(crate) struct Views {
    pub(crate) indexes: Indexes,
    lines: Mutex<HashMap<(String, Signature), Weak<Line>>>,
    passes: Arc<Semaphore>,
}

/// Those that wait for an index of a database.
#[derive(Debug, Default)]
pub(crate) struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    waiting: AtomicU64,
    pass: Mutex<Option<Pass>>,
}

/// A pass that runs.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) database: String,
    pub(crate) design: String,
    /// Seconds since 1970.
    pub(crate) started: u64,
    /// It makes the file anew.
    pub(crate) compacts: bool,
    /// Documents to map.
    pub(crate) total: u64,
    pub(crate) index: Arc<ViewIndex>,
}

impl Views {
    pub(crate) fn new(store: &Store) -> Views {
        Views {
            indexes: Indexes::of(store),
            lines: Mutex::default(),
            passes: Arc::new(Semaphore::new(INDEX_PASSES_MAX)),
        }
    }

    /// See [`Indexes::whole`]. Blocks.
    pub(crate) fn whole(&self, opened: &Arc<Opened>, view: &str) -> Result<Arc<Opened>> {
        let whole = self.indexes.whole(opened, view)?;
        Ok(whole.map_or_else(|| opened.clone(), Arc::new))
    }

    pub(crate) fn line(&self, index: &ViewIndex) -> Arc<Line> {
        let key = (
            index.database().name().as_str().to_owned(),
            index.design().signature,
        );
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(&key).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line::default());
        lines.insert(key, Arc::downgrade(&line));
        line
    }

    /// The passes that run.
    pub(crate) fn passes(&self) -> Vec<Pass> {
        let lines: Vec<_> = self.lines.lock().values().filter_map(Weak::upgrade).collect();
        lines.iter().filter_map(|line| line.pass.lock().clone()).collect()
    }
}

impl Line {
    pub(crate) fn pass(&self) -> Option<Pass> {
        self.pass.lock().clone()
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Counts one that waits, for as long as it does.
struct Waiting(Arc<Line>);

impl Waiting {
    fn new(line: Arc<Line>) -> Waiting {
        line.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(line)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The views of a design document.
pub(crate) async fn open(app: &App, db: &Database, id: String) -> Result<Arc<Opened>> {
    let (opening, db) = (app.clone(), db.clone());
    app.scan(move || Ok(Arc::new(opening.views.indexes.open(&db, &id)?)))
        .await
}

/// Brings an index up to date with what its database has now.
pub(crate) async fn refresh(app: &App, opened: &Arc<Opened>) -> Result<()> {
    let index = opened.index.clone();
    let ahead = app.scan(move || {
        let goal = index.goal()?;
        Ok((!index.reached(&goal)?).then_some(goal))
    });
    match ahead.await? {
        Some(goal) => pass(app, opened, Some(goal)).await,
        None => Ok(()),
    }
}

/// Makes the file of an index anew, beside the one that answers meanwhile.
pub(crate) async fn compact(app: &App, opened: &Arc<Opened>) -> Result<()> {
    pass(app, opened, None).await
}

/// Waits for its turn, and then brings an index to where its database was, or, without a goal, makes it anew.
async fn pass(app: &App, opened: &Arc<Opened>, goal: Option<IndexState>) -> Result<()> {
    let line = app.views.line(&opened.index);
    let waiting = Waiting::new(line.clone());
    let turn = tokio::select! {
        turn = line.turn.clone().lock_owned() => turn,
        () = app.stopping.cancelled() => return Err(Error::Closing),
    };
    let compacts = goal.is_none();
    let index = opened.index.clone();
    let done = app.scan(move || match goal {
        Some(goal) => Ok(index.reached(&goal)?),
        // What was never made has nothing to be made anew.
        None => Ok(index.state()?.is_none()),
    });
    if done.await? {
        return Ok(());
    }
    let permit = tokio::select! {
        permit = app.views.passes.clone().acquire_owned() => permit,
        () = app.stopping.cancelled() => return Err(Error::Closing),
    };
    let opened = opened.clone();
    let pass = blocking(move || {
        // Kept by the pass, whether or not who wanted it still waits.
        let _kept = (turn, permit);
        run(&line, &opened, compacts)
    });
    let ended = tokio::select! {
        ended = pass => ended,
        () = app.stopping.cancelled() => Err(Error::Closing),
    };
    drop(waiting);
    ended
}

fn run(line: &Line, opened: &Opened, compacts: bool) -> Result<()> {
    let index = &opened.index;
    let db = index.database();
    let since = match compacts {
        true => 0,
        false => index.state()?.map_or(0, |state| state.seq),
    };
    *line.pass.lock() = Some(Pass {
        database: db.name().as_str().to_owned(),
        compacts,
        design: opened.id.clone(),
        started: crate::tasks::seconds(),
        total: db.count_changes(since)?,
        index: index.clone(),
    });
    let ended = match compacts {
        true => opened.rebuild(),
        false => opened.update(),
    };
    *line.pass.lock() = None;
    Ok(ended?)
}

impl From<TooMuchWork> for Error {
    fn from(too_much: TooMuchWork) -> Error {
        Error::Mango(StatusCode::BAD_REQUEST, "too_much_work", too_much.to_string())
    }
}

impl From<trunkline_query::Error> for Error {
    fn from(error: trunkline_query::Error) -> Error {
        use trunkline_query::Error as E;
        match error {
            E::Store(error) => error.into(),
            E::Aggregate(invalid) => Error::Mango(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_many_groups",
                invalid.to_string(),
            ),
            E::TooMuchWork(too_much) => too_much.into(),
            E::NoDesign => Error::MISSING,
            E::DesignDeleted => Error::DELETED,
            E::Design(invalid) => invalid.into(),
            E::Key => crate::body::INVALID_JSON,
            E::NoView => Error::NotFound("missing_named_view".into()),
            E::Script(error) => Error::Design("compilation_error", error.to_string()),
            E::ReducesAll => Error::Forbidden(error.to_string()),
            E::NotPinned => Error::bad(
                "The snapshot was made without that index. Name its design document in `ddocs` when you make one.",
            ),
            E::Language(_) => Error::Design("unknown_query_language", error.to_string()),
            other => Error::Internal(other.to_string()),
        }
    }
}
