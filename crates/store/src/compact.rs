//! Giving space back: the live rows copied into a fresh file, which then takes the old one's place.

use crate::attachments::STAGING_PREFIX;
use crate::contents::absent_table;
use crate::directory::sync_dir;
use crate::file::{ATTACHMENTS_NAME, COMPACTED_NAME, FILE_NAME, OpenFile, content_path};
use crate::tables::content::{ContentBytes, ContentRow};
use crate::tables::feed::{FEED_ROWS, FEEDS, opened};
use crate::write::Work;
use crate::{Database, Durability, Error, tables};
use redb::{Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value, WriteTransaction};
use std::fs::{self, DirEntry};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::time::SystemTime;
use trunkline_core::attachment::ContentHash;

/// Cache for the copy: it is written from left to right, once.
const COPY_CACHE_BYTES: usize = 8 << 20;

impl Database {
    /// Gives free space in the file back to the file system, and drops attachment files nobody refers to. Writers wait
    /// meanwhile, readers do not.
    pub fn compact(&self) -> Result<(), Error> {
        self.check_whole()?;
        self.do_work(Work::Compact, Durability::Durable).map(drop)
    }

    /// Compacts; only the leader may, since no commit may come between copy and replacement.
    pub(crate) fn compact_as_leader(&self) -> Result<(), Error> {
        let options = &self.store.shared.options;
        if options.backend.is_some() {
            return Err(Error::Io(
                "compaction".into(),
                std::sync::Arc::new(io::Error::from(io::ErrorKind::Unsupported)),
            ));
        }
        let file = self.file_to_write()?;
        // The copy needs no floor under its seqs: the row it copies names the newest that anyone may have seen.
        file.finish()?;
        let copy = file.dir.join(COMPACTED_NAME);
        if let Err(cause) = fs::remove_file(&copy)
            && cause.kind() != io::ErrorKind::NotFound
        {
            return Err(Error::io("removing an unfinished compaction")(cause));
        }
        let replaced = copy_tables(&file, &copy).and_then(|()| {
            // Opened before it takes the old one's place: from then on nothing may fail.
            let compacted = OpenFile::open_at(&file.dir, &copy, options)?;
            self.inner
                .replace_file(compacted, || fs::rename(&copy, file.dir.join(FILE_NAME)))
        });
        if let Err(error) = replaced {
            let _ = fs::remove_file(&copy);
            return Err(error);
        }
        sync_dir(&file.dir).map_err(Error::io("replacing a database by its compacted copy"))?;
        self.drop_unreferenced()
    }

    /// Unlinks attachment files that no row says are there, and staged files that an earlier process left.
    fn drop_unreferenced(&self) -> Result<(), Error> {
        let file = self.file()?;
        let rows = file.redb.begin_read()?.open_table(tables::ATTACHMENTS)?;
        let mut drop_file = |entry: &DirEntry| -> Result<(), Error> {
            let name = entry.file_name();
            let rubbish = match name.to_str().and_then(hash_of) {
                Some(hash) => {
                    let row = rows.get(hash.as_slice())?;
                    let row = row
                        .as_ref()
                        .map(|row| ContentRow::decode(row.value()))
                        .transpose()?;
                    row.is_none_or(|row| row.bytes != ContentBytes::File)
                        && entry.path() == content_path(&file.dir, &hash)
                }
                None => is_left_over(entry, self.store.shared.opened_at),
            };
            if rubbish {
                fs::remove_file(entry.path()).map_err(Error::io("unlinking an attachment file"))?;
            }
            Ok(())
        };
        for_each_file(&file.dir.join(ATTACHMENTS_NAME), &mut drop_file)
    }
}

/// Copies every row, in key order, into a new file at `path`; durable when this returns.
fn copy_tables(file: &OpenFile, path: &Path) -> Result<(), Error> {
    let copy = redb::Builder::new()
        .set_cache_size(COPY_CACHE_BYTES)
        .create(path)?;
    let from = file.redb.begin_read()?;
    let to = copy.begin_write()?;
    for table in [tables::META, tables::DOCS, tables::LOCAL, tables::ATTACHMENTS] {
        copy_table(&from, &to, table)?;
    }
    for table in [tables::BY_SEQ, tables::BODIES, tables::PURGES] {
        copy_table(&from, &to, table)?;
    }
    if absent_table(&from)?.is_some() {
        copy_table(&from, &to, tables::ABSENT)?;
    }
    if opened(&from, FEEDS)?.is_some() {
        copy_table(&from, &to, FEEDS)?;
    }
    if opened(&from, FEED_ROWS)?.is_some() {
        copy_table(&from, &to, FEED_ROWS)?;
    }
    to.commit()?;
    Ok(())
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), Error> {
    let from = from.open_table(table)?;
    let mut to = to.open_table(table)?;
    let mut cursor = to.upper_bound_mut(Bound::<K::SelfType<'static>>::Unbounded)?;
    for row in from.iter()? {
        let (key, value) = row?;
        cursor.insert_before(key.value(), value.value())?;
    }
    cursor.close()?;
    Ok(())
}

/// Calls `each` with every file of the attachments directory and of the directories in it.
fn for_each_file(dir: &Path, each: &mut dyn FnMut(&DirEntry) -> Result<(), Error>) -> Result<(), Error> {
    let listing = || Error::io("listing attachment files");
    let entries = match fs::read_dir(dir) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(listing())?,
    };
    for entry in entries {
        let entry = entry.map_err(listing())?;
        if entry.file_type().map_err(listing())?.is_dir() {
            for_each_file(&entry.path(), each)?;
        } else {
            each(&entry)?;
        }
    }
    Ok(())
}

fn hash_of(name: &str) -> Option<ContentHash> {
    blake3::Hash::from_hex(name).ok().map(|hash| *hash.as_bytes())
}

fn is_left_over(entry: &DirEntry, opened_at: SystemTime) -> bool {
    let staged = entry
        .file_name()
        .to_str()
        .is_some_and(|name| name.starts_with(STAGING_PREFIX));
    let modified = entry.metadata().and_then(|data| data.modified());
    staged && modified.is_ok_and(|modified| modified < opened_at)
}
