//! A true history to test trees against, with the tree's rules written down a second time, naively.

use crate::doc::RevPath;
use crate::rev::{Digest, Rev};
use crate::revtree::{LeafState, Merged, RevTree};
use std::collections::BTreeSet;

/// Revisions numbered from 0; each has an earlier one as parent, or none.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) parents: Vec<Option<usize>>,
    pub(super) deleted: Vec<bool>,
}

impl World {
    pub(super) fn rev(&self, at: usize) -> Rev {
        // Digests of both shapes, in no relation to the order of making.
        let digest = match at % 3 {
            0 => Digest::from([(at * 37 % 251) as u8; 16]),
            1 => Digest::from_bytes(format!("r{}", 999 - at).as_bytes()),
            _ => Digest::from([(at * 91 % 241) as u8; 16]),
        };
        Rev {
            generation: self.lineage(at).len() as u64,
            digest,
        }
    }

    pub(super) fn state(&self, at: usize) -> LeafState {
        LeafState {
            deleted: self.deleted[at],
            body: at as u64 * 1000,
        }
    }

    /// The revision and its ancestors, newest first.
    pub(super) fn lineage(&self, at: usize) -> Vec<usize> {
        std::iter::successors(Some(at), |&at| self.parents[at]).collect()
    }

    /// The newest `length` of them.
    pub(super) fn path(&self, at: usize, length: usize) -> RevPath {
        let revs = self
            .lineage(at)
            .into_iter()
            .take(length.max(1))
            .map(|at| self.rev(at));
        let digests = revs.map(|rev| rev.digest).collect();
        RevPath::new(self.rev(at).generation, digests).expect("a path")
    }

    pub(super) fn merge(&self, tree: &mut RevTree, at: usize) -> Merged {
        tree.merge(&self.path(at, usize::MAX), self.state(at))
    }

    pub(super) fn tree(&self) -> RevTree {
        let mut tree = RevTree::default();
        for at in 0..self.parents.len() {
            self.merge(&mut tree, at);
        }
        tree
    }

    /// Those of `known` that are no parent of another, best first.
    pub(super) fn leaves(&self, known: &BTreeSet<usize>) -> Vec<usize> {
        let is_parent = |at: usize| known.iter().any(|&child| self.parents[child] == Some(at));
        let mut leaves: Vec<usize> = known.iter().copied().filter(|&at| !is_parent(at)).collect();
        leaves.sort_by(|&a, &b| {
            let (rev_a, rev_b) = (self.rev(a), self.rev(b));
            let live_first = self.deleted[a].cmp(&self.deleted[b]);
            let long_first = rev_b.generation.cmp(&rev_a.generation);
            let high_first = rev_b.digest.as_bytes().cmp(rev_a.digest.as_bytes());
            live_first.then(long_first).then(high_first)
        });
        leaves
    }

    /// Asserts that a tree holds exactly these revisions, each with its true parent where that is among them.
    #[track_caller]
    pub(super) fn assert_holds(&self, tree: &RevTree, known: &BTreeSet<usize>) {
        for at in 0..self.parents.len() {
            assert_eq!(
                tree.contains(&self.rev(at)),
                known.contains(&at),
                "revision {at} of {self:?}"
            );
            let lineage = self
                .lineage(at)
                .into_iter()
                .take_while(|at| known.contains(at))
                .count();
            let expected = known.contains(&at).then(|| self.path(at, lineage));
            assert_eq!(tree.path(&self.rev(at)), expected, "revision {at} of {self:?}");
        }
        let expected: Vec<(Rev, LeafState)> = self
            .leaves(known)
            .into_iter()
            .map(|at| (self.rev(at), self.state(at)))
            .collect();
        let leaves: Vec<(Rev, LeafState)> = tree
            .leaves()
            .into_iter()
            .map(|(rev, state)| (rev.clone(), state))
            .collect();
        assert_eq!(leaves, expected, "leaves of {self:?}");
        let winner = tree.winner().map(|(rev, state)| (rev.clone(), state));
        assert_eq!(winner.as_ref(), expected.first(), "winner of {self:?}");
    }
}
