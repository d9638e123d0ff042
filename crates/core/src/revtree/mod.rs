//! The revision tree of one document: union merge, winner, stemming, and its bytes.
//!
//! A tree is a map from revision to parent. Merging a path is set union, with a known parent over an unknown one;
//! whatever order edits arrive in, every node ends with the same map. Leaves are the revisions that nobody names as
//! parent. A generation is always one above its parent's, so there are no cycles; there may be several roots, after
//! stemming or when two nodes made the document independently.

mod codec;
mod encoded;
mod merge;
#[cfg(test)]
mod tests;

pub use codec::Corrupt;
pub use encoded::EncodedTree;

use crate::doc::RevPath;
use crate::rev::Rev;
use std::collections::{BTreeMap, HashSet};

/// What a leaf knows of its body. `body` is the key of its row in the bodies table; 0 means "in the by_seq row".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafState {
    /// Whether the leaf is a tombstone.
    pub deleted: bool,
    /// Where its body is.
    pub body: u64,
}

// One revision in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    // The revision it was made from, where that is in the tree.
    parent: Option<Rev>,
    // Set while nobody names this revision as parent.
    leaf: Option<LeafState>,
}

/// What a merge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The revision was there (as leaf or inner node); at most older ancestors were learnt.
    Known,
    /// It extends a leaf, or is the first revision of the document.
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
    /// All leaves, winner first, then by (not deleted, generation, digest) descending.
    pub fn leaves(&self) -> Vec<(&Rev, LeafState)> {
        let mut leaves: Vec<_> = self.unordered_leaves().collect();
        leaves.sort_unstable_by(|&a, &b| rank(b).cmp(&rank(a)));
        leaves
    }

    /// The first of [`RevTree::leaves`]; `None` for an empty tree.
    pub fn winner(&self) -> Option<(&Rev, LeafState)> {
        let mut deleted = None;
        // They are in order but for what is deleted: nearly always the first is it.
        for leaf in self.unordered_leaves().rev() {
            if !leaf.1.deleted {
                return Some(leaf);
            }
            deleted.get_or_insert(leaf);
        }
        deleted
    }

    /// Changes where a leaf's body is. No effect on anything but a leaf.
    pub fn relocate(&mut self, leaf: &Rev, body: u64) {
        if let Some(Node {
            leaf: Some(state), ..
        }) = self.nodes.get_mut(leaf)
        {
            state.body = body;
        }
    }

    /// Whether the revision is any node of the tree.
    pub fn contains(&self, rev: &Rev) -> bool {
        self.nodes.contains_key(rev)
    }

    /// The state of a leaf; `None` when `rev` is no leaf.
    pub fn leaf(&self, rev: &Rev) -> Option<LeafState> {
        self.nodes.get(rev)?.leaf
    }

    /// The revision and its known ancestors, newest first; `None` when unknown.
    pub fn path(&self, rev: &Rev) -> Option<RevPath> {
        let (rev, _) = self.nodes.get_key_value(rev)?;
        Some(RevPath {
            generation: rev.generation,
            digests: self.ancestry(rev).map(|rev| rev.digest.clone()).collect(),
        })
    }

    /// The leaves at or below a revision (`latest=true`), in the order of [`RevTree::leaves`].
    pub fn descendant_leaves(&self, rev: &Rev) -> Vec<(&Rev, LeafState)> {
        let mut leaves = self.leaves();
        leaves.retain(|(leaf, _)| {
            let mut newer_dropped = self
                .ancestry(leaf)
                .skip_while(|at| at.generation > rev.generation);
            newer_dropped.next() == Some(rev)
        });
        leaves
    }

    /// `_revs_diff`: which of `revs` are missing (in the order given), and the leaves whose generation is below the
    /// highest missing one.
    pub fn missing(&self, revs: &[Rev]) -> (Vec<Rev>, Vec<Rev>) {
        let missing: Vec<Rev> = revs.iter().filter(|rev| !self.contains(rev)).cloned().collect();
        let Some(highest) = missing.iter().map(|rev| rev.generation).max() else {
            return (missing, Vec::new());
        };
        let leaves = self.leaves().into_iter().map(|(leaf, _)| leaf);
        let possible_ancestors = leaves.filter(|leaf| leaf.generation < highest).cloned().collect();
        (missing, possible_ancestors)
    }

    /// Keeps a node iff some leaf is at most `limit - 1` edges below it.
    pub fn stem(&mut self, limit: u32) {
        let limit = limit.max(1) as usize;
        if self.nodes.len() <= limit {
            return;
        }
        // Children have higher generations than their parents, so each node is met after all its children.
        let mut edges_to_leaf = BTreeMap::new();
        let mut dropped = HashSet::new();
        for (rev, node) in self.nodes.iter().rev() {
            let edges = match node.leaf {
                Some(_) => 0,
                None => edges_to_leaf.get(rev).copied().unwrap_or(limit),
            };
            if edges >= limit {
                dropped.insert(rev.clone());
            } else if let Some(parent) = &node.parent {
                let nearest = edges_to_leaf.entry(parent).or_insert(limit);
                *nearest = (*nearest).min(edges + 1);
            }
        }
        self.remove(&dropped);
    }

    /// Whether merging a path would change nothing.
    pub fn holds(&self, path: &RevPath) -> bool {
        let mut child: Option<Rev> = None;
        path.revs().all(|rev| {
            let is_parent = |child: &Rev| {
                let node = self.nodes.get(child);
                node.is_some_and(|node| node.parent.as_ref() == Some(&rev))
            };
            let holds = self.contains(&rev) && child.as_ref().is_none_or(is_parent);
            child = Some(rev);
            holds
        })
    }

    /// Removes those of `revs` that are leaves, with every ancestor only they used; answers those removed.
    pub fn purge(&mut self, revs: &[Rev]) -> Vec<(Rev, LeafState)> {
        let mut purged: Vec<(Rev, LeafState)> = Vec::new();
        for rev in revs {
            // Once off its leaf state, a second mention of the same revision finds nothing.
            if let Some(state) = self.nodes.get_mut(rev).and_then(|node| node.leaf.take()) {
                purged.push((rev.clone(), state));
            }
        }
        let mut used = HashSet::new();
        for (leaf, _) in self.unordered_leaves() {
            // An ancestor met before has had all its own ancestors marked.
            self.ancestry(leaf)
                .take_while(|&rev| used.insert(rev))
                .for_each(drop);
        }
        let unused = self
            .nodes
            .keys()
            .filter(|rev| !used.contains(rev))
            .cloned()
            .collect();
        self.remove(&unused);
        purged
    }

    /// How many revisions it has.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no revision is left.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn unordered_leaves(&self) -> impl DoubleEndedIterator<Item = (&Rev, LeafState)> {
        self.nodes
            .iter()
            .filter_map(|(rev, node)| Some((rev, node.leaf?)))
    }

    // A revision of this tree and its ancestors, newest first.
    fn ancestry<'a>(&'a self, rev: &'a Rev) -> impl Iterator<Item = &'a Rev> {
        std::iter::successors(Some(rev), |rev| self.nodes.get(*rev)?.parent.as_ref())
    }

    fn remove(&mut self, dropped: &HashSet<Rev>) {
        if dropped.is_empty() {
            return;
        }
        self.nodes.retain(|rev, node| {
            node.parent.take_if(|parent| dropped.contains(parent));
            !dropped.contains(rev)
        });
    }
}

// Of two leaves, the one with the higher rank wins. The same rule as CouchDB's, or two nodes would show different winners.
fn rank((rev, state): (&Rev, LeafState)) -> (bool, &Rev) {
    (!state.deleted, rev)
}
