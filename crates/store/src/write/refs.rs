//! References to attachment content, counted in the commit that makes or drops them.

use super::apply::Commit;
use super::decide::Decision;
use crate::attachments::StagedBytes;
use crate::tables::VERSION;
use crate::tables::content::{ContentBytes, ContentRow};
use crate::{Error, Refused};
use redb::ReadableTable;
use std::collections::BTreeMap;
use trunkline_core::attachment::{Attachment, Content, ContentHash};

/// How a commit changes the counts, by content; sorted, as redb likes its rows.
#[derive(Debug, Default)]
pub(super) struct Refs(BTreeMap<ContentHash, Change>);

#[derive(Debug)]
struct Change {
    difference: i64,
    content: Content,
}

/// What stands against taking some content.
pub(super) enum Unfit {
    /// Its bytes are not here.
    Absent,
    /// Its bytes are, or will be, others than it says.
    Described,
}

impl Refs {
    /// Counts a leaf's attachments in (`1`) or out (`-1`); answers their bytes as clients see them.
    pub(super) fn count(&mut self, attachments: &[Attachment], difference: i64) -> u64 {
        for Attachment { content, .. } in attachments {
            self.change(content).difference += difference;
        }
        attachments
            .iter()
            .map(|attachment| attachment.content.length)
            .sum()
    }

    /// Has content looked at although no leaf comes or goes: its bytes may have come.
    pub(super) fn offer(&mut self, content: &Content) {
        self.change(content);
    }

    fn change(&mut self, content: &Content) -> &mut Change {
        self.0.entry(content.hash).or_insert_with(|| Change {
            difference: 0,
            content: content.clone(),
        })
    }
}

impl Commit<'_, '_> {
    /// Writes the counts, and staged content where it belongs. Answers content files that have lost their row.
    pub(super) fn write_refs(&mut self) -> Result<Vec<ContentHash>, Error> {
        let mut unreferenced = Vec::new();
        for (hash, Change { difference, content }) in std::mem::take(&mut self.refs.0) {
            let staged = self.staged_bytes(&hash);
            // Staged bytes may be those that a row lacks, though it is named as often as before.
            if difference == 0 && staged.is_none() {
                continue;
            }
            let old = self.tables.attachments()?.get(hash.as_slice())?;
            let old = old.map(|row| row.value().to_vec());
            let old = old.as_deref().map(ContentRow::decode).transpose()?;
            let refs = old.map_or(0, |row| row.refs);
            let refs = refs.checked_add_signed(difference).ok_or_else(miscounted)?;
            match old {
                _ if refs == 0 => {
                    if let Some(row) = old {
                        self.drop_content(&hash, &row)?;
                        if row.bytes == ContentBytes::File {
                            unreferenced.push(hash);
                        }
                    }
                }
                Some(row) if !row.is_absent() => {
                    if difference != 0 {
                        self.put_content(&hash, &ContentRow { refs, ..row })?;
                    }
                }
                Some(row) if staged != Some(row.stored_bytes) => {
                    self.put_content(&hash, &ContentRow { refs, ..row })?;
                }
                None if self.later.get(&hash).is_some_and(|bytes| staged != Some(*bytes)) => {
                    self.put_content(&hash, &ContentRow::absent(&content, refs))?;
                    let listed = [VERSION];
                    self.tables.absent()?.insert(hash.as_slice(), listed.as_slice())?;
                }
                _ => {
                    if old.is_some() {
                        self.tables.absent()?.remove(hash.as_slice())?;
                    }
                    self.place_staged(&hash, refs)?;
                }
            }
        }
        Ok(unreferenced)
    }

    fn put_content(&mut self, hash: &ContentHash, row: &ContentRow<'_>) -> Result<(), Error> {
        self.wrote = true;
        self.tables
            .attachments()?
            .insert(hash.as_slice(), row.encode().as_slice())?;
        Ok(())
    }

    fn drop_content(&mut self, hash: &ContentHash, row: &ContentRow<'_>) -> Result<(), Error> {
        self.tables.attachments()?.remove(hash.as_slice())?;
        if row.is_absent() {
            self.tables.absent()?.remove(hash.as_slice())?;
            return Ok(());
        }
        let state = &mut self.state;
        state.active_bytes = state.active_bytes.saturating_sub(row.stored_bytes);
        if row.bytes == ContentBytes::File {
            state.file_content_bytes = state.file_content_bytes.saturating_sub(row.stored_bytes);
        }
        Ok(())
    }

    fn place_staged(&mut self, hash: &ContentHash, refs: u64) -> Result<(), Error> {
        let database = self.database;
        let staged = database.inner.staged.lock();
        let entry = staged
            .get(hash)
            .ok_or_else(|| Error::Corrupt("attachment content is not staged".into()))?;
        let stored_bytes = entry.stored_bytes;
        let bytes = match &entry.bytes {
            StagedBytes::Inline(bytes) => ContentBytes::Inline(bytes),
            StagedBytes::File(path) => {
                let placed = self.file.place_content(hash, path);
                placed.map_err(Error::io("placing an attachment file"))?;
                self.state.file_content_bytes += stored_bytes;
                ContentBytes::File
            }
        };
        self.state.active_bytes += stored_bytes;
        let row = ContentRow {
            refs,
            stored_bytes,
            bytes,
        };
        self.put_content(hash, &row)
    }

    /// How many bytes are staged under a hash.
    fn staged_bytes(&self, hash: &ContentHash) -> Option<u64> {
        let staged = self.database.inner.staged.lock();
        staged.get(hash).map(|staged| staged.stored_bytes)
    }

    /// Whether a leaf may name content: its bytes are staged or stored, or `later` allows that they come later.
    pub(super) fn admit(&mut self, content: &Content, later: bool) -> Result<Result<(), Unfit>, Error> {
        let staged = self.database.inner.staged.lock();
        let staged = staged.get(&content.hash).map(|staged| staged.fits(content));
        let row = self.tables.attachments()?.get(content.hash.as_slice())?;
        let row = row
            .as_ref()
            .map(|row| ContentRow::decode(row.value()))
            .transpose()?;
        let stored = row.as_ref().map(|row| row.stored_bytes);
        let stored = stored.or_else(|| self.later.get(&content.hash).copied());
        let is_absent = row.is_none_or(|row| row.is_absent());
        if staged == Some(false) || stored.is_some_and(|bytes| bytes != content.stored_bytes()) {
            return Ok(Err(Unfit::Described));
        }
        if staged.is_none() && is_absent {
            if !later {
                return Ok(Err(Unfit::Absent));
            }
            self.later.insert(content.hash, content.stored_bytes());
        }
        Ok(Ok(()))
    }

    /// As [`Commit::admit`], for one who does not see all. What other documents have is not there, and what is still to
    /// come is not told, so that it could not be brought: a leaf may name what was brought, or what a leaf of the document
    /// names already that is seen.
    pub(super) fn admit_own(
        &mut self,
        index: usize,
        content: &Content,
        brought: bool,
    ) -> Result<Result<(), Unfit>, Error> {
        if brought && self.staged_bytes(&content.hash).is_some() {
            return self.admit(content, false);
        }
        Ok(match self.shows(index, content)? {
            true => Ok(()),
            false => Err(Unfit::Absent),
        })
    }

    /// After the rows are written: whether content that was supplied is named and has its bytes.
    pub(super) fn is_supplied(&mut self, content: &Content) -> Decision<bool> {
        let row = self.tables.attachments()?.get(content.hash.as_slice())?;
        let row = row
            .as_ref()
            .map(|row| ContentRow::decode(row.value()))
            .transpose()?;
        Ok(match row {
            None => Ok(false),
            Some(row) if !row.is_absent() => Ok(true),
            Some(_) => Err(Refused::BadAttachment(
                "what is staged, if anything, is not the content that documents name".into(),
            )),
        })
    }
}

fn miscounted() -> Error {
    Error::Corrupt("an attachment has fewer references than leaves that drop it".into())
}
