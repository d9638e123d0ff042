//! One database's redb file while it is open, and how a new one is made.

use crate::backend::{BackendSeam, Held, Image, Watched, open_backend};
use crate::feeds::Feeds;
use crate::pending::Marks;
use crate::tables::{self, Incarnation, State, meta};
use crate::{DatabaseOptions, Error, StoreOptions};
use parking_lot::{Mutex, RwLock};
use redb::{ReadableDatabase, StorageBackend};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use trunkline_core::access::Security;
use trunkline_core::attachment::ContentHash;
use trunkline_core::limits::{PURGED_INFOS_LIMIT_DEFAULT, REVS_LIMIT_DEFAULT};

/// The redb file of a database, in its directory.
pub(crate) const FILE_NAME: &str = "documents.redb";
/// A compacted copy on its way to replace [`FILE_NAME`].
pub(crate) const COMPACTED_NAME: &str = "documents.redb.compacted";
/// Where attachment files are, in the database's directory.
pub(crate) const ATTACHMENTS_NAME: &str = "attachments";

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
    /// Whether interactive edits are refused.
    pub(crate) mirror: AtomicBool,
    /// Whether ids name partitions.
    pub(crate) partitioned: bool,
    pub(crate) post: crate::guard::Post,
    /// `_security`, read.
    pub(crate) rules: RwLock<Arc<Security>>,
    /// As of the newest commit. Only the leader writes them.
    pub(crate) feeds: Mutex<Feeds>,
    pub(crate) pins: crate::pinned::Pins,
    /// Attachment files without a row, and the commit that dropped the row: unlinked once that is durable.
    pub(crate) unreferenced: Mutex<BTreeMap<ContentHash, u64>>,
    /// Counts commits since the file was opened.
    pub(crate) commits: AtomicU64,
    /// The newest of them that is durable.
    pub(crate) durable: AtomicU64,
    pub(crate) marks: Marks,
    /// The durable [`meta::SEQ_FLOOR`]; 0 for none.
    pub(crate) seq_floor: AtomicU64,
    /// Set at the first failed access to the file.
    failed: Arc<AtomicBool>,
    held: Arc<Held>,
}

impl OpenFile {
    /// Opens the file of the database in `dir`.
    pub(crate) fn open(dir: &Path, options: &StoreOptions) -> Result<OpenFile, Error> {
        let path = dir.join(FILE_NAME);
        if options.backend.is_none() {
            // A compaction that did not come to its end; the original is whole.
            let _ = std::fs::remove_file(dir.join(COMPACTED_NAME));
        }
        OpenFile::open_at(dir, &path, options)
    }

    /// Opens the file at `path` for the database in `dir`. Until [`OpenFile::release`] it is only read.
    pub(crate) fn open_at(dir: &Path, path: &Path, options: &StoreOptions) -> Result<OpenFile, Error> {
        let opening = Error::io("opening a database file");
        let held = Arc::new(Held::over(open_backend(path, options)?).map_err(opening)?);
        let failed = Arc::default();
        let (redb, repaired) = open_redb(held.clone(), &failed, options)?;
        let file = OpenFile::load(dir, redb, failed, held)?;
        // A repair reads the whole file: once is enough, where the disk takes what came of it.
        if repaired && let Err(error) = file.release() {
            tracing::warn!("{} was repaired in memory only: {error}", path.display());
        }
        Ok(file)
    }

    fn load(
        dir: &Path,
        redb: redb::Database,
        failed: Arc<AtomicBool>,
        held: Arc<Held>,
    ) -> Result<OpenFile, Error> {
        let txn = redb.begin_read()?;
        let meta = txn.open_table(tables::META)?;
        let state = meta.get(meta::STATE)?.ok_or_else(no_meta)?;
        let incarnation = meta.get(meta::INCARNATION)?.ok_or_else(no_meta)?;
        let number = |key: &[u8]| -> Result<Option<u64>, Error> {
            let row = meta.get(key)?;
            Ok(row.map(|row| tables::decode_number(row.value())).transpose()?)
        };
        let limit = |key: &[u8], default: u32| -> Result<AtomicU32, Error> {
            let number = number(key)?.and_then(|number| u32::try_from(number).ok());
            Ok(AtomicU32::new(number.unwrap_or(default)))
        };
        let floor = number(meta::SEQ_FLOOR)?.unwrap_or(0);
        let security = meta.get(meta::SECURITY)?;
        let security = security
            .as_ref()
            .map(|row| tables::decode_text(row.value()))
            .transpose()?;
        let mut state = State::decode(state.value())?;
        // Readers may have seen any seq up to the floor.
        state.update_seq = state.update_seq.max(floor);
        let file = OpenFile {
            dir: dir.to_owned(),
            incarnation: Incarnation::decode(incarnation.value())?,
            state: Mutex::new(state),
            revs_limit: limit(meta::REVS_LIMIT, REVS_LIMIT_DEFAULT)?,
            purged_infos_limit: limit(meta::PURGED_INFOS_LIMIT, PURGED_INFOS_LIMIT_DEFAULT)?,
            mirror: AtomicBool::new(number(meta::MIRROR)?.is_some_and(|number| number != 0)),
            partitioned: number(meta::PARTITIONED)?.is_some_and(|number| number != 0),
            post: crate::guard::Post::default(),
            rules: RwLock::new(rules(security)),
            feeds: Mutex::new(crate::feeds::load(&txn)?),
            pins: crate::pinned::Pins::default(),
            unreferenced: Mutex::default(),
            commits: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            marks: Marks::default(),
            seq_floor: AtomicU64::new(floor),
            failed,
            held,
            redb,
        };
        Ok(file)
    }

    /// Bytes that this file's cache holds now.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.redb.cache_stats().used_bytes()
    }

    /// Whether an access failed. redb refuses any other from then on, and what is really on disk shows when the file is
    /// opened again.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Lets the file take commits; when it does not, it can still be read.
    pub(crate) fn release(&self) -> Result<(), Error> {
        self.held
            .release()
            .map_err(Error::io("writing to a database file"))
    }

    /// Whether nothing was ever committed through this opening of the file.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_held()
    }

    /// Called when the file is given up: another of the same name may have content that this one dropped.
    pub(crate) fn retire(&self) {
        self.unreferenced.lock().clear();
        self.pins.end();
        if !self.is_durable() {
            tracing::error!("relaxed writes to {} may be lost", self.dir.display());
        }
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

/// Opens redb, and tells whether it had to repair what an earlier process left.
fn open_redb(
    under: Arc<dyn StorageBackend>,
    failed: &Arc<AtomicBool>,
    options: &StoreOptions,
) -> Result<(redb::Database, bool), redb::DatabaseError> {
    let repaired = Arc::new(AtomicBool::new(false));
    let repairing = repaired.clone();
    let redb = redb::Builder::new()
        .set_cache_size(options.cache_bytes_per_database())
        .set_repair_callback(move |_| repairing.store(true, Ordering::Relaxed))
        .create_with_backend(Watched {
            under,
            failed: failed.clone(),
        })?;
    Ok((redb, repaired.load(Ordering::Relaxed)))
}

/// Makes the file of a new database. All of it is laid out in memory, then written and synced once, since redb's own
/// creation would sync for every step of it.
pub(crate) fn create_file(
    dir: &Path,
    incarnation: &Incarnation,
    database: DatabaseOptions,
    options: &StoreOptions,
) -> Result<(), Error> {
    let path = dir.join(FILE_NAME);
    if let Some(BackendSeam(make)) = &options.backend {
        let backend = make(&path).map_err(Error::io("opening the test backend"))?;
        let (redb, _) = open_redb(backend.into(), &Arc::default(), options)?;
        return create_tables(&redb, incarnation, database);
    }
    let image = Image::default();
    let redb = redb::Builder::new()
        .set_cache_size(1 << 20)
        .create_with_backend(image.clone())?;
    create_tables(&redb, incarnation, database)?;
    drop(redb);
    image
        .write_to(&path)
        .map_err(Error::io("writing a new database file"))
}

/// Makes all tables and the first rows of `meta`.
fn create_tables(
    redb: &redb::Database,
    incarnation: &Incarnation,
    database: DatabaseOptions,
) -> Result<(), Error> {
    let txn = redb.begin_write()?;
    {
        let mut rows = txn.open_table(tables::META)?;
        rows.insert(meta::INCARNATION, incarnation.encode().as_slice())?;
        let state = State {
            time_ms: incarnation.created_ms,
            ..State::default()
        };
        rows.insert(meta::STATE, state.encode().as_slice())?;
        if database.partitioned {
            rows.insert(meta::PARTITIONED, tables::encode_number(1).as_slice())?;
        }
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

/// What a text of `_security` says. One that cannot be read, kept by a version that took it, lets nobody in.
pub(crate) fn rules(text: Option<&str>) -> Arc<Security> {
    let read = text.map(trunkline_wire::security::parse);
    Arc::new(match read {
        Some(Ok(security)) => security,
        Some(Err(_)) | None => Security::closed(),
    })
}
