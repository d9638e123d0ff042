//! A tree's bytes as they are: nearly every document has one branch, and then reading its winner or extending it
//! needs no more than the first few bytes and one copy.

use super::codec::{Branch, Corrupt, Head, MD5_BYTES, is_md5};
use super::{LeafState, Merged};
use crate::doc::RevPath;
use crate::rev::{Digest, Rev};

/// A look at an encoded tree that decodes no more than its first branch: the way of nearly every read and write.
#[derive(Clone, Copy, Debug)]
pub struct EncodedTree<'a> {
    winner: Branch<'a>,
    linear: bool,
}

impl<'a> EncodedTree<'a> {
    /// Checks the first branch only.
    pub fn new(mut bytes: &'a [u8]) -> Result<EncodedTree<'a>, Corrupt> {
        let winner = Branch::read(&mut bytes).ok_or(Corrupt)?;
        if winner.head.joined.is_some() {
            return Err(Corrupt);
        }
        Ok(EncodedTree {
            winner,
            linear: bytes.is_empty(),
        })
    }

    /// The winner.
    pub fn winner(&self) -> (Rev, LeafState) {
        (self.winner.leaf(), self.winner.head.state)
    }

    /// Whether the tree is one branch, so that the winner is its only leaf.
    pub fn is_linear(&self) -> bool {
        self.linear
    }

    /// Whether a linear tree holds the revision; `None` when the tree is not linear.
    pub fn linear_contains(&self, rev: &Rev) -> Option<bool> {
        self.linear
            .then(|| self.winner.at(rev.generation) == Some(rev.digest.as_bytes()))
    }

    /// The winner and its known ancestors.
    pub fn winner_path(&self) -> RevPath {
        RevPath {
            generation: self.winner.head.generation,
            digests: self.winner.digests.map(Digest::from_bytes).collect(),
        }
    }

    /// Appends the bytes of this linear tree with its leaf replaced by a child of it, stemmed to `limit`; copies,
    /// decodes nothing. `None`, and nothing appended, when the tree is not linear or `rev` not of the next generation.
    pub fn extend(&self, rev: &Rev, state: LeafState, limit: u32, out: &mut Vec<u8>) -> Option<()> {
        let is_child = self.winner.head.generation.checked_add(1) == Some(rev.generation);
        (self.linear && is_child).then(|| self.grow(std::slice::from_ref(&rev.digest), state, limit, out))
    }

    /// What [`super::RevTree::merge`] and [`super::RevTree::stem`] would make of this tree, where it is linear and the path goes on
    /// from its leaf ([`Merged::NewLeaf`]; the new bytes are appended) or ends there ([`Merged::Known`]; nothing is
    /// appended). `None`, and nothing appended, where that takes decoding.
    pub fn merge(&self, path: &RevPath, state: LeafState, limit: u32, out: &mut Vec<u8>) -> Option<Merged> {
        let head = &self.winner.head;
        let added = usize::try_from(path.generation.checked_sub(head.generation)?).ok()?;
        let (added, shared) = path.digests.split_at_checked(added)?;
        let meets = shared.first()?.as_bytes() == self.winner.newest();
        // A longer path knows older ancestors than the tree does.
        if !self.linear || !meets || shared.len() as u64 > head.count {
            return None;
        }
        if added.is_empty() {
            return Some(Merged::Known);
        }
        self.grow(added, state, limit, out);
        Some(Merged::NewLeaf)
    }

    /// Appends the bytes of a tree of one new path. The path is one that [`RevPath::new`] takes.
    pub fn encode_path(path: &RevPath, state: LeafState, limit: u32, out: &mut Vec<u8>) {
        let kept = (path.digests.len() as u64)
            .min(limit.max(1).into())
            .min(path.generation);
        let head = Head {
            state,
            joined: None,
            uniform: path.digests.iter().take(kept as usize).all(is_md5),
            generation: path.generation,
            count: kept,
        };
        head.write(out);
        for digest in path.digests.iter().take(kept as usize) {
            head.write_digest(digest.as_bytes(), out);
        }
    }

    fn grow(&self, added: &[Digest], state: LeafState, limit: u32, out: &mut Vec<u8>) {
        let old = &self.winner.head;
        let count = (old.count + added.len() as u64).min(limit.max(1).into());
        let head = Head {
            state,
            joined: None,
            uniform: old.uniform && added.iter().all(is_md5),
            generation: old.generation + added.len() as u64,
            count,
        };
        head.write(out);
        for digest in added.iter().take(count as usize) {
            head.write_digest(digest.as_bytes(), out);
        }
        let old_kept = (count as usize).saturating_sub(added.len());
        if head.uniform {
            let kept = self.winner.digests.bytes.get(..old_kept * MD5_BYTES);
            out.extend_from_slice(kept.unwrap_or_default());
        } else {
            self.winner
                .digests
                .take(old_kept)
                .for_each(|digest| head.write_digest(digest, out));
        }
    }
}
