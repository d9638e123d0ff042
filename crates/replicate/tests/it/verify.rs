//! Comparing two databases: every difference is found, once, and none where there is none.

use crate::world::{World, delete, graft, put};
use std::collections::BTreeMap;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_replicate::{Difference, Spec, Verified, verify};
use trunkline_store::{Batch, Database};

async fn compared(world: &World) -> (Verified, BTreeMap<String, (Vec<String>, Vec<String>)>) {
    let mut found = BTreeMap::new();
    let texts = |revs: &[Rev]| revs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut differs = |difference: Difference| {
        let sides = (texts(&difference.only_source), texts(&difference.only_target));
        assert_eq!(found.insert(difference.id.to_string(), sides), None);
    };
    let verified = verify(world.peer("source"), world.peer("target"), &mut differs);
    let verified = verified.await.unwrap();
    assert_eq!(verified.differences, found.len() as u64);
    (verified, found)
}

/// New documents in one commit.
fn fill(database: &Database, count: usize) -> Vec<Rev> {
    let edit = |at| {
        Edit::Interactive(InteractiveEdit {
            id: DocId::parse(&format!("doc-{at:05}")).unwrap(),
            parent: None,
            deleted: false,
            body: Body::empty(),
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: (0..count).map(edit).collect(),
        ..Batch::default()
    };
    let written = database.update(batch).unwrap();
    written.into_iter().map(|written| written.unwrap().rev).collect()
}

#[tokio::test]
async fn databases_that_agree_have_no_difference() {
    let world = World::new();
    assert_eq!(compared(&world).await.0, Verified::default());
    let source = world.database("source");
    let revs = fill(&source, 10_000);
    delete(&source, "doc-01000", &revs[1000]);
    graft(&source, "doc-00001", 1, &["a"], false);
    world.replicate(Spec::default()).await.unwrap();
    let (verified, found) = compared(&world).await;
    assert_eq!(found, BTreeMap::new());
    assert_eq!(verified.documents, 10_000);
}

#[tokio::test]
async fn every_difference_is_told_once_with_its_side() {
    let world = World::new();
    let (source, target) = (world.database("source"), world.database("target"));
    fill(&source, 9000);
    world.replicate(Spec::default()).await.unwrap();
    let only_here = put(&source, "doc-04095x", None, "{}");
    let only_there = put(&target, "aaa", None, "{}");
    let beyond = put(&target, "zzz", None, "{}");
    graft(&source, "doc-08999", 1, &["a"], false);
    let (_, found) = compared(&world).await;
    let side = |rev: &Rev| vec![rev.to_string()];
    let expected = BTreeMap::from([
        ("aaa".to_owned(), (vec![], side(&only_there))),
        ("doc-04095x".to_owned(), (side(&only_here), vec![])),
        ("doc-08999".to_owned(), (vec!["1-a".to_owned()], vec![])),
        ("zzz".to_owned(), (vec![], side(&beyond))),
    ]);
    assert_eq!(found, expected);
}
