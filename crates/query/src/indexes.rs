//! The indexes of a store that are in use: which files are open, and bringing them up to date one pass at a time.
//!
//! An index is a file in a folder of its database, named by its signature, and goes with the database. While it is built
//! it has another name, so that a file of the right name is always whole. Reading never waits for a pass; a pass waits
//! for the one before it, and when that has come far enough there is nothing to do.

use crate::Error;
use crate::build;
use crate::design::{Design, Signature};
use crate::index::{Index, IndexState, Snapshot};
use crate::mapper::Mapping;
use crate::reducers::Reducers;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_core::limits::{INDEX_CACHE_BYTES, INDEXES_OPEN_MAX};
use trunkline_store::Database;

/// The open indexes of a store. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Indexes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<HashMap<Key, Arc<ViewIndex>>>,
    uses: AtomicU64,
}

/// Incarnation of the database, and what makes the rows.
type Key = (String, Signature);

/// The index of a design document's views in one database.
#[derive(Debug)]
pub struct ViewIndex {
    db: Database,
    design: Arc<Design>,
    dir: PathBuf,
    /// The file, once it is whole.
    file: RwLock<Option<Arc<Index>>>,
    /// Held by whoever brings it up to date.
    pass: Mutex<()>,
    mapped: AtomicU64,
    used: AtomicU64,
}

impl Indexes {
    /// The index of a design document; nothing is built or read yet.
    pub fn index(&self, db: &Database, design: Design) -> Result<Arc<ViewIndex>, Error> {
        let key = (db.info()?.uuid, design.signature);
        let now = self.0.uses.fetch_add(1, Ordering::Relaxed);
        let mut open = self.0.open.lock();
        let index = open.entry(key).or_insert_with(|| {
            Arc::new(ViewIndex {
                db: db.clone(),
                design: Arc::new(design),
                dir: db.indexes_dir(),
                file: RwLock::default(),
                pass: Mutex::default(),
                mapped: AtomicU64::new(0),
                used: AtomicU64::new(now),
            })
        });
        index.used.store(now, Ordering::Relaxed);
        let index = index.clone();
        if open.len() > INDEXES_OPEN_MAX {
            close_least_used(&mut open);
        }
        Ok(index)
    }

    /// Those that are being brought up to date, with how many documents their pass has mapped.
    pub fn passes(&self) -> Vec<(Arc<ViewIndex>, u64)> {
        let open = self.0.open.lock();
        let running = open.values().filter(|index| index.pass.is_locked());
        running
            .map(|index| (index.clone(), index.mapped.load(Ordering::Relaxed)))
            .collect()
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

impl ViewIndex {
    /// What makes its rows.
    pub fn design(&self) -> &Arc<Design> {
        &self.design
    }

    /// Its database.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// Brings it up to date with what the database has when this is called, building it if need be.
    pub fn update(&self) -> Result<(), Error> {
        let goal = self.db.last_seq()?;
        let purges = self.db.info()?.purge_seq;
        let _pass = self.pass.lock();
        self.mapped.store(0, Ordering::Relaxed);
        if let Some(index) = self.file()? {
            let state = index.state()?;
            let here = crate::build::uuid(&self.db.info()?.uuid) == state.database;
            if here && state.seq >= goal && state.purge_seq >= purges {
                return Ok(());
            }
            match build::update(
                &self.db,
                &self.mapping(),
                &index,
                &mut self.reducers(),
                &|documents| self.count(documents),
            ) {
                Err(Error::Outdated | Error::Damaged) => {}
                updated => return updated,
            }
        }
        self.build()
    }

    /// What it holds now; `None` before it was built. Reducers are of the calling thread.
    pub fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        match self.file()? {
            Some(index) => Snapshot::of(index).map(Some),
            None => Ok(None),
        }
    }

    /// Up to where it is; `None` before it was built.
    pub fn state(&self) -> Result<Option<IndexState>, Error> {
        self.file()?.map(|index| index.state()).transpose()
    }

    /// Bytes of its file.
    pub fn file_bytes(&self) -> u64 {
        std::fs::metadata(self.path()).map_or(0, |data| data.len())
    }

    pub(crate) fn reducers(&self) -> Reducers {
        Reducers::new(self.design.clone())
    }

    fn mapping(&self) -> Mapping {
        Mapping::new(self.design.clone())
    }

    fn count(&self, documents: u64) {
        self.mapped.fetch_add(documents, Ordering::Relaxed);
    }

    fn path(&self) -> PathBuf {
        self.dir.join(self.design.signature.to_string())
    }

    fn file(&self) -> Result<Option<Arc<Index>>, Error> {
        if let Some(index) = &*self.file.read() {
            return Ok(Some(index.clone()));
        }
        let mut file = self.file.write();
        if file.is_none() && self.path().exists() {
            match self.open(self.path()) {
                Ok(index) => *file = Some(Arc::new(index)),
                // Made anew by the next pass.
                Err(error) => tracing::warn!(%error, "an index file is of no use"),
            }
        }
        Ok(file.clone())
    }

    fn open(&self, path: PathBuf) -> Result<Index, Error> {
        let views = u16::try_from(self.design.maps.len()).unwrap_or(u16::MAX);
        Index::open(&path, views, INDEX_CACHE_BYTES)
    }

    fn build(&self) -> Result<(), Error> {
        std::fs::create_dir_all(&self.dir)?;
        let building = self.path().with_extension("building");
        // Left by a process that did not come to its end.
        let _ = std::fs::remove_file(&building);
        let index = self.open(building.clone())?;
        let built = build::build(
            &self.db,
            &self.mapping(),
            &index,
            &self.dir,
            &mut self.reducers(),
            &|documents| self.count(documents),
        );
        drop(index);
        if let Err(error) = built {
            let _ = std::fs::remove_file(&building);
            return Err(error);
        }
        let mut file = self.file.write();
        *file = None;
        std::fs::rename(&building, self.path())?;
        *file = Some(Arc::new(self.open(self.path())?));
        Ok(())
    }
}
