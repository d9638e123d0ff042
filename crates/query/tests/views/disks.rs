//! All disks of a database and its indexes, in one order of time: a power cut takes from each what was not synced.
//!
//! Index files are found, renamed and removed in a real folder, where each holds nothing but the number of its disk.

use crate::edits::name;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::StorageBackend;
use std::io;
use std::path::Path;
use std::sync::Arc;
use trunkline_query::{Indexes, OpenSeam};
use trunkline_store::{BackendSeam, Store, StoreOptions};
use trunkline_testkit::crash::Disk;

/// The first is the database's.
#[derive(Clone, Debug)]
pub(crate) struct Disks(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Of the index files.
    folder: std::path::PathBuf,
    disks: Vec<Disk>,
    random: StdRng,
    /// How likely the power is cut before a write.
    odds: f64,
    cuts: Vec<Cut>,
}

/// What a power cut left.
#[derive(Debug)]
pub(crate) struct Cut {
    disks: Vec<Vec<u8>>,
    /// Names of index files, and what they hold.
    files: Vec<(std::ffi::OsString, Vec<u8>)>,
}

/// A disk among the others.
#[derive(Debug)]
struct One(Disks, Disk);

impl Disks {
    /// Of a store in `dir`, as they were after a cut, or empty.
    pub(crate) fn new(dir: &Path, after: Option<&Cut>, odds: f64, random: &mut StdRng) -> Disks {
        let folder = dir.join("databases/calls/indexes");
        let mut disks = vec![Disk::forgetful(Vec::new())];
        if let Some(cut) = after {
            std::fs::create_dir_all(&folder).unwrap();
            for (name, number) in &cut.files {
                std::fs::write(folder.join(name), number).unwrap();
            }
            disks = cut.disks.iter().cloned().map(Disk::forgetful).collect();
        }
        Disks(Arc::new(Mutex::new(State {
            folder,
            disks,
            random: StdRng::from_rng(random),
            odds,
            cuts: Vec::new(),
        })))
    }

    pub(crate) fn store(&self, dir: &Path) -> Store {
        let disks = self.clone();
        let options = StoreOptions {
            backend: Some(BackendSeam(Arc::new(move |_| Ok(Box::new(disks.one(0)))))),
            ..StoreOptions::default()
        };
        let store = Store::open_with(dir, options).unwrap();
        if store.database(&name()).is_err() {
            store.create(&name()).unwrap();
        }
        store
    }

    pub(crate) fn indexes(&self) -> Indexes {
        let disks = self.clone();
        Indexes::opened_by(OpenSeam(Arc::new(move |path| {
            let one = disks.one(disks.number(path)?);
            redb::Builder::new().create_with_backend(one)
        })))
    }

    fn one(&self, number: usize) -> One {
        One(self.clone(), self.0.lock().disks[number].clone())
    }

    /// Which disk a file is on; a new one for a new file.
    fn number(&self, path: &Path) -> io::Result<usize> {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text.parse().map_err(io::Error::other);
        }
        let disks = &mut self.0.lock().disks;
        disks.push(Disk::forgetful(Vec::new()));
        std::fs::write(path, (disks.len() - 1).to_string())?;
        Ok(disks.len() - 1)
    }

    /// What the cuts left that came so far.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
        std::mem::take(&mut self.0.lock().cuts)
    }

    fn operate<T>(&self, then: impl FnOnce() -> T) -> T {
        let mut state = self.0.lock();
        let odds = state.odds;
        if state.random.random_bool(odds) {
            let State { disks, random, .. } = &mut *state;
            let disks = disks.iter().map(|disk| disk.crash(random)).collect();
            let files = std::fs::read_dir(&state.folder).into_iter().flatten().flatten();
            let files = files.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()));
            let files = files.collect();
            state.cuts.push(Cut { disks, files });
        }
        then()
    }
}

impl StorageBackend for One {
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.1.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.operate(|| self.1.set_len(len))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.operate(|| self.1.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.operate(|| self.1.write(offset, data))
    }
}
