//! What redb reads and writes: a file, watched for failures; and what stands in for it where a file will not do.

use crate::{Error, StoreOptions};
use parking_lot::{Mutex, RwLock};
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Gives a test its own storage in place of the file system's; see [`StoreOptions::backend`].
#[derive(Clone)]
pub struct BackendSeam(pub Arc<BackendFactory>);

type BackendFactory = dyn Fn(&Path) -> io::Result<Box<dyn StorageBackend>> + Send + Sync;

impl std::fmt::Debug for BackendSeam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackendSeam")
    }
}

/// The file of a database that exists.
pub(crate) fn open_backend(path: &Path, options: &StoreOptions) -> Result<Box<dyn StorageBackend>, Error> {
    let opening = Error::io("opening a database file");
    match &options.backend {
        Some(BackendSeam(make)) => make(path).map_err(opening),
        None => {
            let file = File::options()
                .read(true)
                .write(true)
                .open(path)
                .map_err(opening)?;
            Ok(Box::new(FileBackend::new(file)?))
        }
    }
}

/// Remembers whether anything failed: redb refuses all access to a file from then on, and it must be opened again.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) under: Arc<dyn StorageBackend>,
    pub(crate) failed: Arc<AtomicBool>,
}

impl Watched {
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.watch(self.under.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.watch(self.under.read(offset, out))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch(self.under.set_len(len))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.watch(self.under.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watch(self.under.write(offset, data))
    }
    fn close(&self) -> io::Result<()> {
        self.under.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.under.try_lock_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.under.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.under.query_lock_range(start, end)
    }
}

/// A file that is only read until its first commit: what redb writes to open it and to close it again is held in memory
/// until then. So a database that nobody writes to costs no sync when it is opened, is not found unclosed after a crash,
/// and can be read on a disk that takes no writes.
#[derive(Debug)]
pub(crate) struct Held {
    under: Box<dyn StorageBackend>,
    /// `None` once the file takes everything itself.
    over: RwLock<Option<Over>>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// What of the file below was never cut off.
    kept: u64,
    /// By page number.
    pages: BTreeMap<u64, Box<[u8]>>,
    /// What the file is yet to take, in order: a crash on the way must find what redb expects to find.
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Write(u64, Box<[u8]>),
    Length(u64),
    Sync,
}

const PAGE: usize = 4096;

impl Held {
    pub(crate) fn over(under: Box<dyn StorageBackend>) -> io::Result<Held> {
        let len = under.len()?;
        let over = Over {
            len,
            kept: len,
            pages: BTreeMap::new(),
            steps: Vec::new(),
        };
        Ok(Held {
            under,
            over: RwLock::new(Some(over)),
        })
    }

    /// Whether the file has taken nothing yet. Asked first by whatever changes the file, so that nobody who reads it is
    /// kept waiting once it takes everything itself.
    pub(crate) fn is_held(&self) -> bool {
        self.over.read().is_some()
    }

    /// Gives the file what was held back; from now on it takes everything itself. When it does not take it, all stays as
    /// it was, and this may be tried again.
    pub(crate) fn release(&self) -> io::Result<()> {
        if !self.is_held() {
            return Ok(());
        }
        let mut over = self.over.write();
        for step in over.iter().flat_map(|over| &over.steps) {
            match step {
                Step::Write(offset, data) => self.under.write(*offset, data)?,
                Step::Length(len) => self.under.set_len(*len)?,
                Step::Sync => self.under.sync_data()?,
            }
        }
        *over = None;
        Ok(())
    }

    fn read_under(&self, kept: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = kept.saturating_sub(offset).min(out.len() as u64);
        let (from_file, grown) = out.split_at_mut(there as usize);
        grown.fill(0);
        self.under.read(offset, from_file)
    }
}

/// The parts of pages that a range covers: page number, start in the page, start in the range, length.
fn pages_of(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let start = (at % PAGE as u64) as usize;
        let part = (length - done).min(PAGE - start);
        let item = (at / PAGE as u64, start, done, part);
        done += part;
        (part > 0).then_some(item)
    })
}

impl StorageBackend for Held {
    fn len(&self) -> io::Result<u64> {
        match &*self.over.read() {
            Some(over) => Ok(over.len),
            None => self.under.len(),
        }
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over.read();
        let Some(over) = &*over else {
            return self.under.read(offset, out);
        };
        if offset + out.len() as u64 > over.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_under(over.kept, offset, out)?;
        for (page, start, at, part) in pages_of(offset, out.len()) {
            let from = over
                .pages
                .get(&page)
                .and_then(|page| page.get(start..start + part));
            if let (Some(from), Some(to)) = (from, out.get_mut(at..at + part)) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        if !self.is_held() {
            return self.under.set_len(len);
        }
        let mut over = self.over.write();
        let Some(over) = &mut *over else {
            return self.under.set_len(len);
        };
        over.len = len;
        over.kept = over.kept.min(len);
        over.pages.retain(|number, _| number * (PAGE as u64) < len);
        over.steps.push(Step::Length(len));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        if !self.is_held() {
            return self.under.sync_data();
        }
        let mut over = self.over.write();
        let Some(over) = &mut *over else {
            return self.under.sync_data();
        };
        over.steps.push(Step::Sync);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.is_held() {
            return self.under.write(offset, data);
        }
        let mut over = self.over.write();
        let Some(over) = &mut *over else {
            return self.under.write(offset, data);
        };
        for (number, start, at, part) in pages_of(offset, data.len()) {
            if !over.pages.contains_key(&number) {
                let mut page = vec![0; PAGE];
                self.read_under(over.kept, number * PAGE as u64, &mut page)?;
                over.pages.insert(number, page.into());
            }
            let page = over.pages.get_mut(&number);
            let to = page.and_then(|page| page.get_mut(start..start + part));
            if let (Some(to), Some(from)) = (to, data.get(at..at + part)) {
                to.copy_from_slice(from);
            }
        }
        over.steps.push(Step::Write(offset, data.into()));
        Ok(())
    }
    fn close(&self) -> io::Result<()> {
        self.under.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.under.try_lock_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.under.unlock_range(start, end)
    }
}

/// The bytes of a file that is still being laid out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    /// Leaves out pages of zeros, so that the file is as sparse as redb's own.
    pub(crate) fn write_to(&self, path: &Path) -> io::Result<()> {
        let bytes = self.0.lock();
        let mut file = std::fs::File::create_new(path)?;
        file.set_len(bytes.len() as u64)?;
        for (index, page) in bytes.chunks(PAGE).enumerate() {
            if page.iter().any(|&byte| byte != 0) {
                file.seek(SeekFrom::Start((index * PAGE) as u64))?;
                file.write_all(page)?;
            }
        }
        file.sync_all()
    }
}

impl StorageBackend for Image {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let bytes = self.0.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let from = bytes.get(start..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0
            .lock()
            .resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut bytes = self.0.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let to = bytes.get_mut(start..).and_then(|rest| rest.get_mut(..data.len()));
        to.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}
