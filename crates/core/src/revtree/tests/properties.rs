//! What holds for every tree, tried on random ones with random partial knowledge.

use super::world::World;
use crate::revtree::RevTree;
use proptest::prelude::*;
use std::collections::BTreeSet;

prop_compose! {
    pub(super) fn world()(
        choices in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..12, any::<bool>()), 1..40),
    ) -> World {
        // Mostly the newest revision goes on, so that branches get long; sometimes any earlier one, or a new root.
        let parent = |(at, (index, kind, _)): (usize, &(prop::sample::Index, u8, bool))| match kind {
            _ if at == 0 => None,
            0 => None,
            1..=4 => Some(index.index(at)),
            _ => Some(at - 1),
        };
        World {
            parents: choices.iter().enumerate().map(parent).collect(),
            deleted: choices.iter().map(|&(_, _, deleted)| deleted).collect(),
        }
    }
}

prop_compose! {
    // A world and what one node may have been told of it: revisions with so many of their ancestors.
    fn told()(world in world())(
        told in prop::collection::vec((0..world.parents.len(), 1_usize..20), 0..30),
        world in Just(world),
    ) -> (World, Vec<(usize, usize)>) {
        (world, told)
    }
}

fn learn(world: &World, tree: &mut RevTree, told: &[(usize, usize)]) {
    for &(at, length) in told {
        tree.merge(&world.path(at, length), world.state(at));
    }
}

fn union(mut tree: RevTree, other: &RevTree) -> RevTree {
    for (leaf, state) in other.leaves() {
        tree.merge(&other.path(leaf).expect("a leaf has a path"), state);
    }
    tree
}

proptest! {
    #[test]
    fn merge_is_commutative(
        (world, told, shuffled) in told().prop_flat_map(|(world, told)| {
            (Just(world), Just(told.clone()), Just(told).prop_shuffle())
        })
    ) {
        let (mut one, mut other) = (RevTree::default(), RevTree::default());
        learn(&world, &mut one, &told);
        learn(&world, &mut other, &shuffled);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn merge_is_associative_and_idempotent((world, told) in told(), cuts in (0_usize..30, 0_usize..30)) {
        let first = cuts.0.min(cuts.1).min(told.len());
        let second = cuts.0.max(cuts.1).min(told.len());
        let trees: Vec<RevTree> = [&told[..first], &told[first..second], &told[second..]].into_iter().map(|told| {
            let mut tree = RevTree::default();
            learn(&world, &mut tree, told);
            tree
        }).collect();
        let [a, b, c] = trees.as_slice() else { unreachable!() };
        let left = union(union(a.clone(), b), c);
        let right = union(a.clone(), &union(b.clone(), c));
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(&union(left.clone(), b), &left);
        prop_assert_eq!(&union(left.clone(), &left), &left);
    }

    #[test]
    fn merging_a_stemmed_tree_is_merging_and_stemming((world, told) in told(), limit in 1_u32..12) {
        let mut tree = RevTree::default();
        for (number, &(at, length)) in told.iter().enumerate() {
            let (path, state) = (world.path(at, length), world.state(at));
            let mut expected = tree.clone();
            let merged = expected.merge(&path, state);
            expected.stem(limit);
            prop_assert_eq!(tree.merge_stemmed(&path, state, limit, number > 0), merged);
            prop_assert_eq!(&tree, &expected);
        }
    }

    #[test]
    fn a_path_that_is_held_changes_nothing((world, told) in told(), at in any::<prop::sample::Index>(), length in 1_usize..20) {
        let mut tree = RevTree::default();
        learn(&world, &mut tree, &told);
        let at = at.index(world.parents.len());
        let path = world.path(at, length);
        let before = tree.clone();
        let held = tree.holds(&path);
        tree.merge(&path, world.state(at));
        prop_assert_eq!(held, tree == before);
    }

    #[test]
    fn winner_is_the_naive_one(world in world()) {
        let all = (0..world.parents.len()).collect();
        world.assert_holds(&world.tree(), &all);
    }

    #[test]
    fn stem_keeps_what_is_near_a_leaf(world in world(), limit in 1_u32..12) {
        let all: BTreeSet<usize> = (0..world.parents.len()).collect();
        let leaves = world.leaves(&all);
        let near = leaves.iter().flat_map(|&leaf| world.lineage(leaf).into_iter().take(limit as usize));
        let mut tree = world.tree();
        tree.stem(limit);
        world.assert_holds(&tree, &near.collect());
        let once = tree.clone();
        tree.stem(limit);
        prop_assert_eq!(tree, once);
    }
}
