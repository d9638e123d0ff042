//! Options of a run: what ends it, what it passes over, when attachment bytes follow, how fast it goes.

use crate::world::{World, attachment, delete, edit, leaves, put, replicate};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trunkline_core::doc_id::{DocId, LocalId};
use trunkline_replicate::{AttachmentMode, PeerErrorKind, Progress, Spec, run};

#[tokio::test]
async fn an_archive_keeps_what_the_source_deletes() {
    let world = World::new();
    let source = world.database("source");
    let rev = put(&source, "call", None, "{}");
    let archive = Spec {
        archive: true,
        ..Spec::default()
    };
    world.replicate(archive.clone()).await.unwrap();
    delete(&source, "call", &rev);
    let report = world.replicate(archive).await.unwrap();
    assert_eq!(
        report.progress.checkpointed_source_seq,
        report.progress.through_seq
    );
    assert!(!leaves(&world.database("target"))["call"][&rev.to_string()].0);
    // Another replication does not take the archive's word for what it passed over.
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
}

#[tokio::test]
async fn a_run_ends_at_the_seq_it_was_told() {
    for continuous in [false, true] {
        let world = World::new();
        let source = world.database("source");
        let first = put(&source, "a", None, "{}");
        put(&source, "b", None, "{}");
        put(&source, "c", None, "{}");
        // Nothing is left at the seq it ends at.
        put(&source, "a", Some(&first), "{}");
        let spec = Spec {
            until: Some("2".to_owned()),
            continuous,
            ..Spec::default()
        };
        let report = world.replicate(spec).await.unwrap();
        let moved: Vec<_> = leaves(&world.database("target")).into_keys().collect();
        assert_eq!(moved, ["b"]);
        assert!(report.progress.through_seq.unwrap().contains('2'));
        world.replicate(Spec::default()).await.unwrap();
        world.assert_equal();
    }
}

#[tokio::test]
async fn lazy_and_no_attachments_leave_the_bytes_behind_or_out() {
    let world = World::new();
    let source = world.database("source");
    let files = vec![attachment(&source, "voice", &[7; 300_000])];
    edit(&source, "mail", None, "{}", false, files);
    let none = Spec {
        attachments: AttachmentMode::None,
        ..Spec::default()
    };
    let report = world.replicate(none).await.unwrap();
    assert_eq!((report.progress.docs_written, report.refused.len()), (1, 0));
    assert_eq!(world.database("target").absent(None, 9).unwrap().len(), 1);
    let lazy = Spec {
        attachments: AttachmentMode::Lazy,
        ..Spec::default()
    };
    world.replicate(lazy).await.unwrap();
    world.assert_equal();
}

#[tokio::test]
async fn a_checkpoint_comes_in_the_commit_of_the_documents_it_names() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let target = world.database("target");
    let report = world.replicate(Spec::default()).await.unwrap();
    let id = LocalId::parse(&report.progress.replication_id).unwrap();
    // Written once, and not again for the run's end.
    assert_eq!(target.local(&id).unwrap().unwrap().0, 1);
    assert_eq!(
        target.local(&id).unwrap(),
        world.database("source").local(&id).unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn a_cap_is_kept_to() {
    let world = World::new();
    let source = world.database("source");
    let files = vec![attachment(&source, "voice", &[7; 500_000])];
    edit(&source, "mail", None, "{}", false, files);
    let begun = Instant::now();
    let spec = Spec {
        bytes_per_second: Some(10_000),
        ..Spec::default()
    };
    world.replicate(spec).await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_secs(50),
        "{:?}",
        begun.elapsed()
    );
    world.assert_equal();
}

#[tokio::test]
async fn a_strict_run_ends_at_the_first_document_that_does_not_arrive() {
    let world = World::new();
    put(&world.database("source"), "cursed", None, "{}");
    put(&world.database("source"), "other", None, "{}");
    let mut source = crate::faults::Faulty::new(world.peer("source"), 1, 0);
    source.cursed.push("cursed".to_owned());
    let spec = Spec {
        strict: true,
        ..Spec::default()
    };
    let error = tokio::time::timeout(
        Duration::from_secs(60),
        replicate(Arc::new(source), world.peer("target"), spec),
    );
    let error = error.await.unwrap().unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Invalid);
    assert!(error.reason.contains("document cursed 1-"), "{error}");
    // Nothing was passed by.
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
}

#[tokio::test]
async fn a_run_tells_since_when_it_is_behind() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(
        world.peer("source"),
        world.peer("target"),
        spec,
        progress,
        cancel.clone(),
    ));
    let caught_up = |progress: &Progress| progress.docs_written == 1 && progress.behind_since_ms.is_none();
    watched.wait_for(caught_up).await.unwrap();
    assert!(watched.borrow().last_success_ms.is_some());
    world.store.delete(&crate::world::name("target")).unwrap();
    put(&world.database("source"), "b", None, "{}");
    let told =
        watched.wait_for(|progress| progress.behind_since_ms.is_some() && progress.last_error.is_some());
    assert!(told.await.unwrap().behind_since_ms.is_some());
    cancel.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_run_has_caught_up_where_the_newest_seq_has_no_document() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "a", None, "{}");
    let rev = put(&source, "b", None, "{}");
    let id = DocId::parse("b").unwrap();
    source.purge(&[(id, vec![rev])]).unwrap();
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let (from, to) = (world.peer("source"), world.peer("target"));
    let newest = from.info().await.unwrap().update_seq.to_string();
    let running = tokio::spawn(run(from, to, spec, progress, cancel.clone()));
    let through = |progress: &Progress| progress.is_idle() && progress.through_seq.as_ref() == Some(&newest);
    let told = tokio::time::timeout(Duration::from_secs(20), watched.wait_for(through));
    let told = told.await.unwrap().unwrap().clone();
    assert_eq!((told.behind_since_ms, told.changes_pending), (None, Some(0)));
    cancel.cancel();
    running.await.unwrap().unwrap();
}
