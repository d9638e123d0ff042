//! The indexes of a store that are in use: which files are open, and bringing them up to date one pass at a time.
//!
//! An index is a file in a folder of its database, named by its signature, and goes with the database. While it is built
//! it has another name, so that a file of the right name is always whole. Reading never waits for a pass; a pass waits
//! for the one before it, and when that has come far enough there is nothing to do.

use crate::Error;
use crate::build;
use crate::design::{Design, Signature};
use crate::mango::{Catalog, Catalogs, MangoIndex};
use crate::view_index::ViewIndex;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_core::limits::INDEXES_OPEN_MAX;
use trunkline_store::{Database, Store};

/// The open indexes of a store, and the views that this program has for all its databases. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Indexes(pub(crate) Arc<Shared>);

#[derive(Debug, Default)]
pub(crate) struct Shared {
    open: Mutex<HashMap<Key, Arc<ViewIndex>>>,
    /// Those of pinned moments, by their numbers.
    pub(crate) pinned: Mutex<HashMap<u64, HashMap<Signature, Arc<ViewIndex>>>>,
    /// By the id of the design document that they stand for.
    pub(crate) native: RwLock<BTreeMap<String, Design>>,
    uses: AtomicU64,
    catalogs: Catalogs,
    seam: Option<OpenSeam>,
}

/// Gives a test its own storage in place of index files; see [`Indexes::opened_by`].
#[doc(hidden)]
#[derive(Clone)]
pub struct OpenSeam(pub Arc<Open>);

type Open = dyn Fn(&Path) -> Result<redb::Database, redb::DatabaseError> + Send + Sync;

impl fmt::Debug for OpenSeam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenSeam")
    }
}

/// Incarnation of the database, and what makes the rows.
pub(crate) type Key = (String, Signature);

impl Indexes {
    /// Indexes whose files a test opens. Whether there is one is still asked of the file system.
    #[doc(hidden)]
    pub fn opened_by(seam: OpenSeam) -> Indexes {
        Indexes(Arc::new(Shared {
            seam: Some(seam),
            ..Shared::default()
        }))
    }

    /// Those of a store: the same for all who ask, as long as somebody holds them. A file is not opened twice.
    pub fn of(store: &Store) -> Indexes {
        Indexes(store.companion())
    }

    /// The index of a design document; nothing is built or read yet. Where the handle is of one moment, the index is as it
    /// was then, if it was pinned with it; else it is [`Error::NotPinned`].
    pub fn index(&self, db: &Database, design: Design) -> Result<Arc<ViewIndex>, Error> {
        if let Some(number) = db.pin_number() {
            let pinned = self.0.pinned.lock();
            let index = pinned.get(&number).and_then(|of| of.get(&design.signature));
            return index.cloned().ok_or(Error::NotPinned);
        }
        let key = (db.info()?.uuid, design.signature);
        let incarnation = build::uuid(&key.0);
        let now = self.0.uses.fetch_add(1, Ordering::Relaxed);
        let mut open = self.0.open.lock();
        let index = open
            .entry(key)
            .or_insert_with(|| Arc::new(ViewIndex::new(db, design, incarnation, self.0.seam.clone())));
        index.used.store(now, Ordering::Relaxed);
        let index = index.clone();
        if open.len() > INDEXES_OPEN_MAX {
            close_least_used(&mut open);
        }
        Ok(index)
    }

    /// The Mango indexes that a question may be answered by: those of design documents in whose place native views are
    /// do not, and of one moment only those that were pinned with it do.
    pub fn catalog(&self, db: &Database) -> Result<Arc<Catalog>, Error> {
        let mut catalog = self.0.catalogs.catalog(db)?;
        let natives = self.0.native.read();
        let pinned = db.pin_number().map(|number| {
            let pinned = self.0.pinned.lock();
            let of_moment = pinned.get(&number).into_iter().flatten();
            of_moment
                .map(|(signature, _)| *signature)
                .collect::<BTreeSet<_>>()
        });
        let answers = |index: &MangoIndex| {
            (natives.is_empty() || !natives.contains_key(&format!("_design/{}", index.ddoc)))
                && pinned
                    .as_ref()
                    .is_none_or(|pinned| pinned.contains(&index.design.signature))
        };
        if !catalog.indexes.iter().all(answers) {
            Arc::make_mut(&mut catalog).indexes.retain(answers);
        }
        Ok(catalog)
    }

    /// Closes the indexes that nobody uses now.
    pub fn close(&self) {
        self.0.open.lock().retain(|_, index| Arc::strong_count(index) > 1);
    }

    /// Shows the open indexes; none is opened meanwhile.
    pub(crate) fn with_open<T>(&self, then: impl FnOnce(&mut HashMap<Key, Arc<ViewIndex>>) -> T) -> T {
        then(&mut self.0.open.lock())
    }

    /// Closes the files of databases that were deleted: until then they take room on the disk.
    pub fn close_deleted(&self) {
        let is_there = |index: &ViewIndex| {
            let seq = index.database().last_seq();
            !matches!(seq, Err(trunkline_store::Error::DatabaseMissing(_)))
        };
        self.0.open.lock().retain(|_, index| is_there(index));
    }

    /// Those that are being brought up to date, with how many documents their pass has mapped.
    pub fn passes(&self) -> Vec<(Arc<ViewIndex>, u64)> {
        let open = self.0.open.lock();
        let running = open
            .values()
            .filter_map(|index| Some((index.clone(), index.pass()?)));
        running.collect()
    }
}

/// Forgets the index that was least recently used, and that nobody uses now.
fn close_least_used(open: &mut HashMap<Key, Arc<ViewIndex>>) {
    let idle = open.iter().filter(|(_, index)| Arc::strong_count(index) == 1);
    let least = idle.min_by_key(|(_, index)| index.used.load(Ordering::Relaxed));
    if let Some(key) = least.map(|(key, _)| key.clone()) {
        open.remove(&key);
    }
}
