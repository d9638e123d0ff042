//! Attachment contents by the hash of their bytes: which are here, and which are named but still to come.

use crate::tables::StoredRows;
use crate::tables::content::ContentRow;
use crate::write::{Answer, Work};
use crate::{Database, Durability, Error, tables};
use redb::{ReadTransaction, ReadableDatabase, TableError};
use std::collections::HashSet;
use std::ops::Bound;
use trunkline_core::attachment::{Content, ContentHash};

impl Database {
    /// Those of the contents whose bytes are neither stored nor staged here, in order, without repeats; all of them for one
    /// who does not see every document.
    pub fn lacking(&self, contents: &[Content]) -> Result<Vec<Content>, Error> {
        // Staged ones first: a commit that takes them meanwhile is in the snapshot then.
        let mut seen = HashSet::new();
        let mut lacking = Vec::new();
        {
            let staged = self.inner.staged.lock();
            // Who does not see every document need not know which bytes are here.
            let whole = self.is_whole();
            let here = |content: &Content| whole && staged.contains_key(&content.hash);
            let new = |content: &&Content| !here(content) && seen.insert(content.hash);
            lacking.extend(contents.iter().filter(new).cloned());
        }
        if !self.is_whole() {
            return Ok(lacking);
        }
        let table = self.file()?.redb.begin_read()?.open_table(tables::ATTACHMENTS)?;
        let mut found = Vec::with_capacity(lacking.len());
        for content in lacking {
            let row = table.get(content.hash.as_slice())?;
            let row = row
                .as_ref()
                .map(|row| ContentRow::decode(row.value()))
                .transpose()?;
            if row.is_none_or(|row| row.is_absent()) {
                found.push(content);
            }
        }
        Ok(found)
    }

    /// Contents that documents name while their bytes are still to come, in the order of their hashes, past `after`. None for
    /// one who does not see every document, and from whom no edits are taken that name bytes before they come.
    pub fn absent(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Content>, Error> {
        if !self.is_whole() {
            return Ok(Vec::new());
        }
        let file = self.file()?;
        let txn = file.redb.begin_read()?;
        let Some(index) = absent_table(&txn)? else {
            return Ok(Vec::new());
        };
        let rows = txn.open_table(tables::ATTACHMENTS)?;
        let from = after
            .as_ref()
            .map_or(Bound::Unbounded, |hash| Bound::Excluded(hash.as_slice()));
        let contents = index
            .range::<&[u8]>((from, Bound::Unbounded))?
            .take(limit)
            .map(|key| {
                let (key, _) = key?;
                let unlisted = || Error::Corrupt("content that is listed as absent has no such row".into());
                let hash = ContentHash::try_from(key.value()).map_err(|_| unlisted())?;
                let row = rows.get(key.value())?.ok_or_else(unlisted)?;
                ContentRow::decode(row.value())?
                    .absent_content(hash)
                    .ok_or_else(unlisted)
            });
        contents.collect()
    }

    /// Gives content that documents name the bytes that it lacked, once they are staged; durable when it returns. With
    /// `true` the staged bytes are taken. `false` says that no document names them (any more): they stay staged, for an
    /// edit to take or for [`Database::unstage`]. That is what one is told who does not see every document.
    pub fn supply(&self, content: &Content) -> Result<bool, Error> {
        if !self.is_whole() {
            return Ok(false);
        }
        let work = Work::Supply(content.clone());
        let supplied = match self.do_work(work, Durability::Durable)? {
            Answer::Supplied(answer) => answer.map_err(Error::Refused)?,
            _ => return Err(Error::Corrupt("a supply was answered as something else".into())),
        };
        if supplied {
            self.inner.release_staged(&content.hash);
        }
        Ok(supplied)
    }
}

/// The list of absent contents; `None` in a file in which there never was one.
pub(crate) fn absent_table(txn: &ReadTransaction) -> Result<Option<StoredRows>, Error> {
    match txn.open_table(tables::ABSENT) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}
