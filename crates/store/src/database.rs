//! One database in memory: small while idle, its redb file opened on demand and closed when others need the room.

use crate::attachments::Staged;
use crate::directory::Shared;
use crate::file::OpenFile;
use crate::write::Queue;
use crate::{Database, Error, Store};
use event_listener::{Event, EventListener};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use trunkline_core::Seq;
use trunkline_core::access::Security;
use trunkline_core::attachment::ContentHash;
use trunkline_core::db_name::DbName;

/// Before a database was first opened its newest seq is not known.
const UNKNOWN: Seq = Seq::MAX;
/// How many uses of any database pass between two looks at the caches' sizes.
const USES_PER_CACHE_CHECK: u64 = 256;

/// What all handles of one database share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) name: DbName,
    slot: Mutex<Option<Arc<OpenFile>>>,
    deleted: AtomicBool,
    last_used: AtomicU64,
    last_seq: AtomicU64,
    pub(crate) queue: Queue,
    /// Held for one step of building a feed.
    pub(crate) building: Mutex<()>,
    pub(crate) changed: Event,
    pub(crate) staged: Mutex<HashMap<ContentHash, Staged>>,
    /// Whether the flusher is to come. It says no before it looks, so that a commit is either seen or brings it again.
    pub(crate) watched: AtomicBool,
    /// How often the file was given up with commits that were not durable.
    losses: AtomicU64,
    /// How many commits edited design documents.
    design_edits: AtomicU64,
}

impl Inner {
    pub(crate) fn new(name: DbName) -> Inner {
        Inner {
            name,
            slot: Mutex::default(),
            deleted: AtomicBool::new(false),
            last_used: AtomicU64::new(0),
            last_seq: AtomicU64::new(UNKNOWN),
            queue: Queue::default(),
            building: Mutex::default(),
            changed: Event::new(),
            staged: Mutex::default(),
            watched: AtomicBool::new(false),
            losses: AtomicU64::new(0),
            design_edits: AtomicU64::new(0),
        }
    }

    /// Marks the database deleted once `unlink` succeeded, and gives up its file.
    pub(crate) fn delete(
        &self,
        unlink: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Option<Arc<OpenFile>>> {
        let mut slot = self.slot.lock();
        unlink()?;
        self.deleted.store(true, Ordering::SeqCst);
        let file = slot.take();
        if let Some(file) = &file {
            file.unreferenced.lock().clear();
            file.pins.end();
        }
        drop(slot);
        self.discard_staged();
        self.changed.notify(usize::MAX);
        Ok(file)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// Lets go of the file, after a running commit has ended and relaxed writes are durable.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let Some(file) = self.slot.lock().take() else {
            return Ok(());
        };
        file.pins.end();
        file.wait_for_commit()?;
        file.finish()
    }

    /// The file, if it is open now.
    pub(crate) fn open_file(&self) -> Option<Arc<OpenFile>> {
        self.slot.lock().clone()
    }

    /// What `_security` says, if the file is open now and nobody holds it up.
    pub(crate) fn rules(&self) -> Option<Arc<Security>> {
        let slot = self.slot.try_lock()?;
        Some(slot.as_ref()?.rules.read().clone())
    }

    /// Puts a new file in place of the open one, before anyone can open the old one again, once `rename` has given it the
    /// old one's name.
    pub(crate) fn replace_file(
        &self,
        file: OpenFile,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut slot = self.slot.lock();
        if self.is_deleted() {
            return Err(Error::DatabaseMissing(self.name.clone()));
        }
        rename().map_err(Error::io("replacing a database by its compacted copy"))?;
        let file = Arc::new(file);
        if let Some(old) = slot.replace(file.clone()) {
            file.pins.adopt(&old.pins);
            old.unreferenced.lock().clear();
        }
        Ok(())
    }

    /// Does something that needs the open file to itself; `None` when others use it now.
    pub(crate) fn with_idle_file<T>(&self, then: impl FnOnce(&mut OpenFile) -> T) -> Option<T> {
        self.slot.lock().as_mut().and_then(Arc::get_mut).map(then)
    }

    /// A commit edited design documents: called before anyone hears of it.
    pub(crate) fn note_design_edit(&self) {
        self.design_edits.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn publish_seq(&self, seq: Seq) {
        self.last_seq.store(seq, Ordering::Release);
    }

    /// Bytes that the file's cache holds; none while the file is being opened, replaced or checked.
    fn cache_bytes(&self) -> usize {
        let slot = self.slot.try_lock();
        slot.and_then(|slot| Some(slot.as_ref()?.cache_bytes()))
            .unwrap_or(0)
    }

    /// Closes the file if nobody uses it now.
    fn close_idle(&self) -> bool {
        let Some(mut slot) = self.slot.try_lock() else {
            return false;
        };
        // Clones are only made under the slot's lock, so one owner means that nobody reads or writes.
        if slot
            .as_ref()
            .is_none_or(|file| Arc::strong_count(file) > 1 || !file.is_durable())
        {
            return false;
        }
        if let Some(Err(error)) = slot.as_ref().map(|file| file.finish()) {
            tracing::warn!("{} was not closed as it should be: {error}", self.name.as_str());
        }
        // Dropped under the lock: whoever opens it again must find it closed.
        *slot = None;
        true
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &DbName {
        &self.inner.name
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The newest seq that readers see; no disk access once the database was used.
    pub fn last_seq(&self) -> Result<Seq, Error> {
        self.check_alive()?;
        if let Some(pinned) = &self.pinned {
            return Ok(pinned.state.update_seq);
        }
        match self.inner.last_seq.load(Ordering::Acquire) {
            UNKNOWN => Ok(self.file()?.state.lock().update_seq),
            seq => Ok(seq),
        }
    }

    /// Grows whenever design documents may have changed, as long as the store is open: a commit edited one, or commits were
    /// lost. Costs no look at the disk.
    pub fn design_edits(&self) -> u64 {
        let edits = self.inner.design_edits.load(Ordering::Acquire);
        edits.wrapping_add(self.losses())
    }

    /// How often since the store was opened relaxed writes may have been lost, because the disk failed: what was made of
    /// them must be made anew. Goes up before anybody reads what is left.
    pub fn losses(&self) -> u64 {
        self.inner.losses.load(Ordering::Acquire)
    }

    /// Wakes at the next commit, and when the database is deleted or the store closed. Take the listener first, then
    /// look at [`Database::last_seq`], then wait.
    pub fn listen(&self) -> EventListener {
        self.inner.changed.listen()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.store.shared.database_dir(&self.inner.name)
    }

    pub(crate) fn check_alive(&self) -> Result<(), Error> {
        self.store.shared.check_open()?;
        if self.inner.is_deleted() {
            return Err(Error::DatabaseMissing(self.inner.name.clone()));
        }
        Ok(())
    }

    /// The open redb file; opens it when it is not. Keep the answer no longer than one read or commit.
    pub(crate) fn file(&self) -> Result<Arc<OpenFile>, Error> {
        let shared = &self.store.shared;
        let mut slot = self.inner.slot.lock();
        self.check_alive()?;
        let use_number = shared.uses.fetch_add(1, Ordering::Relaxed);
        self.inner.last_used.store(use_number, Ordering::Relaxed);
        if give_up_failed(&mut slot) {
            self.inner.losses.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(file) = &*slot {
            let file = file.clone();
            drop(slot);
            if use_number.is_multiple_of(USES_PER_CACHE_CHECK) {
                shared.close_least_used();
            }
            return Ok(file);
        }
        let file = Arc::new(OpenFile::open(&self.dir(), &shared.options)?);
        self.inner.publish_seq(file.state.lock().update_seq);
        *slot = Some(file.clone());
        drop(slot);
        let mut open = shared.open.lock();
        // One that was given up after a failure is listed still.
        if !open.iter().any(|inner| Arc::ptr_eq(inner, &self.inner)) {
            open.push(self.inner.clone());
        }
        drop(open);
        shared.close_least_used();
        Ok(file)
    }
}

/// How long to wait for those who still read a file that failed.
const READERS_WAIT_MAX: Duration = Duration::from_secs(5);

/// Lets go of a file that failed, and waits for its readers to do so, who fail soon: until then the file is locked.
/// Answers whether relaxed writes were lost with it.
fn give_up_failed(slot: &mut Option<Arc<OpenFile>>) -> bool {
    let Some(file) = slot.take_if(|file| file.has_failed()) else {
        return false;
    };
    file.retire();
    let lost = !file.is_durable();
    let file = {
        let weak = Arc::downgrade(&file);
        drop(file);
        weak
    };
    let started = Instant::now();
    while file.strong_count() > 0 && started.elapsed() < READERS_WAIT_MAX {
        std::thread::sleep(Duration::from_millis(1));
    }
    lost
}

impl Database {
    /// [`Database::file`] for a commit.
    pub(crate) fn file_to_write(&self) -> Result<Arc<OpenFile>, Error> {
        let file = self.file()?;
        file.release()?;
        Ok(file)
    }
}

impl Shared {
    /// Closes idle databases, least recently used first, while too many are open or their caches hold too much.
    fn close_least_used(&self) {
        let Some(mut open) = self.open.try_lock() else {
            return;
        };
        let mut cache_bytes: usize = open.iter().map(|inner| inner.cache_bytes()).sum();
        if open.len() <= self.options.open_databases && cache_bytes <= self.options.cache_bytes {
            return;
        }
        // Each looked at once: others use databases meanwhile, and an order that changes under the sort is a panic.
        open.sort_by_cached_key(|inner| std::cmp::Reverse(inner.last_used.load(Ordering::Relaxed)));
        let mut index = open.len();
        // The most recently used one stays: it may be the caller's.
        while index > 1
            && (open.len() > self.options.open_databases || cache_bytes > self.options.cache_bytes)
        {
            index -= 1;
            let Some(inner) = open.get(index) else { break };
            let bytes = inner.cache_bytes();
            if inner.close_idle() {
                cache_bytes = cache_bytes.saturating_sub(bytes);
                open.remove(index);
            }
        }
    }
}
