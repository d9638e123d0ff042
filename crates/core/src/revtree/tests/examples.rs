//! Trees whose outcome CouchDB's own code was seen to give, and other single cases.

use crate::doc::RevPath;
use crate::rev::Rev;
use crate::revtree::{LeafState, Merged, RevTree};

const LIVE: LeafState = LeafState {
    deleted: false,
    body: 0,
};
const DELETED: LeafState = LeafState {
    deleted: true,
    body: 0,
};

fn rev(text: &str) -> Rev {
    Rev::parse(text).expect(text)
}

// "3-c b a" is 3-c made from 2-b made from 1-a.
fn path(text: &str) -> RevPath {
    let (newest, older) = text.split_once(' ').unwrap_or((text, ""));
    let mut path = RevPath::from(rev(newest));
    path.digests.extend(
        older
            .split_whitespace()
            .map(|digest| rev(&format!("1-{digest}")).digest),
    );
    RevPath::new(path.generation, path.digests).expect(text)
}

fn tree(paths: &[&str]) -> RevTree {
    let mut tree = RevTree::default();
    for text in paths {
        tree.merge(&path(text), LIVE);
    }
    tree
}

fn leaves(tree: &RevTree) -> Vec<String> {
    let leaves = tree.leaves().into_iter();
    leaves
        .map(|(leaf, _)| {
            let path = tree.path(leaf).expect("a leaf has a path");
            path.revs()
                .map(|rev| rev.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn stemming_a_branched_tree_splits_it_into_roots() {
    let mut tree = tree(&["3-y 2 1", "6-f e d c 2 1"]);
    tree.stem(3);
    // 2 is within two edges of 3-y, but 3-c is not within two edges of 6-f.
    assert_eq!(leaves(&tree), ["6-f 5-e 4-d", "3-y 2-2 1-1"]);
    let mut shorter = self::tree(&["2-y 1", "5-e d c 2 1"]);
    shorter.stem(2);
    assert_eq!(leaves(&shorter), ["5-e 4-d", "2-y 1-1"]);
}

#[test]
fn a_limit_of_zero_still_keeps_the_leaves() {
    let mut tree = tree(&["3-c b a", "2-x a"]);
    tree.stem(0);
    assert_eq!(leaves(&tree), ["3-c", "2-x"]);
}

#[test]
fn digests_of_both_shapes_order_by_stored_bytes() {
    let hex = "1-a0000000000000000000000000000000";
    assert_eq!(leaves(&tree(&["1-foo", hex])), [hex, "1-foo"]);
    let low = "1-60000000000000000000000000000000";
    assert_eq!(leaves(&tree(&["1-foo", low])), ["1-foo", low]);
}

#[test]
fn a_live_leaf_wins_over_longer_deleted_ones() {
    let mut tree = tree(&["1-a", "2-b a"]);
    tree.merge(&path("3-c b a"), DELETED);
    tree.merge(&path("2-x a"), LIVE);
    assert_eq!(leaves(&tree), ["2-x 1-a", "3-c 2-b 1-a"]);
}

#[test]
fn a_known_leaf_keeps_its_state() {
    let mut tree = tree(&["1-a"]);
    assert_eq!(tree.merge(&path("1-a"), DELETED), Merged::Known);
    assert_eq!(tree.leaf(&rev("1-a")), Some(LIVE));
}

#[test]
fn a_path_past_the_limit_starts_a_root_of_its_own() {
    let mut tree = tree(&["5-e d c b a"]);
    tree.stem(2);
    assert_eq!(tree.merge(&path("9-i h g"), LIVE), Merged::NewBranch);
    assert_eq!(leaves(&tree), ["9-i 8-h 7-g", "5-e 4-d"]);
}

#[test]
fn a_stemmed_revision_that_comes_back_is_joined_to_its_child() {
    let mut tree = tree(&["3-c b a"]);
    tree.stem(2);
    assert_eq!(leaves(&tree), ["3-c 2-b"]);
    assert_eq!(tree.merge(&path("3-c b a"), LIVE), Merged::Known);
    assert_eq!(leaves(&tree), ["3-c 2-b 1-a"]);
}

#[test]
fn a_leaf_learnt_to_be_an_ancestor_is_a_leaf_no_more() {
    let mut tree = tree(&["4-d", "3-c b a"]);
    assert_eq!(leaves(&tree), ["4-d", "3-c 2-b 1-a"]);
    assert_eq!(tree.merge(&path("4-d c"), LIVE), Merged::Known);
    assert_eq!(leaves(&tree), ["4-d 3-c 2-b 1-a"]);
    assert_eq!(tree.leaf(&rev("3-c")), None);
}

#[test]
fn a_second_parent_is_not_believed() {
    let mut tree = tree(&["3-c b a"]);
    assert_eq!(tree.merge(&path("4-d c x y"), LIVE), Merged::NewLeaf);
    assert_eq!(leaves(&tree), ["4-d 3-c 2-b 1-a"]);
    assert!(!tree.contains(&rev("2-x")) && !tree.contains(&rev("1-y")));
}

#[test]
fn missing_names_leaves_below_the_highest_missing() {
    let tree = tree(&["3-c b a", "2-x a", "5-q"]);
    let revs = |texts: &[&str]| texts.iter().map(|text| rev(text)).collect::<Vec<_>>();
    let check = |asked: &[&str], missing: &[&str], ancestors: &[&str]| {
        assert_eq!(tree.missing(&revs(asked)), (revs(missing), revs(ancestors)));
    };
    check(&["1-a", "2-b", "3-c"], &[], &[]);
    check(&["4-z", "2-b", "3-z"], &["4-z", "3-z"], &["3-c", "2-x"]);
    check(&["2-z"], &["2-z"], &[]);
    check(&["9-z"], &["9-z"], &["5-q", "3-c", "2-x"]);
}

#[test]
fn descendant_leaves_are_those_at_or_below() {
    let tree = tree(&["3-c b a", "3-d b a", "2-x a", "5-q"]);
    let below = |text: &str| {
        let leaves = tree.descendant_leaves(&rev(text)).into_iter();
        leaves.map(|(leaf, _)| leaf.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(below("1-a"), ["3-d", "3-c", "2-x"]);
    assert_eq!(below("2-b"), ["3-d", "3-c"]);
    assert_eq!(below("3-c"), ["3-c"]);
    assert_eq!(below("5-q"), ["5-q"]);
    assert_eq!(below("4-q"), [""; 0]);
    assert_eq!(below("6-q"), [""; 0]);
}

#[test]
fn relocate_touches_leaves_only() {
    let mut tree = tree(&["2-b a"]);
    tree.relocate(&rev("2-b"), 7);
    tree.relocate(&rev("1-a"), 8);
    tree.relocate(&rev("1-z"), 9);
    assert_eq!(
        tree.leaf(&rev("2-b")),
        Some(LeafState {
            deleted: false,
            body: 7
        })
    );
    assert_eq!(tree.leaf(&rev("1-a")), None);
    assert!(!tree.contains(&rev("1-z")));
}
