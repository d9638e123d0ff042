//! Merging a path into a tree.

use super::{LeafState, Merged, Node, RevTree};
use crate::doc::RevPath;
use crate::rev::Rev;
use std::collections::btree_map::Entry;

impl RevTree {
    /// Adds a path whose newest revision is a leaf with `state` unless it is already known. An existing leaf keeps
    /// its state. Leaves that turn out to be ancestors are no leaves any more, also after [`Merged::Known`]: compare
    /// [`RevTree::leaves`] before and after to find the bodies that nothing refers to now.
    ///
    /// A revision has one parent. A path that names another one for a revision of this tree is not believed from
    /// there on: taking its older part too would leave it without a child, a leaf without a body.
    pub fn merge(&mut self, path: &RevPath, state: LeafState) -> Merged {
        self.merge_revs(path.revs(), state)
    }

    /// [`RevTree::merge`] and [`RevTree::stem`], in less time. `is_stemmed` says that the tree was stemmed to the same
    /// limit before.
    pub fn merge_stemmed(
        &mut self,
        path: &RevPath,
        state: LeafState,
        limit: u32,
        is_stemmed: bool,
    ) -> Merged {
        let limit_edges = limit.max(1) as usize;
        let known = path.revs().enumerate().filter(|(_, rev)| self.contains(rev));
        let oldest_known = known.last().map_or(0, |(place, _)| place);
        // Behind that it would be dropped at once: no leaf is nearer to it. A path may be very long.
        let kept = oldest_known.saturating_add(limit_edges);
        let merged = self.merge_revs(path.revs().take(kept), state);
        // Only ancestors of a new leaf have got farther from leaves.
        let is_short = |rev: &Rev| self.ancestry(rev).nth(limit_edges).is_none();
        let newest = path.rev().filter(|_| merged != Merged::Known);
        if !is_stemmed || !newest.is_some_and(|rev| is_short(&rev)) {
            self.stem(limit);
        }
        merged
    }

    fn merge_revs(&mut self, mut revs: impl Iterator<Item = Rev>, state: LeafState) -> Merged {
        let was_empty = self.nodes.is_empty();
        let Some(newest) = revs.next() else {
            return Merged::Known;
        };
        let mut merged = None;
        match self.nodes.entry(newest.clone()) {
            Entry::Occupied(_) => merged = Some(Merged::Known),
            Entry::Vacant(place) => {
                let leaf = Some(state);
                place.insert(Node { parent: None, leaf });
            }
        }
        let mut child = newest;
        for parent in revs {
            let Some(node) = self.nodes.get_mut(&child) else {
                break;
            };
            if *node.parent.get_or_insert_with(|| parent.clone()) != parent {
                break;
            }
            match self.nodes.entry(parent.clone()) {
                Entry::Occupied(mut known) => {
                    let was_leaf = known.get_mut().leaf.take().is_some();
                    let joined = if was_leaf {
                        Merged::NewLeaf
                    } else {
                        Merged::NewBranch
                    };
                    // Only where the path first meets the tree does it say what the newest revision is.
                    merged.get_or_insert(joined);
                }
                Entry::Vacant(place) => {
                    let (parent, leaf) = (None, None);
                    place.insert(Node { parent, leaf });
                }
            }
            child = parent;
        }
        let first = if was_empty {
            Merged::NewLeaf
        } else {
            Merged::NewBranch
        };
        merged.unwrap_or(first)
    }
}
