//! Purging: leaves and what only they used vanish without a tombstone.

use super::apply::Commit;
use super::entry::Tree;
use crate::tables::encode_purge;
use crate::{Error, tables};
use std::sync::atomic::Ordering;
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;

impl<'a> Commit<'a, '_> {
    /// Removes leaves, document by document; answers which.
    pub(super) fn purges(&mut self, purges: &'a [(DocId, Vec<Rev>)]) -> Result<Vec<Vec<Rev>>, Error> {
        purges
            .iter()
            .map(|(id, revs)| self.purge(id.as_str(), revs))
            .collect()
    }

    fn purge(&mut self, id: &str, revs: &[Rev]) -> Result<Vec<Rev>, Error> {
        let index = self.entry_index(id)?;
        let entry = self.entry_mut(index)?;
        if matches!(entry.now.tree, Tree::Absent) {
            return Ok(Vec::new());
        }
        let removed = entry.decoded()?.purge(revs);
        if removed.is_empty() {
            return Ok(Vec::new());
        }
        let removed: Vec<Rev> = removed.into_iter().map(|(rev, _)| rev).collect();
        // What is left of the document is news, and takes a seq; that nothing is left takes one too, so that a feed
        // that has seen the document is not at the newest seq any more.
        let seq = self.next_seq();
        let now = &mut self.entry_mut(index)?.now;
        (now.seq, now.stemmed) = (seq, false);
        self.state.purge_seq += 1;
        let number = self.state.purge_seq;
        let row = encode_purge(id, &removed);
        self.tables
            .purges()?
            .insert(&number.to_be_bytes(), row.as_slice())?;
        self.forget_purges()?;
        self.wrote = true;
        Ok(removed)
    }

    /// Keeps no more purges than the limit.
    fn forget_purges(&mut self) -> Result<(), Error> {
        let limit = self.file.purged_infos_limit.load(Ordering::Relaxed);
        let keep_from = (self.state.purge_seq + 1).saturating_sub(limit.into());
        let table: &mut tables::Numbered<'_> = self.tables.purges()?;
        table.retain_in::<&[u8; 8], _>(..&keep_from.to_be_bytes(), |_, _| false)?;
        Ok(())
    }
}
