//! Relaxed writes made durable soon: one thread per store, made at the first relaxed write, parked while none wait.

use crate::database::Inner;
use crate::file::{OpenFile, content_path};
use crate::tables::{self, State, meta};
use crate::{Durability, Error};
use parking_lot::{Condvar, Mutex};
use redb::ReadableTable;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use trunkline_core::attachment::ContentHash;
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
    /// Weak, so that a store whose last handle is dropped ends, and ends this thread.
    dirty: Vec<Weak<Inner>>,
    stop: bool,
}

impl Flusher {
    /// Sees to it that a database with relaxed writes is flushed.
    pub(crate) fn watch(&self, inner: &Arc<Inner>) {
        if inner.watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.duty.state.lock();
        if state.stop {
            return;
        }
        state.dirty.push(Arc::downgrade(inner));
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
        if let Some(thread) = self.thread.lock().take() {
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
            for inner in dirty.iter().filter_map(Weak::upgrade) {
                inner.watched.store(false, Ordering::Release);
                // A closed file was made durable when it was closed.
                let flushed = inner.open_file().map_or(Ok(()), |file| file.make_durable());
                if let Err(error) = flushed {
                    tracing::error!(
                        "relaxed writes to {} could not be made durable: {error}",
                        inner.name.as_str()
                    );
                }
            }
            state = self.state.lock();
        }
    }
}

impl OpenFile {
    /// Makes every commit so far durable. Needs no leader: an empty commit changes no document.
    pub(crate) fn make_durable(&self) -> Result<(), Error> {
        if self.is_durable() {
            return Ok(());
        }
        let txn = self.redb.begin_write()?;
        // Those counted by now are part of what this transaction makes durable.
        let commits = self.commits.load(Ordering::Acquire);
        txn.commit()?;
        self.note_durable(commits);
        Ok(())
    }

    /// Makes every commit durable before the file is closed, after which no seq needs a floor.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.is_held() {
            return Ok(());
        }
        if self.seq_floor.load(Ordering::Acquire) == 0 {
            return self.make_durable();
        }
        let txn = self.redb.begin_write()?;
        let commits = self.commits.load(Ordering::Acquire);
        {
            let mut rows = txn.open_table(tables::META)?;
            // The row, and not what is kept of it: the leader may not have come to that.
            let row = rows.get(meta::STATE)?.map(|row| State::decode(row.value()));
            if let Some(mut state) = row.transpose()? {
                state.update_seq = state.update_seq.max(self.state.lock().update_seq);
                rows.insert(meta::STATE, state.encode().as_slice())?;
            }
            rows.remove(meta::SEQ_FLOOR)?;
        }
        txn.commit()?;
        self.seq_floor.store(0, Ordering::Release);
        self.note_durable(commits);
        Ok(())
    }

    /// Returns once a commit that runs now has ended.
    pub(crate) fn wait_for_commit(&self) -> Result<(), Error> {
        Ok(self.redb.begin_write()?.abort()?)
    }

    /// Notes a commit by the leader, and the content files that lost their row in it.
    pub(crate) fn note_commit(&self, durability: Durability, unreferenced: &[ContentHash]) {
        self.pins.end_old();
        let commit = self.commits.fetch_add(1, Ordering::AcqRel) + 1;
        self.unreferenced
            .lock()
            .extend(unreferenced.iter().map(|hash| (*hash, commit)));
        if durability == Durability::Durable {
            self.note_durable(commit);
        }
    }

    /// After a durable commit, attachment files whose rows are gone for good are unlinked.
    fn note_durable(&self, commit: u64) {
        self.durable.fetch_max(commit, Ordering::AcqRel);
        // Locked to the end: content that comes back is placed under the same lock.
        let mut unreferenced = self.unreferenced.lock();
        unreferenced.retain(|hash, dropped_by| {
            if *dropped_by > commit {
                return true;
            }
            if let Err(cause) = std::fs::remove_file(content_path(&self.dir, hash)) {
                tracing::warn!(
                    "an attachment file nobody refers to stays until the next compaction: {cause}"
                );
            }
            false
        });
    }
}
