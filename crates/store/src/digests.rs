//! Ranges of documents boiled down to digests, by which two databases find where they differ.

use crate::read::text;
use crate::tables::DocsRow;
use crate::tables::bytes::Malformed;
use crate::{Database, Error, IdLeaves, IdRange, RangeDigest};
use std::ops::{Bound, ControlFlow};
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;
use trunkline_core::varint;

/// Bytes that are hashed in one go: enough that the hash uses the widest instructions there are.
const HASHED_BYTES: usize = 64 << 10;
/// Bytes of rows read from one snapshot: a good many chunks of a feed, since nothing waits between them.
const SNAPSHOT_BYTES: usize = 4 << 20;

impl Database {
    /// Digests of consecutive ranges of `docs_each` documents each (the last may have fewer), in id order, over the ids
    /// past `after` up to and with `until`; at most `ranges_max` of them. Go on after the last one's `last_id`.
    ///
    /// What is digested is each document's id with its leaves, tombstones among them, whatever order they came in: over
    /// the same bounds two databases come to the same digest exactly when their documents have the same leaves. Bodies,
    /// seqs and inner revisions have no part in it. Documents that change meanwhile are taken as they are when they
    /// are passed.
    pub fn digests(
        &self,
        after: Option<&str>,
        until: Option<&str>,
        docs_each: usize,
        ranges_max: usize,
    ) -> Result<Vec<IdRange>, Error> {
        let docs_each = docs_each.max(1) as u64;
        let mut ranges = Vec::new();
        let mut gathered = Gathered::default();
        if ranges_max == 0 {
            return Ok(ranges);
        }
        let mut last = None;
        self.walk(after, until, &mut |id, row| {
            gathered.add(id, row)?;
            if gathered.docs < docs_each {
                last = Some(id.into());
                return Ok(ControlFlow::Continue(()));
            }
            last = None;
            ranges.push(std::mem::take(&mut gathered).range(id.into()));
            Ok(if ranges.len() < ranges_max {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        ranges.extend(last.map(|last| gathered.range(last)));
        Ok(ranges)
    }

    /// How many documents have ids past `after` up to and with `until`, and their digest as [`Database::digests`]
    /// makes it.
    pub fn digest_of(&self, after: Option<&str>, until: Option<&str>) -> Result<(u64, RangeDigest), Error> {
        let mut gathered = Gathered::default();
        self.walk(after, until, &mut |id, row| {
            gathered.add(id, row)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((gathered.docs, gathered.digest()))
    }

    /// Documents past `after` up to and with `until`, at most `limit` of them, with their leaves.
    pub fn leaves_of(
        &self,
        after: Option<&str>,
        until: Option<&str>,
        limit: usize,
    ) -> Result<Vec<IdLeaves>, Error> {
        let mut found: Vec<IdLeaves> = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.walk(after, until, &mut |id, row| {
            found.push((id.into(), leaves(row)?));
            Ok(if found.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok(found)
    }

    /// Shows rows of `docs`, in id order, from as many snapshots as it takes.
    fn walk(&self, after: Option<&str>, until: Option<&str>, row: &mut EachRow<'_>) -> Result<(), Error> {
        let mut after: Option<Vec<u8>> = after.map(|id| id.as_bytes().to_vec());
        loop {
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let to = until.map_or(Bound::Unbounded, |id| Bound::Included(id.as_bytes()));
            if let (Bound::Excluded(from), Bound::Included(to)) = (from, to)
                && from >= to
            {
                return Ok(());
            }
            let snapshot = self.snapshot()?;
            let mut bytes = 0;
            let mut last = None;
            for next in snapshot.docs.range::<&[u8]>((from, to))? {
                let (key, value) = next?;
                let flow = row(text(key.value())?, &DocsRow::decode(value.value())?)?;
                if flow.is_break() {
                    return Ok(());
                }
                bytes += key.value().len() + value.value().len();
                if bytes >= SNAPSHOT_BYTES {
                    last = Some(key.value().to_vec());
                    break;
                }
            }
            let Some(last) = last else { return Ok(()) };
            after = Some(last);
        }
    }
}

/// Sees an id with its row; answers whether to go on.
type EachRow<'a> = dyn FnMut(&str, &DocsRow<'_>) -> Result<ControlFlow<()>, Error> + 'a;

/// All leaves of a document, ascending.
fn leaves(row: &DocsRow<'_>) -> Result<Vec<Rev>, Error> {
    let tree = row.tree()?;
    if tree.is_linear() {
        return Ok(vec![tree.winner().0]);
    }
    let tree = RevTree::decode(row.tree_bytes).map_err(Malformed::from)?;
    let mut leaves: Vec<Rev> = tree.leaves().into_iter().map(|(rev, _)| rev.clone()).collect();
    leaves.sort_unstable();
    Ok(leaves)
}

/// A digest being made: per document the id, how many leaves, and each one's generation and digest, every part with
/// its length.
#[derive(Default)]
struct Gathered {
    hasher: blake3::Hasher,
    waiting: Vec<u8>,
    docs: u64,
}

impl Gathered {
    fn add(&mut self, id: &str, row: &DocsRow<'_>) -> Result<(), Error> {
        let out = &mut self.waiting;
        put_part(id.as_bytes(), out);
        let tree = row.tree()?;
        if tree.is_linear() {
            put_leaves(&[tree.winner().0], out);
        } else {
            put_leaves(&leaves(row)?, out);
        }
        self.docs += 1;
        if self.waiting.len() >= HASHED_BYTES {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        Ok(())
    }

    fn digest(mut self) -> RangeDigest {
        self.hasher.update(&self.waiting);
        let mut digest = [0; 16];
        self.hasher.finalize_xof().fill(&mut digest);
        digest
    }

    fn range(self, last_id: Box<str>) -> IdRange {
        IdRange {
            last_id,
            docs: self.docs,
            digest: self.digest(),
        }
    }
}

fn put_leaves(leaves: &[Rev], out: &mut Vec<u8>) {
    varint::write(leaves.len() as u64, out);
    for rev in leaves {
        varint::write(rev.generation, out);
        put_part(rev.digest.as_bytes(), out);
    }
}

fn put_part(part: &[u8], out: &mut Vec<u8>) {
    varint::write(part.len() as u64, out);
    out.extend_from_slice(part);
}
