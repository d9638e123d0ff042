//! References to attachment content, counted in the commit that makes or drops them.

use super::apply::Commit;
use crate::Error;
use crate::attachments::StagedBytes;
use crate::tables::attachment::{ContentRow, stored_bytes};
use redb::ReadableTable;
use std::collections::BTreeMap;
use trunkline_core::attachment::{Attachment, ContentHash};

/// How a commit changes the counts, by content; sorted, as redb likes its rows.
#[derive(Debug, Default)]
pub(super) struct Refs(BTreeMap<ContentHash, Change>);

#[derive(Debug, Default)]
struct Change {
    difference: i64,
    stored_bytes: u64,
}

impl Refs {
    /// Counts a leaf's attachments in (`1`) or out (`-1`); answers their bytes as clients see them.
    pub(super) fn count(&mut self, attachments: &[Attachment], difference: i64) -> u64 {
        for Attachment { content, .. } in attachments {
            let change = self.0.entry(content.hash).or_default();
            change.difference += difference;
            change.stored_bytes = stored_bytes(content);
        }
        attachments
            .iter()
            .map(|attachment| attachment.content.length)
            .sum()
    }
}

impl Commit<'_, '_> {
    /// Writes the counts, and staged content where it belongs. Answers content files that have lost their row.
    pub(super) fn write_refs(&mut self) -> Result<Vec<ContentHash>, Error> {
        let mut unreferenced = Vec::new();
        for (hash, change) in std::mem::take(&mut self.refs.0) {
            if change.difference == 0 {
                continue;
            }
            let row = self
                .tables
                .attachments()?
                .get(hash.as_slice())?
                .map(|row| row.value().to_vec());
            let Some(row) = row else {
                let refs = u64::try_from(change.difference).map_err(|_| miscounted())?;
                self.write_new_content(&hash, refs, change.stored_bytes)?;
                continue;
            };
            let row = ContentRow::decode(&row)?;
            let refs = row
                .refs
                .checked_add_signed(change.difference)
                .ok_or_else(miscounted)?;
            if refs > 0 {
                let row = ContentRow { refs, ..row }.encode();
                self.tables
                    .attachments()?
                    .insert(hash.as_slice(), row.as_slice())?;
                continue;
            }
            self.tables.attachments()?.remove(hash.as_slice())?;
            self.state.active_bytes = self.state.active_bytes.saturating_sub(row.stored_bytes);
            if row.inline.is_none() {
                let bytes = self.state.file_content_bytes;
                self.state.file_content_bytes = bytes.saturating_sub(row.stored_bytes);
                unreferenced.push(hash);
            }
        }
        Ok(unreferenced)
    }

    fn write_new_content(&mut self, hash: &ContentHash, refs: u64, stored_bytes: u64) -> Result<(), Error> {
        let staged = self.database.inner.staged.lock();
        let entry = staged
            .get(hash)
            .ok_or_else(|| Error::Corrupt("attachment content is not staged".into()))?;
        let inline = match &entry.bytes {
            StagedBytes::Inline(bytes) => Some(bytes.as_ref()),
            StagedBytes::File(path) => {
                let placed = self.file.place_content(hash, path);
                placed.map_err(Error::io("placing an attachment file"))?;
                self.state.file_content_bytes += stored_bytes;
                None
            }
        };
        let row = ContentRow {
            refs,
            stored_bytes,
            inline,
        };
        self.tables
            .attachments()?
            .insert(hash.as_slice(), row.encode().as_slice())?;
        self.state.active_bytes += stored_bytes;
        Ok(())
    }
}

fn miscounted() -> Error {
    Error::Corrupt("an attachment has fewer references than leaves that drop it".into())
}
