//! The revision tree of one document: union merge, winner, stemming, and its bytes.

use crate::doc::RevPath;
use crate::rev::Rev;
use std::collections::BTreeMap;

/// What a leaf knows of its body. `body` is the key of its row in the bodies table; 0 means "in the by_seq row".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafState {
    /// Whether the leaf is a tombstone.
    pub deleted: bool,
    /// Where its body is.
    pub body: u64,
}

/// One revision in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The revision it was made from, where known.
    pub parent: Option<Rev>,
    /// Set while nobody names this revision as parent.
    pub leaf: Option<LeafState>,
}

/// What a merge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The revision was there (as leaf or inner node); at most older ancestors were learnt.
    Known,
    /// It extends a leaf, or is the first revision of the document. Names the leaf it replaced.
    NewLeaf,
    /// It starts a new branch or root.
    NewBranch,
}

/// A document's revisions: a map from revision to parent. Leaves are the revisions that nobody names as parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevTree {
    nodes: BTreeMap<Rev, Node>,
}

impl RevTree {
    /// Adds a path whose newest revision is a leaf with `state` unless it is already known. An existing leaf keeps its state.
    pub fn merge(&mut self, _path: &RevPath, _state: LeafState) -> Merged {
        todo!()
    }
    /// All leaves, winner first, then by (not deleted, generation, digest) descending.
    pub fn leaves(&self) -> Vec<(&Rev, LeafState)> {
        todo!()
    }
    /// The first of [`RevTree::leaves`]; `None` for an empty tree.
    pub fn winner(&self) -> Option<(&Rev, LeafState)> {
        todo!()
    }
    /// Changes where a leaf's body is. No effect on anything but a leaf.
    pub fn relocate(&mut self, _leaf: &Rev, _body: u64) {
        todo!()
    }
    /// Whether the revision is any node of the tree.
    pub fn contains(&self, _rev: &Rev) -> bool {
        todo!()
    }
    /// The state of a leaf; `None` when `rev` is no leaf.
    pub fn leaf(&self, _rev: &Rev) -> Option<LeafState> {
        todo!()
    }
    /// The revision and its known ancestors, newest first; `None` when unknown.
    pub fn path(&self, _rev: &Rev) -> Option<RevPath> {
        todo!()
    }
    /// The leaves at or below a revision (`latest=true`), in the order of [`RevTree::leaves`].
    pub fn descendant_leaves(&self, _rev: &Rev) -> Vec<(&Rev, LeafState)> {
        todo!()
    }
    /// `_revs_diff`: which of `revs` are missing (in the order given), and the leaves whose generation is below the
    /// highest missing one.
    pub fn missing(&self, _revs: &[Rev]) -> (Vec<Rev>, Vec<Rev>) {
        todo!()
    }
    /// Keeps a node iff some leaf is at most `limit - 1` edges below it.
    pub fn stem(&mut self, _limit: u32) {
        todo!()
    }
    /// Removes those of `revs` that are leaves, with every ancestor only they used; answers those removed.
    pub fn purge(&mut self, _revs: &[Rev]) -> Vec<(Rev, LeafState)> {
        todo!()
    }
    /// Whether no revision is left.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
    /// Appends the tree's bytes; the winner's branch comes first.
    pub fn encode(&self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Reads what [`RevTree::encode`] wrote. Any other bytes are refused, never a panic.
    pub fn decode(_bytes: &[u8]) -> Result<RevTree, Corrupt> {
        todo!()
    }
}

/// The bytes are no encoded tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A look at an encoded tree that decodes no more than its first branch: the way of nearly every read and write.
#[derive(Clone, Copy, Debug)]
pub struct EncodedTree<'a> {
    bytes: &'a [u8],
}

impl<'a> EncodedTree<'a> {
    /// Checks the head of the bytes only.
    pub fn new(_bytes: &'a [u8]) -> Result<EncodedTree<'a>, Corrupt> {
        todo!()
    }
    /// The winner.
    pub fn winner(&self) -> (Rev, LeafState) {
        todo!()
    }
    /// Whether the tree is one branch, so that the winner is its only leaf.
    pub fn is_linear(&self) -> bool {
        todo!()
    }
    /// Whether a linear tree holds the revision; `None` when the tree is not linear.
    pub fn linear_contains(&self, _rev: &Rev) -> Option<bool> {
        todo!()
    }
    /// Appends the bytes of this linear tree with its leaf replaced by a child of it, stemmed to `limit`; copies,
    /// decodes nothing. `None` when the tree is not linear.
    pub fn extend(&self, _rev: &Rev, _state: LeafState, _limit: u32, _out: &mut Vec<u8>) -> Option<()> {
        let _ = self.bytes;
        todo!()
    }
    /// Appends the bytes of a tree of one new path.
    pub fn encode_path(_path: &RevPath, _state: LeafState, _limit: u32, _out: &mut Vec<u8>) {
        todo!()
    }
}
