//! A handle all of whose reads see the database as it was at one moment.
//!
//! What is written meanwhile takes new pages, and those that a pinned moment still shows are not used again: so it ends
//! after [`SNAPSHOT_AGE_MAX_MS`], when it is next read from or a commit needs room, and at once when its file is deleted,
//! closed or given up.

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
    /// Ends those that are too old.
    pub(crate) fn end_old(&self) {
        self.0.lock().pins.retain(|pinned| {
            let Some(pinned) = pinned.upgrade() else {
                return false;
            };
            let is_old = Instant::now() > pinned.until;
            if is_old {
                *pinned.snapshot.lock() = None;
            }
            !is_old
        });
    }

    /// Takes over those of a file in whose place this one is.
    pub(crate) fn adopt(&self, other: &Pins) {
        let pins = std::mem::take(&mut other.0.lock().pins);
        self.0.lock().pins.extend(pins);
    }

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
        self.pin_until(Instant::now() + Duration::from_millis(SNAPSHOT_AGE_MAX_MS))
    }

    fn pin_until(&self, until: Instant) -> Result<Database, Error> {
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
            until,
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

    /// Fails once the moment that it reads has ended; what is there now does not end.
    pub fn check_pinned(&self) -> Result<(), Error> {
        match self.pinned {
            Some(_) => self.moment().map(drop),
            None => Ok(()),
        }
    }

    /// All that is there at the moment of one read. For what tells nothing of documents; see [`Database::sight`].
    pub(crate) fn moment(&self) -> Result<Arc<Snapshot>, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use trunkline_core::db_name::DbName;

    fn is_held(pinned: &Database) -> bool {
        let pinned = pinned.pinned.as_ref().unwrap();
        pinned.snapshot.lock().is_some()
    }

    #[test]
    fn a_commit_ends_what_nobody_reads_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let (old, new) = (db.pin_until(Instant::now()).unwrap(), db.pin().unwrap());
        assert!(is_held(&old) && is_held(&new));
        db.compact().unwrap();
        db.set_revs_limit(7).unwrap();
        assert!(!is_held(&old) && is_held(&new));
        store.delete(db.name()).unwrap();
        assert!(!is_held(&new));
    }
}
