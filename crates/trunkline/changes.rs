//! Following a database: what changed, from any place on, and what changes from now on.

use crate::doc::value_of;
use crate::{Error, Result};
use event_listener::Listener;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use trunkline_core::Seq;
use trunkline_core::rev::Rev;
use trunkline_store::{self as engine, ChangesScan};

/// A document that changed, as it was when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place; give it back as `since` to go on after it.
    pub seq: Seq,
    /// When it was committed here, ms since 1970.
    pub time_ms: u64,
    /// The document.
    pub id: String,
    /// The winning revision.
    pub rev: Rev,
    /// Whether the document is deleted.
    pub deleted: bool,
    /// The other leaves and whether each is a tombstone. Leaves that are not are conflicts.
    pub others: Vec<(Rev, bool)>,
    /// The winner's body as JSON text.
    pub json: String,
}

impl Change {
    /// The winner's body as a value; `None` for a deleted document.
    pub fn value<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        if self.deleted {
            return Ok(None);
        }
        value_of(&self.id, &self.json).map(Some)
    }
}

/// Iterates over changes. Reads a chunk at a time and holds nothing open between chunks, so it may take its time.
#[derive(Debug)]
pub struct Changes {
    cursor: Cursor,
    follow: bool,
}

impl Changes {
    pub(crate) fn new(engine: engine::Database, since: Seq) -> Changes {
        Changes {
            cursor: Cursor::new(engine, since),
            follow: false,
        }
    }

    /// Waits at the end for the next change instead of ending. It ends when the store is closed.
    pub fn follow(mut self) -> Changes {
        self.follow = true;
        self
    }

    /// The next change, if one is there or comes within `timeout`.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<Change>> {
        self.next_until(true, Instant::now().checked_add(timeout))
    }

    fn next_until(&mut self, wait: bool, deadline: Option<Instant>) -> Option<Result<Change>> {
        loop {
            if let Some(change) = self.cursor.pop() {
                return Some(Ok(change));
            }
            if self.cursor.ended {
                return None;
            }
            // Listen first, then look: a commit in between wakes the listener.
            let listener = wait.then(|| self.cursor.engine.listen());
            let chunk = read_chunk(&self.cursor.engine, self.cursor.since);
            match (self.cursor.accept(chunk), listener) {
                (Err(error), _) => return Some(Err(error)),
                (Ok(Reached::More), _) => {}
                (Ok(Reached::Newest), None) => return None,
                (Ok(Reached::Newest), Some(listener)) => match deadline {
                    Some(deadline) => listener.wait_deadline(deadline)?,
                    None => listener.wait(),
                },
            }
        }
    }
}

impl Iterator for Changes {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        self.next_until(self.follow, None)
    }
}

/// Changes for use under tokio; waits for more at the end. Made by [`crate::AsyncDatabase::changes`].
#[derive(Debug)]
pub struct AsyncChanges {
    cursor: Cursor,
}

impl AsyncChanges {
    pub(crate) fn new(engine: engine::Database, since: Seq) -> AsyncChanges {
        AsyncChanges {
            cursor: Cursor::new(engine, since),
        }
    }

    /// The next change, once there is one; `None` when the store was closed. Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<Result<Change>> {
        loop {
            if let Some(change) = self.cursor.pop() {
                return Some(Ok(change));
            }
            if self.cursor.ended {
                return None;
            }
            let listener = self.cursor.engine.listen();
            let (engine, since) = (self.cursor.engine.clone(), self.cursor.since);
            let chunk = tokio::task::spawn_blocking(move || read_chunk(&engine, since))
                .await
                .unwrap_or(Err(engine::Error::Closed));
            match self.cursor.accept(chunk) {
                Err(error) => return Some(Err(error)),
                Ok(Reached::More) => {}
                Ok(Reached::Newest) => listener.await,
            }
        }
    }

    /// The same as a [`futures_util::Stream`].
    pub fn into_stream(self) -> impl futures_util::Stream<Item = Result<Change>> + Send {
        futures_util::stream::unfold(self, |mut changes| async move {
            let change = changes.next().await?;
            Some((change, changes))
        })
    }
}

/// How far has been read and what of it is still to be handed out.
#[derive(Debug)]
struct Cursor {
    engine: engine::Database,
    since: Seq,
    buffer: VecDeque<Change>,
    ended: bool,
}

/// Where a chunk ended.
enum Reached {
    More,
    Newest,
}

struct Chunk {
    changes: VecDeque<Change>,
    last: Option<Seq>,
    done: bool,
}

impl Cursor {
    fn new(engine: engine::Database, since: Seq) -> Cursor {
        Cursor {
            engine,
            since,
            buffer: VecDeque::new(),
            ended: false,
        }
    }

    fn pop(&mut self) -> Option<Change> {
        self.buffer.pop_front()
    }

    fn accept(&mut self, chunk: std::result::Result<Chunk, engine::Error>) -> Result<Reached> {
        match chunk {
            Ok(chunk) => {
                self.since = chunk.last.unwrap_or(self.since);
                let newest = chunk.done && chunk.changes.is_empty();
                self.buffer = chunk.changes;
                Ok(if newest { Reached::Newest } else { Reached::More })
            }
            Err(error) => {
                self.ended = true;
                match error {
                    engine::Error::Closed => Ok(Reached::More),
                    error => Err(Error::Store(error)),
                }
            }
        }
    }
}

fn read_chunk(engine: &engine::Database, since: Seq) -> std::result::Result<Chunk, engine::Error> {
    let scan = ChangesScan {
        since,
        until: Seq::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut changes = VecDeque::new();
    let end = engine.changes(&scan, &mut |mut row| {
        if let (Some((rev, deleted)), Some(winner)) = (row.leaves.next(), row.winner) {
            changes.push_back(Change {
                seq: row.seq,
                time_ms: row.time_ms,
                id: row.id.to_owned(),
                rev,
                deleted,
                others: row.leaves.collect(),
                json: winner.body.to_owned(),
            });
        }
        ControlFlow::Continue(())
    })?;
    Ok(Chunk {
        changes,
        last: end.last,
        done: end.done,
    })
}
