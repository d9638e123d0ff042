//! Digests: equal where leaves are, whatever the order they came in and the size of the ranges.

use crate::support::*;
use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use trunkline_core::doc::Edit;
use trunkline_core::rev::Rev;
use trunkline_store::{Database, IdRange};
use trunkline_testkit::seed::with_seeds;

/// A batch each, so that seqs differ as well.
fn filled(edits: &[Edit]) -> (tempfile::TempDir, Database) {
    let (dir, _store, database) = store();
    for edits in edits.chunks(7) {
        update(&database, edits.to_vec())
            .into_iter()
            .for_each(|outcome| drop(outcome.unwrap()));
    }
    clean(&database);
    (dir, database)
}

fn ranges(database: &Database, docs_each: usize, ranges_max: usize) -> Vec<IdRange> {
    let mut all: Vec<IdRange> = Vec::new();
    loop {
        let after = all.last().map(|range| range.last_id.clone());
        let more = database
            .digests(after.as_deref(), None, docs_each, ranges_max)
            .unwrap();
        assert!(more.len() <= ranges_max);
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

fn leaves(database: &Database) -> BTreeMap<Box<str>, Vec<Rev>> {
    database
        .leaves_of(None, None, usize::MAX)
        .unwrap()
        .into_iter()
        .collect()
}

#[test]
fn digests_are_equal_exactly_where_leaves_are() {
    with_seeds(20, |rng| {
        let mut edits: Vec<Edit> = (0..rng.random_range(1..120))
            .map(|_| {
                let digest = ["a", "b", "c"][rng.random_range(0..3)];
                // A revision is deleted or not, wherever it is.
                let id = format!("doc{:02}", rng.random_range(0..30));
                replica(&id, rng.random_range(1..3), &[digest], digest == "c", "{}")
            })
            .collect();
        let (_dir, one_way) = filled(&edits);
        edits.shuffle(rng);
        let (_dir, other_way) = filled(&edits);
        assert_eq!(leaves(&one_way), leaves(&other_way));
        let docs_each = rng.random_range(1..12);
        let of_one = ranges(&one_way, docs_each, 3);
        assert_eq!(of_one, ranges(&other_way, docs_each, 1000));
        assert!(
            of_one
                .iter()
                .rev()
                .skip(1)
                .all(|range| range.docs == docs_each as u64)
        );

        // The same over given bounds, and with one edit left out.
        edits.pop();
        let (_dir, fewer) = filled(&edits);
        let mut after = None;
        for range in &of_one {
            let until = Some(&*range.last_id);
            let digest = (range.docs, range.digest);
            assert_eq!(other_way.digest_of(after, until).unwrap(), digest);
            let by_bounds = other_way.digests(after, until, usize::MAX, 1).unwrap();
            assert_eq!(by_bounds, std::slice::from_ref(range));
            let here = |database: &Database| database.leaves_of(after, until, usize::MAX).unwrap();
            assert_eq!(
                fewer.digest_of(after, until).unwrap() == digest,
                here(&fewer) == here(&one_way),
                "{range:?}"
            );
            after = until;
        }
        assert_eq!(one_way.digest_of(after, None).unwrap().0, 0);
    });
}

#[test]
fn every_leaf_has_its_part_and_nothing_else() {
    let digest = |edits: &[Edit]| filled(edits).1.digest_of(None, None).unwrap().1;
    let plain = digest(&[replica("a", 2, &["x", "w"], false, "{}")]);
    assert_eq!(plain, digest(&[replica("a", 2, &["x"], false, r#"{"n":1}"#)]));
    let tombstone = replica("a", 1, &["y"], true, "{}");
    let others = [
        digest(&[]),
        digest(&[replica("b", 2, &["x"], false, "{}")]),
        digest(&[replica("a", 3, &["x"], false, "{}")]),
        digest(&[replica("a", 2, &["x"], false, "{}"), tombstone]),
    ];
    assert!(others.iter().all(|other| *other != plain));
}

#[test]
fn a_range_may_be_longer_than_a_snapshot_is_held() {
    let path: Vec<String> = (0..900).map(|n| format!("{n:032x}")).collect();
    let path: Vec<Vec<u8>> = path
        .iter()
        .map(|text| rev(&format!("1-{text}")).digest.as_bytes().to_vec())
        .collect();
    let (_dir, _store, database) = store();
    let edits = (0..500).map(|n| {
        let Edit::Replicated(mut edit) = replica(&format!("doc{n:03}"), 900, &["x"], false, "{}") else {
            unreachable!()
        };
        let digests = path
            .iter()
            .map(|digest| trunkline_core::rev::Digest::from_bytes(digest));
        edit.path = trunkline_core::doc::RevPath::new(900, digests.collect()).unwrap();
        Edit::Replicated(edit)
    });
    update(&database, edits.collect());
    let one = database.digests(None, None, 500, 1).unwrap();
    assert_eq!((one[0].docs, &*one[0].last_id), (500, "doc499"));
    assert_eq!(database.digest_of(None, None).unwrap(), (500, one[0].digest));
    let listed = database.leaves_of(Some("doc001"), Some("doc450"), 449).unwrap();
    assert_eq!(listed.len(), 449);
    assert_eq!(listed.iter().filter(|(id, _)| &**id == "doc300").count(), 1);
}
