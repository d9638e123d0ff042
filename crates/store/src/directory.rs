//! The store directory: its identity and lock, and which databases there are.
//!
//! ```text
//! store              format version and node uuid; locked while a process has the store open
//! databases/NAME/    a database; NAME is its name with `/` written as `.`, which no database name contains
//!   indexes/         whatever is made of its documents, and can be made anew
//! tmp/               databases being made or being deleted; emptied at open
//! ```

use crate::database::Inner;
use crate::file::{create_file, hex};
use crate::flush::Flusher;
use crate::tables::Incarnation;
use crate::updates::Updates;
use crate::{Database, DatabaseOptions, DbEvent, DbUpdate, Error, Store, StoreOptions};
use event_listener::EventListener;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_core::db_name::DbName;
use uuid::Uuid;

const STORE_FILE: &str = "store";
const DATABASES: &str = "databases";
const TMP: &str = "tmp";
const FORMAT_LINE: &str = "trunkline store 1";

/// What all handles of one store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    uuid: String,
    pub(crate) options: StoreOptions,
    /// Holds the directory's lock while it lives.
    lock: File,
    databases: RwLock<BTreeMap<DbName, Arc<Inner>>>,
    /// Serialises creation and deletion, whose file operations take milliseconds, apart from look-ups.
    changing: Mutex<()>,
    /// Databases whose redb file is open.
    pub(crate) open: Mutex<Vec<Arc<Inner>>>,
    /// Counts uses of databases, to know which was used least recently.
    pub(crate) uses: AtomicU64,
    pub(crate) updates: Updates,
    pub(crate) flusher: Flusher,
    pub(crate) guard_makers: crate::guard::Makers,
    pub(crate) companions: crate::companion::Companions,
    pub(crate) closed: AtomicBool,
    /// Staged files older than this are no living process's.
    pub(crate) opened_at: SystemTime,
    rubbish: Mutex<Option<Sender<Rubbish>>>,
}

/// A deleted database: dropping the file closes it, which may take a while, as may the unlinking.
struct Rubbish {
    file: Option<Arc<crate::file::OpenFile>>,
    dir: PathBuf,
}

impl Store {
    /// Opens a directory, and makes it when it is not there.
    pub fn open(dir: impl AsRef<Path>) -> Result<Store, Error> {
        Store::open_with(dir, StoreOptions::default())
    }

    /// Opens with other settings than the defaults.
    pub fn open_with(dir: impl AsRef<Path>, options: StoreOptions) -> Result<Store, Error> {
        let dir = dir.as_ref().to_owned();
        fs::create_dir_all(&dir).map_err(Error::io("making the store directory"))?;
        for part in [DATABASES, TMP] {
            make_own(&dir.join(part)).map_err(Error::io("making the store directory"))?;
        }
        let (lock, uuid) = open_store_file(&dir)?;
        let databases = list_databases(&dir.join(DATABASES)).map_err(Error::io("listing databases"))?;
        let store = Store {
            shared: Arc::new(Shared {
                uuid,
                options,
                lock,
                databases: RwLock::new(databases),
                changing: Mutex::default(),
                open: Mutex::default(),
                uses: AtomicU64::new(1),
                updates: Updates::default(),
                flusher: Flusher::default(),
                guard_makers: crate::guard::Makers::default(),
                companions: crate::companion::Companions::default(),
                closed: AtomicBool::new(false),
                opened_at: SystemTime::now(),
                rubbish: Mutex::default(),
                dir,
            }),
        };
        store.shared.empty_tmp();
        // What happened before is not remembered, so that for whoever asks anything may have.
        for name in store.shared.databases.read().keys() {
            store.shared.updates.record(name, DbEvent::Updated);
        }
        Ok(store)
    }

    /// This node's uuid (32 hexadecimal digits), made with the directory and kept with it.
    pub fn uuid(&self) -> &str {
        &self.shared.uuid
    }

    /// Creates a database. `Error::DatabaseExists` when there is one.
    pub fn create(&self, name: &DbName) -> Result<Database, Error> {
        self.create_with(name, DatabaseOptions::default())
    }

    /// Creates one with other options than the defaults.
    pub fn create_with(&self, name: &DbName, options: DatabaseOptions) -> Result<Database, Error> {
        if options.partitioned && name.is_system() {
            return Err(Error::PartitionedSystem(name.clone()));
        }
        let _changing = self.shared.changing.lock();
        self.shared.check_open()?;
        if self.shared.databases.read().contains_key(name) {
            return Err(Error::DatabaseExists(name.clone()));
        }
        self.shared.make_directory(name, options)?;
        let inner = Arc::new(Inner::new(name.clone()));
        self.shared.databases.write().insert(name.clone(), inner.clone());
        self.shared.updates.record(name, DbEvent::Created);
        Ok(Database {
            store: self.clone(),
            inner,
            pinned: None,
            asker: None,
        })
    }

    /// Opens a database. `Error::DatabaseMissing` when there is none.
    pub fn database(&self, name: &DbName) -> Result<Database, Error> {
        self.shared.check_open()?;
        let inner = self.shared.databases.read().get(name).cloned();
        Ok(Database {
            store: self.clone(),
            inner: inner.ok_or_else(|| Error::DatabaseMissing(name.clone()))?,
            pinned: None,
            asker: None,
        })
    }

    /// Deletes a database, at once whatever it holds; its handles answer `Error::DatabaseMissing` from then on.
    pub fn delete(&self, name: &DbName) -> Result<(), Error> {
        let shared = &self.shared;
        let _changing = shared.changing.lock();
        shared.check_open()?;
        let inner = shared.databases.read().get(name).cloned();
        let inner = inner.ok_or_else(|| Error::DatabaseMissing(name.clone()))?;
        let grave = shared.dir.join(TMP).join(Uuid::new_v4().simple().to_string());
        let file = inner.delete(|| fs::rename(shared.database_dir(name), &grave));
        let file = file.map_err(Error::io("deleting a database"))?;
        shared.databases.write().remove(name);
        shared.open.lock().retain(|open| !Arc::ptr_eq(open, &inner));
        shared.updates.record(name, DbEvent::Deleted);
        // It is gone for this process, whatever the disk says to this.
        let synced = sync_dir(&shared.dir.join(DATABASES));
        shared.discard(Rubbish { file, dir: grave });
        synced.map_err(Error::io("deleting a database"))
    }

    /// All names, in byte order.
    pub fn names(&self) -> Vec<DbName> {
        self.shared.databases.read().keys().cloned().collect()
    }

    /// The databases created, updated or deleted after store seq `since`: the newest row per database, in order. The
    /// store seq counts from 1 within one process's opening of the store.
    pub fn db_updates(&self, since: u64) -> (Vec<DbUpdate>, u64) {
        self.shared.updates.since(since)
    }

    /// Wakes at the next database created, updated or deleted.
    pub fn listen(&self) -> EventListener {
        self.shared.updates.listen()
    }

    /// Makes all relaxed writes durable and closes every file. Later calls answer `Error::Closed`.
    pub fn close(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let _changing = shared.changing.lock();
        if shared.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        shared.flusher.stop();
        let open = std::mem::take(&mut *shared.open.lock());
        // Every one of them, also when one fails.
        let results: Vec<_> = open.iter().map(|inner| inner.close()).collect();
        let result = results.into_iter().collect();
        for inner in shared.databases.read().values() {
            inner.discard_staged();
            inner.changed.notify(usize::MAX);
        }
        shared.rubbish.lock().take();
        shared.updates.wake();
        shared.lock.unlock().map_err(Error::io("unlocking the store"))?;
        result
    }
}

impl Database {
    /// A directory for index files, which may not be there yet. What is in it goes with the database.
    pub fn indexes_dir(&self) -> PathBuf {
        self.store.shared.database_dir(&self.inner.name).join("indexes")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.flusher.stop();
        for inner in self.databases.get_mut().values() {
            let _ = inner.close();
            inner.discard_staged();
        }
    }
}

impl Shared {
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    pub(crate) fn database_dir(&self, name: &DbName) -> PathBuf {
        self.dir.join(DATABASES).join(name.as_str().replace('/', "."))
    }

    /// Makes a database's directory under another name, then renames it: there is never half a database.
    fn make_directory(&self, name: &DbName, options: DatabaseOptions) -> Result<(), Error> {
        let making = self.dir.join(TMP).join(Uuid::new_v4().simple().to_string());
        let incarnation = Incarnation {
            uuid: Uuid::new_v4().into_bytes(),
            created_ms: now_ms(),
        };
        let made = || -> Result<(), Error> {
            fs::create_dir(&making).map_err(Error::io("making a database directory"))?;
            create_file(&making, &incarnation, options, &self.options)?;
            let place = || -> io::Result<()> {
                let dir = self.database_dir(name);
                sync_dir(&making)?;
                fs::rename(&making, &dir)?;
                sync_dir(&self.dir.join(DATABASES)).inspect_err(|_| {
                    let _ = fs::rename(&dir, &making);
                })
            };
            place().map_err(Error::io("placing a new database"))
        };
        made().inspect_err(|_| {
            let _ = fs::remove_dir_all(&making);
        })
    }

    /// Deletes what an earlier process left in `tmp`, in the background.
    fn empty_tmp(&self) {
        let Ok(entries) = fs::read_dir(self.dir.join(TMP)) else {
            return;
        };
        for entry in entries.flatten() {
            self.discard(Rubbish {
                file: None,
                dir: entry.path(),
            });
        }
    }

    fn discard(&self, rubbish: Rubbish) {
        let mut sender = self.rubbish.lock();
        let sender = sender.get_or_insert_with(|| {
            let (sender, receiver) = channel::<Rubbish>();
            std::thread::spawn(move || {
                for rubbish in receiver {
                    drop(rubbish.file);
                    let _ = fs::remove_dir_all(&rubbish.dir);
                }
            });
            sender
        });
        // What cannot be sent stays in `tmp` until the next open.
        let _ = sender.send(rubbish);
    }
}

fn open_store_file(dir: &Path) -> Result<(File, String), Error> {
    let opening = Error::io("opening the store file");
    let path = dir.join(STORE_FILE);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = file.map_err(opening)?;
    file.try_lock().map_err(|cause| match cause {
        fs::TryLockError::WouldBlock => Error::Locked(dir.to_owned()),
        fs::TryLockError::Error(cause) => Error::io("locking the store file")(cause),
    })?;
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(Error::io("reading the store file"))?;
    if text.is_empty() {
        let uuid = Uuid::new_v4().simple().to_string();
        let mut write = || -> io::Result<()> {
            write!(file, "{FORMAT_LINE}\nuuid {uuid}\n")?;
            file.sync_all()?;
            sync_dir(dir)
        };
        write().map_err(Error::io("writing the store file"))?;
        return Ok((file, uuid));
    }
    let uuid = text
        .strip_prefix(FORMAT_LINE)
        .and_then(|rest| rest.strip_prefix("\nuuid "));
    match uuid.map(str::trim_end) {
        Some(uuid) if uuid.len() == 32 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok((file, uuid.to_owned()))
        }
        _ => Err(Error::Corrupt(format!(
            "{} is no store file of version 1",
            path.display()
        ))),
    }
}

fn list_databases(dir: &Path) -> io::Result<BTreeMap<DbName, Arc<Inner>>> {
    let mut databases = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let file_name = entry?.file_name();
        let name = file_name
            .to_str()
            .and_then(|name| DbName::parse(&name.replace('.', "/")).ok());
        match name {
            Some(name) => {
                databases.insert(name.clone(), Arc::new(Inner::new(name)));
            }
            None => tracing::warn!(
                "{} in {} is no database and is left alone",
                hex(file_name.as_encoded_bytes()),
                dir.display()
            ),
        }
    }
    Ok(databases)
}

/// Makes renames and new names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(windows) {
        // Windows neither opens directories as files nor needs it.
        return Ok(());
    }
    File::open(dir)?.sync_all()
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Makes a directory that is for its owner alone: documents may hold what other users of the machine may not read.
fn make_own(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
