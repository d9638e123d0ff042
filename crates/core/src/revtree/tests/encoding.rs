//! A tree's bytes: they say what the tree says, and no bytes do harm.

use super::properties::world;
use crate::doc::RevPath;
use crate::rev::{Digest, Rev};
use crate::revtree::{Corrupt, EncodedTree, LeafState, Merged, RevTree};
use proptest::prelude::*;

fn encode(tree: &RevTree) -> Vec<u8> {
    let mut bytes = Vec::new();
    tree.encode(&mut bytes);
    bytes
}

fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![
        4 => any::<[u8; 16]>().prop_map(Digest::from),
        1 => "[!#-\\[\\]-~]{1,40}".prop_map(|text| Digest::from_bytes(text.as_bytes())),
    ]
}

fn digests(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Digest>> {
    prop_oneof![
        prop::collection::vec(any::<[u8; 16]>().prop_map(Digest::from), count.clone()),
        prop::collection::vec(digest(), count),
    ]
}

fn state() -> impl Strategy<Value = LeafState> {
    (any::<bool>(), any::<u64>()).prop_map(|(deleted, body)| LeafState { deleted, body })
}

prop_compose! {
    fn path(count: std::ops::Range<usize>)(digests in digests(count), older in 0_u64..1000) -> RevPath {
        RevPath::new(digests.len() as u64 + older, digests).expect("a path")
    }
}

fn tree(path: &RevPath, state: LeafState, limit: u32) -> RevTree {
    let mut tree = RevTree::default();
    tree.merge(path, state);
    tree.stem(limit);
    tree
}

proptest! {
    #[test]
    fn trees_survive(world in world(), limit in 1_u32..50) {
        let mut tree = world.tree();
        tree.stem(limit);
        let bytes = encode(&tree);
        prop_assert_eq!(RevTree::decode(&bytes), Ok(tree.clone()));
        let encoded = EncodedTree::new(&bytes).expect("valid");
        let (rev, state) = encoded.winner();
        prop_assert_eq!(Some((&rev, state)), tree.winner());
        prop_assert_eq!(Some(encoded.winner_path()), tree.path(&rev));
        for at in 0..world.parents.len() {
            let linear = (tree.leaves().len() == 1).then(|| tree.contains(&world.rev(at)));
            prop_assert_eq!(encoded.linear_contains(&world.rev(at)), linear);
        }
    }

    #[test]
    fn a_new_path_is_encoded_as_a_tree_would(path in path(1..30), state in state(), limit in 1_u32..40) {
        let mut bytes = Vec::new();
        EncodedTree::encode_path(&path, state, limit, &mut bytes);
        prop_assert_eq!(bytes, encode(&tree(&path, state, limit)));
    }

    #[test]
    fn extending_is_merging(
        old in path(1..30), before in state(), digest in digest(), after in state(), limit in 1_u32..40,
    ) {
        let mut expected = tree(&old, before, limit);
        let bytes = encode(&expected);
        let rev = Rev { generation: old.generation + 1, digest };
        let mut digests = vec![rev.digest.clone()];
        digests.extend(old.digests.iter().cloned());
        expected.merge(&RevPath::new(rev.generation, digests).expect("a path"), after);
        expected.stem(limit);

        let mut out = Vec::new();
        let extended = EncodedTree::new(&bytes).expect("valid").extend(&rev, after, limit, &mut out);
        prop_assert_eq!(extended, Some(()));
        prop_assert_eq!(RevTree::decode(&out), Ok(expected));
    }

    #[test]
    fn merging_bytes_is_merging_trees(
        whole in path(1..40), first in 0_usize..40, short in 1_usize..40, (old_limit, limit) in (1_u32..40, 1_u32..40),
        before in state(), after in state(), stranger in any::<bool>(),
    ) {
        // The tree knows the path from `first` on; the edit brings its newest `short` revisions.
        let first = first.min(whole.digests.len() - 1);
        let known = RevPath::new(whole.generation - first as u64, whole.digests[first..].to_vec()).expect("a path");
        let mut expected = tree(&known, before, old_limit);
        let bytes = encode(&expected);
        let mut edit = whole;
        edit.digests.truncate(short);
        let short = edit.digests.len();
        if stranger {
            edit.digests.last_mut().expect("not empty").clone_from(&Digest::from_bytes(b"stranger"));
        }
        let encoded = EncodedTree::new(&bytes).expect("valid");
        let mut out = Vec::new();
        let merged = encoded.merge(&edit, after, limit, &mut out);
        let says = expected.merge(&edit, after);
        match merged {
            None => prop_assert!(out.is_empty()),
            Some(Merged::NewLeaf) => {
                expected.stem(limit);
                prop_assert_eq!(says, Merged::NewLeaf);
                prop_assert_eq!(RevTree::decode(&out), Ok(expected));
            }
            Some(other) => {
                prop_assert_eq!((says, other), (Merged::Known, Merged::Known));
                prop_assert_eq!(RevTree::decode(&bytes), Ok(expected));
                prop_assert!(out.is_empty());
            }
        }
        // The way of nearly every replicated edit is taken: one or more revisions above the leaf, none below the root.
        let meets = first < short && first + encoded.winner_path().digests.len() >= short;
        prop_assert_eq!(merged.is_some(), meets && !(stranger && short == first + 1));
    }

    #[test]
    fn damaged_bytes_do_no_harm(world in world(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = encode(&world.tree());
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        harmless(&bytes);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..80)) {
        harmless(&bytes);
    }
}

// Bytes that are taken are a tree's, whose winner both readers agree on.
fn harmless(bytes: &[u8]) {
    let encoded = EncodedTree::new(bytes);
    if let Ok(tree) = RevTree::decode(bytes) {
        assert_eq!(RevTree::decode(&encode(&tree)).as_ref(), Ok(&tree));
        let (rev, state) = encoded.expect("what decodes has a first branch").winner();
        assert_eq!(tree.winner(), Some((&rev, state)));
    }
}

#[test]
fn malformed_bytes_are_refused() {
    let md5 = [7_u8; 16];
    let branch = |head: &[u8]| [head, &md5].concat();
    // flags body generation count digest
    let good = branch(&[4, 0, 3, 1]);
    assert!(RevTree::decode(&good).is_ok());
    let huge_count = [
        4, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ];
    for (bytes, why) in [
        (vec![], "nothing"),
        (branch(&[12, 0, 3, 1]), "an unknown flag"),
        (branch(&[4, 0, 3, 0]), "no revision"),
        (branch(&[4, 0, 0, 0]), "no generation"),
        (branch(&[4, 0, 1, 2]), "more revisions than generations"),
        (branch(&[4, 0, 3, 2]), "fewer digests than counted"),
        (branch(&huge_count), "many fewer digests than counted"),
        (branch(&[6, 0, 3, 1, 0]), "a first branch joined to itself"),
        ([good.clone(), vec![4]].concat(), "half a branch"),
        ([good.clone(), good.clone()].concat(), "a revision twice"),
        (
            [good.clone(), branch(&[4, 0, 4, 1])].concat(),
            "the winner second",
        ),
        (
            [branch(&[5, 0, 3, 1]), branch(&[4, 0, 2, 1])].concat(),
            "the live leaf second",
        ),
        (
            [branch(&[4, 0, 3, 2]), md5.to_vec(), branch(&[6, 0, 3, 1, 0])].concat(),
            "twins",
        ),
        (
            [good.clone(), branch(&[6, 0, 2, 1, 1])].concat(),
            "a branch joined to itself",
        ),
        (
            [good.clone(), branch(&[6, 0, 2, 1, 0])].concat(),
            "a parent the branch does not hold",
        ),
        (
            [branch(&[4, 0, 2, 1]), branch(&[7, 0, 3, 1, 0])].concat(),
            "a leaf as parent",
        ),
        (vec![0, 0, 1, 1, 0], "an empty digest"),
        (vec![0, 0, 1, 1, 1, b'"'], "a digest no text spells"),
        (vec![0, 0, 1, 1, 2, b'a'], "a digest cut short"),
    ] {
        assert_eq!(RevTree::decode(&bytes), Err(Corrupt), "{why}");
    }
}

#[test]
fn the_format_is_what_it_was() {
    let mut tree = RevTree::default();
    let live = |body| LeafState { deleted: false, body };
    let path = |generation, digests: &[&[u8]]| {
        RevPath::new(
            generation,
            digests.iter().map(|digest| Digest::from_bytes(digest)).collect(),
        )
        .expect("a path")
    };
    tree.merge(&path(300, &[&[3; 16], &[2; 16], &[1; 16]]), live(0));
    tree.merge(
        &path(300, &[b"x", &[2; 16]]),
        LeafState {
            deleted: true,
            body: 5,
        },
    );
    let mut expected = vec![4, 0, 0xac, 0x02, 3];
    expected.extend([[3; 16], [2; 16], [1; 16]].concat());
    expected.extend([3, 5, 0xac, 0x02, 1, 0, 1, b'x']);
    assert_eq!(encode(&tree), expected);
}
