//! One database's redb file while it is open, and how a new one is made.

use crate::pending::Marks;
use crate::tables::{self, Incarnation, State, meta};
use crate::{Error, StoreOptions};
use parking_lot::Mutex;
use redb::{ReadableDatabase, StorageBackend};
use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use trunkline_core::attachment::ContentHash;
use trunkline_core::limits::{PURGED_INFOS_LIMIT_DEFAULT, REVS_LIMIT_DEFAULT};

/// The redb file of a database, in its directory.
pub(crate) const FILE_NAME: &str = "documents.redb";
/// A compacted copy on its way to replace [`FILE_NAME`].
pub(crate) const COMPACTED_NAME: &str = "documents.redb.compacted";
/// Where attachment files are, in the database's directory.
pub(crate) const ATTACHMENTS_NAME: &str = "attachments";

/// Gives a test its own storage in place of the file system's; see [`StoreOptions::backend`].
#[derive(Clone)]
pub struct BackendSeam(pub Arc<BackendFactory>);

type BackendFactory = dyn Fn(&Path) -> io::Result<Box<dyn StorageBackend>> + Send + Sync;

impl std::fmt::Debug for BackendSeam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackendSeam")
    }
}

/// An open redb file and what of it is kept in memory.
#[derive(Debug)]
pub(crate) struct OpenFile {
    /// The database's directory.
    pub(crate) dir: PathBuf,
    pub(crate) redb: redb::Database,
    pub(crate) incarnation: Incarnation,
    /// As of the newest commit, durable or not. Only the leader writes it.
    pub(crate) state: Mutex<State>,
    pub(crate) revs_limit: AtomicU32,
    pub(crate) purged_infos_limit: AtomicU32,
    /// Attachment files without a row, and the commit that dropped the row: unlinked once that is durable.
    pub(crate) unreferenced: Mutex<BTreeMap<ContentHash, u64>>,
    /// Counts commits since the file was opened.
    pub(crate) commits: AtomicU64,
    /// The newest of them that is durable.
    pub(crate) durable: AtomicU64,
    pub(crate) marks: Marks,
}

impl OpenFile {
    /// Opens the file of the database in `dir`.
    pub(crate) fn open(dir: &Path, options: &StoreOptions) -> Result<OpenFile, Error> {
        let path = dir.join(FILE_NAME);
        if options.backend.is_none() {
            // A compaction that did not come to its end; the original is whole.
            let _ = std::fs::remove_file(dir.join(COMPACTED_NAME));
        }
        let redb = open_redb(&path, options)?;
        OpenFile::load(dir, redb)
    }

    pub(crate) fn load(dir: &Path, redb: redb::Database) -> Result<OpenFile, Error> {
        let txn = redb.begin_read()?;
        let meta = txn.open_table(tables::META)?;
        let state = meta.get(meta::STATE)?.ok_or_else(no_meta)?;
        let incarnation = meta.get(meta::INCARNATION)?.ok_or_else(no_meta)?;
        let number = |key: &[u8], default: u32| -> Result<AtomicU32, Error> {
            let row = meta.get(key)?;
            let number = row.map(|row| tables::decode_number(row.value())).transpose()?;
            Ok(AtomicU32::new(
                number
                    .and_then(|number| u32::try_from(number).ok())
                    .unwrap_or(default),
            ))
        };
        let file = OpenFile {
            dir: dir.to_owned(),
            incarnation: Incarnation::decode(incarnation.value())?,
            state: Mutex::new(State::decode(state.value())?),
            revs_limit: number(meta::REVS_LIMIT, REVS_LIMIT_DEFAULT)?,
            purged_infos_limit: number(meta::PURGED_INFOS_LIMIT, PURGED_INFOS_LIMIT_DEFAULT)?,
            unreferenced: Mutex::default(),
            commits: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            marks: Marks::default(),
            redb,
        };
        Ok(file)
    }

    /// Bytes that this file's cache holds now.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.redb.cache_stats().used_bytes()
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire) >= self.commits.load(Ordering::Acquire)
    }
}

fn no_meta() -> Error {
    Error::Corrupt(format!("{FILE_NAME} lacks its meta rows"))
}

/// Where the bytes of a content are when they are a file: named by their hash, spread over 256 directories.
pub(crate) fn content_path(dir: &Path, hash: &ContentHash) -> PathBuf {
    let name = hex(hash);
    let (fan, _) = name.split_at(2);
    dir.join(ATTACHMENTS_NAME).join(fan).join(&name)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

pub(crate) fn open_redb(path: &Path, options: &StoreOptions) -> Result<redb::Database, Error> {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(options.cache_bytes_per_database());
    match &options.backend {
        None => Ok(builder.open(path)?),
        Some(BackendSeam(make)) => {
            let backend = make(path).map_err(Error::io("opening the test backend"))?;
            Ok(builder.create_with_backend(Boxed(backend))?)
        }
    }
}

/// Makes the file of a new database. All of it is laid out in memory, then written and synced once, since redb's own
/// creation would sync for every step of it.
pub(crate) fn create_file(
    dir: &Path,
    incarnation: &Incarnation,
    options: &StoreOptions,
) -> Result<(), Error> {
    let path = dir.join(FILE_NAME);
    if let Some(BackendSeam(make)) = &options.backend {
        let backend = make(&path).map_err(Error::io("opening the test backend"))?;
        let redb = redb::Builder::new().create_with_backend(Boxed(backend))?;
        return create_tables(&redb, incarnation);
    }
    let image = Image::default();
    let redb = redb::Builder::new()
        .set_cache_size(1 << 20)
        .create_with_backend(image.clone())?;
    create_tables(&redb, incarnation)?;
    drop(redb);
    image
        .write_to(&path)
        .map_err(Error::io("writing a new database file"))
}

/// Makes all tables and the first rows of `meta`.
fn create_tables(redb: &redb::Database, incarnation: &Incarnation) -> Result<(), Error> {
    let txn = redb.begin_write()?;
    {
        let mut rows = txn.open_table(tables::META)?;
        rows.insert(meta::INCARNATION, incarnation.encode().as_slice())?;
        let state = State {
            time_ms: incarnation.created_ms,
            ..State::default()
        };
        rows.insert(meta::STATE, state.encode().as_slice())?;
        for table in [tables::DOCS, tables::LOCAL, tables::ATTACHMENTS] {
            txn.open_table(table)?;
        }
        for table in [tables::BY_SEQ, tables::BODIES, tables::PURGES] {
            txn.open_table(table)?;
        }
    }
    txn.commit()?;
    Ok(())
}

/// A backend behind a box, since redb wants to own a sized one.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)
    }
    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }
}

/// The bytes of a file that is still being laid out.
#[derive(Clone, Debug, Default)]
struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    /// Leaves out pages of zeros, so that the file is as sparse as redb's own.
    fn write_to(&self, path: &Path) -> io::Result<()> {
        const PAGE: usize = 4096;
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
