//! Where a run starts after an earlier one.

use crate::faults::Faulty;
use crate::world::{World, name, put, replicate};
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::doc_id::LocalId;
use trunkline_replicate::{Peer, Progress, Spec, run};

#[tokio::test]
async fn a_later_run_goes_on_from_the_checkpoint() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "a", None, "{}");
    let first = world.replicate(Spec::default()).await.unwrap();
    put(&source, "b", None, "{}");
    let second = world.replicate(Spec::default()).await.unwrap();
    assert_eq!(second.progress.revisions_checked, 1);
    assert_eq!(second.history.len(), 2);
    assert_eq!(second.history[1], first.history[0]);
    assert_eq!(first.progress.replication_id, second.progress.replication_id);
    let id = LocalId::parse(&second.progress.replication_id).unwrap();
    let (number, log) = world.database("target").local(&id).unwrap().unwrap();
    assert_eq!(
        (number, Some(log)),
        (2, source.local(&id).unwrap().map(|(_, log)| log))
    );
}

#[tokio::test]
async fn without_checkpoints_every_run_is_a_first_one() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let spec = Spec {
        use_checkpoints: Some(false),
        ..Spec::default()
    };
    for _ in 0..2 {
        let report = world.replicate(spec.clone()).await.unwrap();
        assert_eq!(report.progress.revisions_checked, 1);
        assert_eq!(report.progress.checkpointed_source_seq, None);
    }
    let mut first = |_: &str, _, _: &str| ControlFlow::Break(());
    assert!(world.database("target").locals(None, false, &mut first).unwrap());
}

#[tokio::test]
async fn a_database_made_again_is_replicated_again() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    world.replicate(Spec::default()).await.unwrap();
    world.store.delete(&name("target")).unwrap();
    // A creation time differs by its millisecond.
    std::thread::sleep(std::time::Duration::from_millis(2));
    world.store.create(&name("target")).unwrap();
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();

    world.store.delete(&name("source")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    put(&world.store.create(&name("source")).unwrap(), "b", None, "{}");
    world.replicate(Spec::default()).await.unwrap();
    assert!(world.database("target").tree("b").unwrap().is_some());
}

#[tokio::test]
async fn a_seq_to_start_from_counts_without_a_checkpoint() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "a", None, "{}");
    put(&source, "b", None, "{}");
    let spec = Spec {
        since_seq: Some("1".to_owned()),
        ..Spec::default()
    };
    let report = world.replicate(spec).await.unwrap();
    assert_eq!(report.progress.docs_written, 1);
    assert!(world.database("target").tree("a").unwrap().is_none());
}

#[tokio::test]
async fn a_run_with_nothing_to_do_tells_how_far_the_source_is() {
    let world = World::new();
    let seq = async |world: &World| world.peer("source").info().await.unwrap().update_seq.to_string();
    let empty = world.replicate(Spec::default()).await.unwrap();
    assert_eq!(empty.progress.through_seq, Some(seq(&world).await));
    put(&world.database("source"), "a", None, "{}");
    world.replicate(Spec::default()).await.unwrap();
    let again = world.replicate(Spec::default()).await.unwrap();
    assert!(again.no_changes);
    assert_eq!(again.progress.through_seq, Some(seq(&world).await));
}

/// Both ends, where the source takes no checkpoints, and what came to the target with documents.
type ReadOnly = (Arc<dyn Peer>, Arc<dyn Peer>, Arc<Mutex<Vec<String>>>);

fn read_only(world: &World) -> ReadOnly {
    let mut source = Faulty::new(world.peer("source"), 1, 0);
    source.refuses_logs = true;
    let target = Faulty::new(world.peer("target"), 1, 0);
    let rode = Arc::clone(&target.rode);
    (Arc::new(source), Arc::new(target), rode)
}

/// Documents that are refused for now come again: the target's log, believed alone, must not have passed them.
#[tokio::test]
async fn where_the_source_takes_no_checkpoints_none_comes_with_the_documents_that_it_names() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "a", None, "{}");
    let (from, to, _) = read_only(&world);
    replicate(from, to, Spec::default()).await.unwrap();
    put(&source, "b", None, "{}");
    let (from, to, rode) = read_only(&world);
    let second = replicate(from, to, Spec::default()).await.unwrap();
    // It goes on from the target's log all the same.
    assert_eq!((second.progress.revisions_checked, second.history.len()), (1, 2));
    assert_eq!(*rode.lock(), Vec::<String>::new());
    let (from, to, _) = read_only(&world);
    let third = replicate(from, to, Spec::default()).await.unwrap();
    assert!(third.no_changes);
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn none_comes_so_once_the_source_refused_one() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "a", None, "{}");
    let (from, to, rode) = read_only(&world);
    let (sender, mut progress) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(from, to, spec, sender, cancel.clone()));
    for (at, id) in ["b", "c", "d"].iter().enumerate() {
        let recorded = |told: &Progress| {
            told.docs_written == at as u64 + 1 && told.checkpointed_source_seq == told.through_seq
        };
        progress.wait_for(recorded).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        put(&source, id, None, "{}");
    }
    progress.wait_for(|told| told.docs_written == 4).await.unwrap();
    cancel.cancel();
    running.await.unwrap().unwrap();
    // Before it was known, one did, and does not say that it is to be believed.
    let rode = rode.lock();
    assert!(
        rode.len() <= 1 && !rode.iter().any(|log| log.contains("refused")),
        "{rode:?}"
    );
    world.assert_equal();
}
