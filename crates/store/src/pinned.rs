//! A handle all of whose reads see the database as it was at one moment.
//!
//! What is written meanwhile takes new pages, and those that a pinned moment still shows are not used again: so it ends
//! by itself after [`SNAPSHOT_AGE_MAX_MS`], and at once when its file is deleted, closed or given up.

use crate::file::OpenFile;
use crate::read::Snapshot;
use crate::tables::{State, meta};
use crate::{Database, Error};
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use trunkline_core::limits::SNAPSHOT_AGE_MAX_MS;

static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// One moment of a database.
pub(crate) struct Pinned {
    /// Differs from those of all others of this process.
    number: u64,
    pub(crate) state: State,
    until: Instant,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
}

/// The moments of a file that are pinned.
#[derive(Debug, Default)]
pub(crate) struct Pins(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    pins: Vec<Weak<Pinned>>,
    /// Nothing is to be pinned any more.
    ended: bool,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl Pinned {
    fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        let mut snapshot = self.snapshot.lock();
        if Instant::now() > self.until {
            *snapshot = None;
        }
        snapshot.clone().ok_or(Error::SnapshotEnded)
    }
}

impl Pins {
    /// Ends them: they would keep the file from being closed.
    pub(crate) fn end(&self) {
        let mut kept = self.0.lock();
        kept.ended = true;
        for pinned in kept.pins.drain(..).filter_map(|pinned| pinned.upgrade()) {
            *pinned.snapshot.lock() = None;
        }
    }
}

impl Database {
    /// A handle of the same database that reads what is there now, for as long as it is kept, and at most
    /// [`SNAPSHOT_AGE_MAX_MS`]; after that its reads fail with [`Error::SnapshotEnded`]. Pages that it shows are not used
    /// again until then, so that the file grows by what is written meanwhile.
    ///
    /// Documents, changes and counts are those of the moment. Attachment bytes, local documents and settings are as they
    /// are when they are read, and what is written through the handle is written to the database and not seen by it.
    pub fn pin(&self) -> Result<Database, Error> {
        let file = self.file()?;
        // A file that was not closed may tell of fewer seqs than readers have seen.
        let seen = file.state.lock().update_seq;
        let snapshot = Snapshot::of(file.clone())?;
        let state = snapshot.table(crate::tables::META)?.get(meta::STATE)?;
        let mut state = state
            .map(|row| State::decode(row.value()))
            .transpose()?
            .unwrap_or_default();
        state.update_seq = state.update_seq.max(seen);
        let pinned = Arc::new(Pinned {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            state,
            until: Instant::now() + Duration::from_millis(SNAPSHOT_AGE_MAX_MS),
            snapshot: Mutex::new(Some(Arc::new(snapshot))),
        });
        let mut kept = file.pins.0.lock();
        if kept.ended {
            return Err(Error::SnapshotEnded);
        }
        kept.pins.retain(|pinned| pinned.strong_count() > 0);
        kept.pins.push(Arc::downgrade(&pinned));
        drop(kept);
        Ok(Database {
            pinned: Some(pinned),
            ..self.clone()
        })
    }

    /// The handle that reads what is there at each call.
    pub fn unpinned(&self) -> Database {
        Database {
            pinned: None,
            ..self.clone()
        }
    }

    /// Which moment it reads, if it is one: no other of this process has that number.
    pub fn pin_number(&self) -> Option<u64> {
        self.pinned.as_ref().map(|pinned| pinned.number)
    }

    /// What one read sees.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        match &self.pinned {
            Some(pinned) => {
                self.check_alive()?;
                pinned.snapshot()
            }
            None => Ok(Arc::new(Snapshot::of(self.file()?)?)),
        }
    }

    /// Counts and seqs of what it reads.
    pub(crate) fn state(&self, file: &OpenFile) -> State {
        match &self.pinned {
            Some(pinned) => pinned.state,
            None => *file.state.lock(),
        }
    }
}
