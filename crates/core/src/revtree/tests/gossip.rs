//! Nodes that stem, and tell each other of documents that changed: whatever they forget, they come to rest.

use crate::doc::RevPath;
use crate::revtree::{LeafState, Merged, RevTree};
use proptest::prelude::*;

// What one node says of a document: every leaf with the ancestors it knows.
type Told = Vec<(RevPath, LeafState)>;

struct Node {
    tree: RevTree,
    // Counts changes, as a seq does.
    seq: u64,
}

struct Nodes {
    limit: u32,
    nodes: Vec<Node>,
    // Source, target, and how far the target is.
    edges: Vec<(usize, usize, u64)>,
}

impl Nodes {
    fn take(&mut self, at: usize, (path, state): &(RevPath, LeafState)) {
        let node = &mut self.nodes[at];
        let before = node.tree.clone();
        let merged = node.tree.merge(path, *state);
        node.tree.stem(self.limit);
        node.seq += u64::from(merged != Merged::Known || node.tree.leaves() != before.leaves());
    }

    fn told(&self, at: usize) -> Told {
        let tree = &self.nodes[at].tree;
        let leaves = tree.leaves().into_iter();
        leaves
            .filter_map(|(leaf, state)| Some((tree.path(leaf)?, state)))
            .collect()
    }

    // Whether there was anything to tell.
    fn tell(&mut self, edge: usize, compares: bool) -> Option<Told> {
        let (source, target, seen) = self.edges[edge];
        let seq = self.nodes[source].seq;
        if seen == seq {
            return None;
        }
        self.edges[edge].2 = seq;
        let mut told = self.told(source);
        told.retain(|(path, _)| {
            let known = path
                .rev()
                .is_some_and(|rev| self.nodes[target].tree.contains(&rev));
            !compares || !known
        });
        told.iter().for_each(|one| self.take(target, one));
        Some(told)
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// The next revision of the world is made where its parent is known best.
    Make(prop::sample::Index),
    Tell(prop::sample::Index, bool),
    /// What was told once is heard again, somewhere.
    Again(prop::sample::Index, prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<prop::sample::Index>().prop_map(Step::Make),
        3 => any::<(prop::sample::Index, bool)>().prop_map(|(edge, compares)| Step::Tell(edge, compares)),
        1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(told, at)| Step::Again(told, at)),
    ]
}

proptest! {
    #[test]
    fn nodes_that_stem_come_to_rest(
        world in super::properties::world(),
        limit in 1_u32..6,
        count in 2_usize..6,
        shortcuts in prop::collection::vec((0_usize..6, 0_usize..6), 0..6),
        steps in prop::collection::vec(step(), 0..150),
        dice in any::<u64>(),
    ) {
        let ring = (0..count).map(|at| (at, (at + 1) % count));
        let others = shortcuts.into_iter().map(|(a, b)| (a % count, b % count)).filter(|(a, b)| a != b);
        let mut nodes = Nodes {
            limit,
            nodes: (0..count).map(|_| Node { tree: RevTree::default(), seq: 0 }).collect(),
            edges: ring.chain(others).map(|(a, b)| (a, b, 0)).collect(),
        };
        let (mut made, mut heard) = (0, Vec::<Told>::new());
        for step in steps {
            match step {
                Step::Make(at) if made < world.parents.len() => {
                    // Made here, or brought by a client with some of its ancestors.
                    let known = (made % 7) + 2;
                    nodes.take(at.index(count), &(world.path(made, known), world.state(made)));
                    made += 1;
                }
                Step::Tell(edge, compares) => {
                    heard.extend(nodes.tell(edge.index(nodes.edges.len()), compares));
                }
                Step::Again(told, at) if !heard.is_empty() => {
                    let told = heard[told.index(heard.len())].clone();
                    told.iter().for_each(|one| nodes.take(at.index(count), one));
                }
                _ => {}
            }
        }
        // Nobody makes anything any more: telling each other ends, in whatever order.
        let mut dice = dice;
        for _ in 0..10_000 {
            if nodes.edges.iter().all(|(source, _, seen)| nodes.nodes[*source].seq == *seen) {
                return Ok(());
            }
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let edge = (dice >> 40) as usize % nodes.edges.len();
            nodes.tell(edge, dice >> 33 & 1 == 0);
        }
        prop_assert!(false, "they tell each other for ever");
    }
}
