//! Every history of up to five revisions, learnt in every order, with every choice of deleted leaves.

use super::world::World;
use crate::revtree::{EncodedTree, Merged, RevTree};
use std::collections::BTreeSet;

// Every way to give each of `count` revisions an earlier parent or none.
fn histories(count: usize) -> Vec<Vec<Option<usize>>> {
    (0..count).fold(vec![vec![]], |shorter, at| {
        let choices: Vec<Option<usize>> = std::iter::once(None).chain((0..at).map(Some)).collect();
        let longer = |history: &Vec<Option<usize>>, &parent: &Option<usize>| {
            history.iter().copied().chain([parent]).collect::<Vec<_>>()
        };
        shorter
            .iter()
            .flat_map(|history| choices.iter().map(move |parent| longer(history, parent)))
            .collect()
    })
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![vec![]], |shorter, at| {
        let inserted = |order: &Vec<usize>, place: usize| {
            let mut order = order.clone();
            order.insert(place, at);
            order
        };
        shorter
            .iter()
            .flat_map(|order| (0..=order.len()).map(move |place| inserted(order, place)))
            .collect()
    })
}

fn worlds(count: usize) -> impl Iterator<Item = World> {
    histories(count).into_iter().flat_map(move |parents| {
        let is_leaf = |at: usize| !parents.contains(&Some(at));
        let leaves: Vec<usize> = (0..count).filter(|&at| is_leaf(at)).collect();
        (0..1_usize << leaves.len()).map(move |choice| {
            let mut deleted = vec![false; count];
            for (bit, &leaf) in leaves.iter().enumerate() {
                deleted[leaf] = choice >> bit & 1 == 1;
            }
            World {
                parents: parents.clone(),
                deleted,
            }
        })
    })
}

// What a merge should say, from what was known before it.
fn expected(world: &World, known: &BTreeSet<usize>, at: usize) -> Merged {
    if known.contains(&at) {
        return Merged::Known;
    }
    let nearest = world
        .lineage(at)
        .into_iter()
        .find(|ancestor| known.contains(ancestor));
    match nearest {
        None if known.is_empty() => Merged::NewLeaf,
        Some(ancestor) if world.leaves(known).contains(&ancestor) => Merged::NewLeaf,
        _ => Merged::NewBranch,
    }
}

fn every_order(count: usize) -> usize {
    let orders = orders(count);
    let all: BTreeSet<usize> = (0..count).collect();
    let mut seen = 0;
    for world in worlds(count) {
        let truth = world.tree();
        world.assert_holds(&truth, &all);
        for order in &orders {
            let (mut tree, mut known) = (RevTree::default(), BTreeSet::new());
            for &at in order {
                let says = expected(&world, &known, at);
                assert_eq!(
                    world.merge(&mut tree, at),
                    says,
                    "{world:?} in order {order:?} at {at}"
                );
                known.extend(world.lineage(at));
            }
            assert_eq!(tree, truth, "{world:?} in order {order:?}");
            seen += 1;
        }
    }
    seen
}

#[test]
fn every_order_gives_one_tree() {
    let seen: Vec<usize> = (1..=4).map(every_order).collect();
    assert_eq!(
        seen,
        [2, 2 * (2 + 4), 6 * (2 + 4 + 4 + 4 + 4 + 8), 24 * world_count(4)]
    );
}

#[test]
fn every_order_of_five_gives_one_tree() {
    assert_eq!(every_order(5), 120 * world_count(5));
}

fn world_count(count: usize) -> usize {
    let leaves = |parents: &Vec<Option<usize>>| (0..count).filter(|&at| !parents.contains(&Some(at))).count();
    histories(count).iter().map(|parents| 1 << leaves(parents)).sum()
}

#[test]
fn every_step_on_the_way_is_what_it_should_be() {
    for world in worlds(4) {
        for order in orders(4) {
            let (mut tree, mut known) = (RevTree::default(), BTreeSet::new());
            for at in order {
                // A revision that was a leaf when it came may be an inner one of the world: all of them are live.
                world.merge(&mut tree, at);
                known.extend(world.lineage(at));
                world.assert_holds(&tree, &known);
            }
        }
    }
}

#[test]
fn every_tree_survives_its_bytes() {
    for world in (1..=5).flat_map(worlds) {
        let tree = world.tree();
        let mut bytes = Vec::new();
        tree.encode(&mut bytes);
        assert_eq!(RevTree::decode(&bytes).as_ref(), Ok(&tree), "{world:?}");
        let encoded = EncodedTree::new(&bytes).expect("valid");
        let (rev, state) = encoded.winner();
        assert_eq!(Some((&rev, state)), tree.winner(), "{world:?}");
        assert_eq!(encoded.is_linear(), tree.leaves().len() == 1, "{world:?}");
        for length in 0..bytes.len() {
            let cut = RevTree::decode(&bytes[..length]);
            // What is left is a whole number of branches, or nothing at all.
            assert!(cut.is_err() || cut.is_ok_and(|cut| cut.leaves().len() < tree.leaves().len()));
        }
    }
}

#[test]
fn every_purge_leaves_what_other_leaves_use() {
    for world in (1..=5).flat_map(worlds) {
        let count = world.parents.len();
        let leaves = world.leaves(&(0..count).collect());
        for choice in 0..1_usize << count {
            let asked: Vec<usize> = (0..count).filter(|at| choice >> at & 1 == 1).collect();
            let purged: Vec<usize> = asked.iter().copied().filter(|at| leaves.contains(at)).collect();
            let stay = leaves.iter().filter(|leaf| !purged.contains(leaf));
            let known: BTreeSet<usize> = stay.flat_map(|&leaf| world.lineage(leaf)).collect();

            let mut tree = world.tree();
            // Each twice: a second mention is no second leaf.
            let revs: Vec<_> = asked.iter().chain(&asked).map(|&at| world.rev(at)).collect();
            let expected: Vec<_> = purged
                .iter()
                .map(|&at| (world.rev(at), world.state(at)))
                .collect();
            assert_eq!(tree.purge(&revs), expected, "{world:?}");
            world.assert_holds(&tree, &known);
            assert_eq!(tree.is_empty(), known.is_empty());
        }
    }
}
