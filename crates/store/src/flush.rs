//! Relaxed writes made durable soon: one thread per store, made at the first relaxed write, parked while none wait.

use crate::file::{OpenFile, content_path};
use crate::{Database, Durability, Error};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use trunkline_core::limits::RELAXED_FLUSH_MS;

/// How long relaxed writes gather before their flush starts: half the promise, the rest is for the flush itself.
const GATHER: Duration = Duration::from_millis(RELAXED_FLUSH_MS / 2);

/// The flushing thread and what it has to do.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    duty: Arc<Duty>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Duty {
    state: Mutex<DutyState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct DutyState {
    dirty: Vec<Dirty>,
    stop: bool,
}

/// Holds no store, so that dropping the last handle of a store ends it.
#[derive(Debug)]
struct Dirty {
    inner: std::sync::Weak<crate::database::Inner>,
    store: std::sync::Weak<crate::directory::Shared>,
}

impl Flusher {
    /// Sees to it that a database with relaxed writes is flushed.
    pub(crate) fn watch(&self, database: &Database) {
        let mut state = self.duty.state.lock();
        if state.stop {
            return;
        }
        state.dirty.push(Dirty {
            inner: Arc::downgrade(&database.inner),
            store: Arc::downgrade(&database.store.shared),
        });
        drop(state);
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let duty = self.duty.clone();
            *thread = Some(std::thread::spawn(move || duty.run()));
        }
        self.duty.wake.notify_one();
    }

    /// Ends the thread. What is still dirty is made durable by whoever closes the files.
    pub(crate) fn stop(&self) {
        self.duty.state.lock().stop = true;
        self.duty.wake.notify_one();
        let thread = self.thread.lock().take();
        // The last handle of a store may be dropped by this very thread.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl Duty {
    fn run(&self) {
        let mut state = self.state.lock();
        loop {
            while state.dirty.is_empty() && !state.stop {
                self.wake.wait(&mut state);
            }
            if !state.stop {
                self.wake.wait_while_for(&mut state, |state| !state.stop, GATHER);
            }
            if state.stop {
                return;
            }
            let dirty = std::mem::take(&mut state.dirty);
            drop(state);
            for dirty in dirty {
                dirty.flush();
            }
            state = self.state.lock();
        }
    }
}

impl Dirty {
    fn flush(&self) {
        let (Some(inner), Some(shared)) = (self.inner.upgrade(), self.store.upgrade()) else {
            return;
        };
        let database = Database {
            store: crate::Store { shared },
            inner,
        };
        // A closed file was made durable when it was closed.
        if database.inner.open_file().is_some_and(|file| !file.is_durable())
            && let Err(error) = database.flush()
        {
            tracing::error!(
                "relaxed writes to {} could not be made durable: {error}",
                database.name().as_str()
            );
        }
    }
}

impl OpenFile {
    /// Makes every commit so far durable, without going through the queue: for files that are being closed.
    pub(crate) fn make_durable(&self) -> Result<(), Error> {
        if !self.is_durable() {
            self.redb.begin_write()?.commit()?;
            self.committed(Durability::Durable);
        }
        Ok(())
    }

    /// Notes a commit; after a durable one, attachment files whose rows are gone for good are unlinked.
    pub(crate) fn committed(&self, durability: Durability) {
        if durability == Durability::Relaxed {
            self.undurable.fetch_add(1, Ordering::AcqRel);
            return;
        }
        self.undurable.store(0, Ordering::Release);
        for hash in std::mem::take(&mut *self.unreferenced.lock()) {
            if let Err(cause) = std::fs::remove_file(content_path(&self.dir, &hash)) {
                tracing::warn!(
                    "an attachment file nobody refers to stays until the next compaction: {cause}"
                );
            }
        }
    }
}
