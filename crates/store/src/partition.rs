//! What a partitioned database tells of its partitions.

use crate::changes::Chunk;
use crate::read::text;
use crate::tables::DocsRow;
use crate::tables::bytes::Malformed;
use crate::{Counts, Database, DocsScan, Error, ScanEnd};
use trunkline_core::revtree::RevTree;

impl Database {
    /// Whether ids name partitions; see [`crate::DatabaseOptions`].
    pub fn is_partitioned(&self) -> Result<bool, Error> {
        Ok(self.file()?.partitioned)
    }

    /// Adds one chunk of the documents in an id range, deleted ones too, to `counts`; the chunk is bounded as one of
    /// [`Database::all_docs`].
    pub fn count(&self, scan: &DocsScan, counts: &mut Counts) -> Result<ScanEnd<String>, Error> {
        let mut end = ScanEnd {
            last: None,
            done: true,
        };
        let Some(bounds) = scan.bounds() else {
            return Ok(end);
        };
        let sight = self.sight()?;
        let snapshot = &sight.snapshot;
        let mut chunk = Chunk::new(usize::MAX);
        for row in snapshot.docs.range::<&[u8]>(bounds)? {
            let (key, value) = row?;
            let docs_row = DocsRow::decode(value.value())?;
            let tree = RevTree::decode(docs_row.tree_bytes).map_err(Malformed::from)?;
            let id = text(key.value())?;
            let (tree, read) = sight.seen(id, docs_row.seq, tree)?;
            let kept = key.value().len() + value.value().len();
            chunk.spend(read + kept);
            if let Some(tree) = tree {
                match tree.winner() {
                    Some((_, state)) if !state.deleted => counts.docs += 1,
                    _ => counts.deleted += 1,
                }
                let mut bytes = 0;
                for (rev, state) in tree.leaves() {
                    let (leaf, _) = sight.leaf(id, rev, state, docs_row.seq)?;
                    let Some(leaf) = leaf else { continue };
                    chunk.spend(leaf.body.as_str().len());
                    let attachments = leaf
                        .attachments
                        .iter()
                        .map(|attachment| attachment.content.length);
                    bytes += leaf.body.as_str().len() as u64 + attachments.sum::<u64>();
                }
                // Rows are as long as what is not seen makes them.
                let kept = if sight.sees.is_some() { 0 } else { kept as u64 };
                counts.external_bytes += bytes;
                counts.active_bytes += bytes + kept;
            }
            if chunk.is_full() {
                end.last = Some(text(key.value())?.to_owned());
                end.done = false;
                break;
            }
        }
        Ok(end)
    }
}
