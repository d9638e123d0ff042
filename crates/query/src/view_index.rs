//! The index of a design document's views in one database: building it, bringing it up to date, reading it.

use crate::Error;
use crate::build;
use crate::design::Design;
use crate::index::{Index, IndexState, Part, Snapshot, Step, whole};
use crate::indexes::OpenSeam;
use crate::mapper::Mapping;
use crate::patience::Patience;
use crate::reducers::Reducers;
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_core::limits::INDEX_CACHE_BYTES;
use trunkline_store::Database;

/// The index of a design document's views in one database.
#[derive(Debug)]
pub struct ViewIndex {
    db: Database,
    design: Arc<Design>,
    dir: PathBuf,
    /// Of the database.
    incarnation: [u8; 16],
    /// The file, once it is whole.
    file: RwLock<Option<Arc<Index>>>,
    /// What it shows, when that is one moment.
    pinned: Option<Arc<Snapshot>>,
    /// The index that this is a moment of: while the file is read it must not be opened a second time.
    _of: Option<Arc<ViewIndex>>,
    /// Held by whoever brings it up to date.
    pass: Mutex<()>,
    mapped: AtomicU64,
    passes: AtomicU64,
    pub(crate) used: AtomicU64,
    seam: Option<OpenSeam>,
    /// Of its database, when the file was opened.
    losses: AtomicU64,
}

/// Passes of which one is made durable: until then what they replace takes room in the file.
const PASSES_PER_SYNC: u64 = 32;

impl ViewIndex {
    pub(crate) fn new(
        db: &Database,
        design: Design,
        incarnation: [u8; 16],
        seam: Option<OpenSeam>,
    ) -> ViewIndex {
        ViewIndex {
            db: db.whole().unpinned(),
            design: Arc::new(design),
            dir: db.indexes_dir(),
            incarnation,
            file: RwLock::default(),
            pinned: None,
            _of: None,
            pass: Mutex::default(),
            mapped: AtomicU64::new(0),
            passes: AtomicU64::new(0),
            used: AtomicU64::new(0),
            seam,
            losses: AtomicU64::new(db.losses()),
        }
    }

    /// How many documents the pass that runs has mapped; `None` when none does.
    pub fn pass(&self) -> Option<u64> {
        let mapped = self.mapped.load(Ordering::Relaxed);
        self.pass.is_locked().then_some(mapped)
    }

    /// What makes its rows.
    pub fn design(&self) -> &Arc<Design> {
        &self.design
    }

    /// Its database, all of it: not as one sees it who asks.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// Where the database is now.
    pub fn goal(&self) -> Result<IndexState, Error> {
        build::state_of(&self.db)
    }

    /// Whether all is in it that the database had at that moment.
    pub fn reached(&self, goal: &IndexState) -> Result<bool, Error> {
        let reached = |state: IndexState| {
            state.database == goal.database && state.seq >= goal.seq && state.purge_seq >= goal.purge_seq
        };
        Ok(self.state()?.is_some_and(reached))
    }

    /// Builds it anew beside the file that is there, which is answered from meanwhile.
    pub fn rebuild(&self) -> Result<(), Error> {
        let _pass = self.pass.lock();
        self.mapped.store(0, Ordering::Relaxed);
        self.build(&self.db)
    }

    /// Brings it up to date with what the database has when this is called, building it if need be.
    pub fn update(&self) -> Result<(), Error> {
        let goal = self.goal()?;
        let _pass = self.pass.lock();
        self.bring_up(&self.db, &goal)
    }

    /// Brings it up to a moment of its database, for whoever holds up other passes.
    pub(crate) fn bring_up(&self, db: &Database, goal: &IndexState) -> Result<(), Error> {
        self.mapped.store(0, Ordering::Relaxed);
        if let Some(index) = self.file()? {
            if self.reached(goal)? {
                return Ok(());
            }
            match build::update(
                db,
                &self.mapping(),
                &index,
                &mut self.reducers(),
                &|documents| self.count(documents),
                self.passes.fetch_add(1, Ordering::Relaxed) % PASSES_PER_SYNC == PASSES_PER_SYNC - 1,
            ) {
                Err(Error::Outdated | Error::Damaged) => {}
                Err(Error::Io(cause)) => {
                    // redb takes nothing more after a failure: the file is opened anew by whoever comes next.
                    *self.file.write() = None;
                    return Err(Error::Io(cause));
                }
                updated => return updated,
            }
        }
        self.build(db)
    }

    /// What it holds now; `None` before it was built.
    pub fn snapshot(&self) -> Result<Option<Arc<Snapshot>>, Error> {
        if self.pinned.is_some() {
            self.db.check_pinned()?;
            return Ok(self.pinned.clone());
        }
        match self.file()? {
            Some(index) => Ok(Some(Arc::new(Snapshot::of(index)?))),
            None => Ok(None),
        }
    }

    /// The same index as it is now, whatever becomes of it; `db` is its database at that moment.
    pub(crate) fn pinned(self: &Arc<Self>, db: Database) -> Result<ViewIndex, Error> {
        let mut pinned = ViewIndex::new(&db, self.design.as_ref().clone(), self.incarnation, None);
        pinned.pinned = self.snapshot()?;
        pinned.db = db.whole();
        pinned._of = Some(self.clone());
        Ok(pinned)
    }

    /// Up to where it is; `None` before it was built.
    pub fn state(&self) -> Result<Option<IndexState>, Error> {
        if let Some(pinned) = &self.pinned {
            self.db.check_pinned()?;
            return Ok(Some(pinned.state().clone()));
        }
        self.file()?.map(|index| index.state()).transpose()
    }

    /// Bytes of its file.
    pub fn file_bytes(&self) -> u64 {
        std::fs::metadata(self.path()).map_or(0, |data| data.len())
    }

    /// Bytes of its rows, in all views.
    pub fn rows_bytes(&self) -> Result<u64, Error> {
        let Some(snapshot) = self.snapshot()? else {
            return Ok(0);
        };
        let mut bytes = 0;
        for view in (0..).take(self.design.maps.len()) {
            snapshot.walk(&whole(view), false, &mut |part| {
                if let Part::Head(head) = part {
                    bytes += head.bytes;
                }
                Ok(Step::Next)
            })?;
        }
        Ok(bytes)
    }

    /// Holds up passes; `None` while one runs.
    pub(crate) fn try_hold(&self) -> Option<MutexGuard<'_, ()>> {
        self.pass.try_lock()
    }

    /// Holds up passes, once the one that runs has ended.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.pass.lock()
    }

    pub(crate) fn reducers(&self) -> Reducers {
        self.reducers_with(Arc::default())
    }

    pub(crate) fn reducers_with(&self, patience: Arc<Patience>) -> Reducers {
        Reducers::new(self.design.clone(), patience)
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
        if let Some(index) = &*self.file.read()
            && !self.is_of_no_use(index)
        {
            return Ok(Some(index.clone()));
        }
        let mut file = self.file.write();
        if file.take_if(|index| self.is_of_no_use(index)).is_some() {
            tracing::warn!(path = %self.path().display(), "an index file is removed, to be made anew");
            std::fs::remove_file(self.path())?;
            self.losses.store(self.db.losses(), Ordering::Release);
        }
        if file.is_none() && self.path().exists() {
            let opened = self.open(self.path());
            let state = opened.as_ref().map(Index::state);
            match opened {
                // Nothing else says that a folder belongs to another incarnation of the database.
                Ok(index)
                    if matches!(state, Ok(Ok(state)) if state.database == self.incarnation)
                        && !self.is_of_no_use(&index) =>
                {
                    *file = Some(Arc::new(index));
                }
                Ok(_) => tracing::warn!("an index file is of another database, or damaged"),
                // Made anew by the next pass.
                Err(error) => tracing::warn!(%error, "an index file is of no use"),
            }
        }
        Ok(file.clone())
    }

    /// It is damaged, or may have rows of documents that a failing disk took back.
    fn is_of_no_use(&self, index: &Index) -> bool {
        index.is_damaged() || self.losses.load(Ordering::Acquire) != self.db.losses()
    }

    fn open(&self, path: PathBuf) -> Result<Index, Error> {
        let views = u16::try_from(self.design.maps.len()).unwrap_or(u16::MAX);
        match &self.seam {
            Some(OpenSeam(open)) => Index::opened_by(&|| open(&path), views),
            None => Index::open(&path, views, INDEX_CACHE_BYTES),
        }
    }

    fn build(&self, db: &Database) -> Result<(), Error> {
        // Not what it is in: a database that was deleted meanwhile must not come back as a directory.
        match std::fs::create_dir(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let losses = self.db.losses();
        let building = self.path().with_extension("building");
        // Left by a process that did not come to its end.
        let _ = std::fs::remove_file(&building);
        let index = self.open(building.clone())?;
        let built = build::build(
            db,
            &self.mapping(),
            &index,
            &self.dir,
            &mut self.reducers(),
            &|documents| self.count(documents),
        );
        let built = built.and_then(|()| {
            let count = |documents| self.count(documents);
            build::update(db, &self.mapping(), &index, &mut self.reducers(), &count, true)
        });
        drop(index);
        if let Err(error) = built {
            let _ = std::fs::remove_file(&building);
            return Err(error);
        }
        let mut file = self.file.write();
        *file = None;
        std::fs::rename(&building, self.path())?;
        *file = Some(Arc::new(self.open(self.path())?));
        self.losses.store(losses, Ordering::Release);
        Ok(())
    }
}

impl Drop for ViewIndex {
    fn drop(&mut self) {
        let Some(index) = self.file.get_mut().clone() else {
            return;
        };
        // To close the file makes it durable, and it must not outlive what it was made of.
        let flushed = self.db.flush();
        if let Err(error) = &flushed {
            tracing::debug!(%error, "an index is closed whose database is gone");
        }
        if matches!(flushed, Err(trunkline_store::Error::Io(..))) || self.is_of_no_use(&index) {
            let _ = std::fs::remove_file(self.path());
        }
    }
}
