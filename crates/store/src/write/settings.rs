//! Local documents and the few settings of a database, written in the same commits as documents.

use super::apply::Commit;
use super::queue::{Answer, Work};
use crate::file::OpenFile;
use crate::tables::{self, meta};
use crate::{Database, Durability, Error, Refused};
use std::sync::atomic::Ordering;
use trunkline_core::doc_id::LocalId;

impl Database {
    /// Sets `_security` (JSON text).
    pub fn set_security(&self, json: &str) -> Result<(), Error> {
        self.set(meta::SECURITY, tables::encode_text(json))
    }

    /// Sets how many revisions each branch keeps, from the next edit of each document on. At least 1.
    pub fn set_revs_limit(&self, limit: u32) -> Result<(), Error> {
        let limit = limit.max(1);
        self.set(meta::REVS_LIMIT, tables::encode_number(limit.into()))
    }

    /// Sets how many purges `_purged_infos` remembers. At least 1.
    pub fn set_purged_infos_limit(&self, limit: u32) -> Result<(), Error> {
        let limit = limit.max(1);
        self.set(meta::PURGED_INFOS_LIMIT, tables::encode_number(limit.into()))
    }

    /// Makes it a mirror, or no mirror any more: a mirror refuses interactive edits ([`Refused::Mirror`]). Replicated
    /// edits, local documents, purges and settings go on.
    pub fn set_mirror(&self, mirror: bool) -> Result<(), Error> {
        self.set(meta::MIRROR, tables::encode_number(mirror.into()))
    }

    fn set(&self, key: &'static [u8], value: Vec<u8>) -> Result<(), Error> {
        self.check_whole()?;
        match self.do_work(Work::Meta { key, value }, Durability::Durable)? {
            Answer::Done => Ok(()),
            _ => Err(super::misanswered()),
        }
    }
}

impl OpenFile {
    /// Keeps in memory what a commit wrote. Only the leader calls this: two settings at once end as they were written.
    pub(super) fn note_setting(&self, work: &Work) -> Result<(), Error> {
        let Work::Meta { key, value } = work else {
            return Ok(());
        };
        if *key == meta::SECURITY {
            self.post.forget();
            *self.rules.write() = crate::file::rules(Some(tables::decode_text(value)?));
            return Ok(());
        }
        if *key == meta::MIRROR {
            let mirror = tables::decode_number(value)? != 0;
            self.mirror.store(mirror, Ordering::Relaxed);
            return Ok(());
        }
        let kept = match *key {
            meta::REVS_LIMIT => &self.revs_limit,
            meta::PURGED_INFOS_LIMIT => &self.purged_infos_limit,
            _ => return Ok(()),
        };
        let limit = tables::decode_number(value)?;
        kept.store(u32::try_from(limit).unwrap_or(u32::MAX), Ordering::Relaxed);
        Ok(())
    }
}

impl Commit<'_, '_> {
    pub(super) fn put_meta(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.tables.meta.insert(key, value)?;
        self.wrote = true;
        Ok(())
    }

    pub(super) fn put_local(
        &mut self,
        id: &LocalId,
        given: u64,
        body: Option<&str>,
    ) -> Result<Result<u64, Refused>, Error> {
        let key = id.as_str().as_bytes();
        let Some(body) = body else {
            if self.tables.local()?.remove(key)?.is_none() {
                return Ok(Err(Refused::Missing));
            }
            self.wrote = true;
            return Ok(Ok(0));
        };
        if body.len() > trunkline_core::limits::DOCUMENT_BYTES_MAX {
            return Ok(Err(Refused::DocumentTooLarge));
        }
        let number = given.saturating_add(1);
        self.insert_local(id, number, body)?;
        Ok(Ok(number))
    }

    pub(super) fn insert_local(&mut self, id: &LocalId, number: u64, body: &str) -> Result<(), Error> {
        let row = tables::encode_local(number, body);
        self.tables
            .local()?
            .insert(id.as_str().as_bytes(), row.as_slice())?;
        self.wrote = true;
        Ok(())
    }
}
