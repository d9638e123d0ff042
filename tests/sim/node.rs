//! A node: a store on a disk that loses power. After a crash the disk holds what was synced and any part of what was
//! not; attachment files are as they were at that moment (files that were never synced are not lost here).

use parking_lot::Mutex;
use rand::Rng;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_replicate::LocalPeer;
use trunkline_store::{BackendSeam, Database, Store, StoreOptions};
use trunkline_testkit::crash::Disk;

/// The one database of each node.
pub(crate) fn name() -> DbName {
    DbName::parse("calls").unwrap()
}

/// A node while it runs.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) database: Database,
    /// One for all who call: what an upload left is there for the document that names it.
    peer: LocalPeer,
    pub(crate) disk: Disk,
    /// How often it was started.
    pub(crate) life: u32,
}

impl Running {
    pub(crate) fn peer(&self) -> LocalPeer {
        self.peer.clone()
    }

    /// Whether its disk has stopped: it is dead, and only does not know it yet.
    pub(crate) fn is_dying(&self) -> bool {
        self.disk.has_refused()
    }
}

/// Where a node is, running or not.
pub(crate) struct Seat {
    home: tempfile::TempDir,
    running: Mutex<Option<Running>>,
    /// What its disk held when it went down.
    left: Mutex<(u32, Vec<u8>)>,
}

impl Seat {
    /// A new node, running.
    pub(crate) fn new() -> Seat {
        let memory = Path::new("/dev/shm");
        let home = match memory.is_dir() {
            // Nothing here has to outlive the process, and syncing costs nothing there.
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let seat = Seat {
            home: home.unwrap(),
            running: Mutex::default(),
            left: Mutex::default(),
        };
        let disk = Disk::forgetful(Vec::new());
        let store = seat.open(0, &disk);
        let database = store.create(&name()).unwrap();
        *seat.running.lock() = Some(Running {
            peer: LocalPeer::from(&database).inline(),
            database,
            disk,
            life: 0,
        });
        seat
    }

    pub(crate) fn running(&self) -> Option<Running> {
        self.running.lock().clone()
    }

    /// Takes the power away.
    pub(crate) fn crash(&self, dice: &mut impl Rng) {
        let Some(running) = self.running.lock().take() else {
            return;
        };
        let image = running.disk.crash(dice);
        // Whoever still holds the old store changes nothing any more.
        running.disk.fail(true);
        let next = running.life + 1;
        copy(&self.dir(running.life), &self.dir(next));
        *self.left.lock() = (next, image);
    }

    /// Starts it again on what its disk kept.
    pub(crate) fn start(&self) -> Running {
        let (life, image) = std::mem::take(&mut *self.left.lock());
        let disk = Disk::forgetful(image);
        let store = self.open(life, &disk);
        let database = store.database(&name()).unwrap();
        let running = Running {
            peer: LocalPeer::from(&database).inline(),
            database,
            disk,
            life,
        };
        *self.running.lock() = Some(running.clone());
        running
    }

    fn dir(&self, life: u32) -> PathBuf {
        self.home.path().join(life.to_string())
    }

    fn open(&self, life: u32, disk: &Disk) -> Store {
        let disk = disk.clone();
        let options = StoreOptions {
            backend: Some(BackendSeam(Arc::new(move |_| Ok(disk.backend())))),
            cache_bytes: 4 << 20,
            ..StoreOptions::default()
        };
        Store::open_with(self.dir(life), options).unwrap()
    }
}

/// Second names for all files: what happens to them under the old names is none of the new ones' business.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else if entry.file_name() == "store" {
            // The old one is still locked.
            fs::copy(entry.path(), to).unwrap();
        } else {
            fs::hard_link(entry.path(), to).unwrap();
        }
    }
}
