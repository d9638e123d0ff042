//! What is moved, and what is left out.

use crate::world::{World, attachment, delete, edit, graft, leaves, put};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::selector::Selector;
use trunkline_replicate::{PeerErrorKind, Progress, Spec, run};

#[tokio::test]
async fn moves_documents_deletions_and_conflicts() {
    let world = World::new();
    let source = world.database("source");
    for at in 0..2500 {
        put(&source, &format!("doc-{at}"), None, "{\"n\":1}");
    }
    let rev = put(&source, "edited", None, "{\"n\":1}");
    put(&source, "edited", Some(&rev), "{\"n\":1.0}");
    let rev = put(&source, "gone", None, "{}");
    delete(&source, "gone", &rev);
    graft(&source, "torn", 2, &["b", "a"], false);
    graft(&source, "torn", 3, &["d", "c", "a"], false);
    graft(&source, "torn", 2, &["e", "a"], true);
    put(&source, "_design/x", None, "{\"views\":{}}");
    let report = world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
    assert_eq!(report.progress.docs_written, 2500 + 3 + 3);
    assert_eq!(report.progress.doc_write_failures, 0);
    assert_eq!(
        report.progress.through_seq,
        report.progress.checkpointed_source_seq
    );
    assert_eq!(report.progress.changes_pending, Some(0));
    assert!(!report.no_changes);

    let again = world.replicate(Spec::default()).await.unwrap();
    assert!(again.no_changes);
    assert_eq!(again.progress.revisions_checked, 0);
}

#[tokio::test]
async fn keeps_long_histories() {
    let world = World::new();
    let source = world.database("source");
    let mut rev = put(&source, "long", None, "{\"n\":0}");
    for at in 1..1200 {
        rev = put(&source, "long", Some(&rev), &format!("{{\"n\":{at}}}"));
    }
    world.replicate(Spec::default()).await.unwrap();
    let tree = |of: &str| {
        world
            .database(of)
            .tree("long")
            .unwrap()
            .unwrap()
            .revs
            .path(&rev)
            .unwrap()
    };
    assert_eq!(tree("source"), tree("target"));
    assert_eq!(tree("target").digests.len(), 1000);
}

#[tokio::test]
async fn leaves_out_what_is_not_asked_for() {
    let world = World::new();
    let source = world.database("source");
    for at in 0..10 {
        put(&source, &format!("doc-{at}"), None, &format!("{{\"n\":{at}}}"));
    }
    graft(&source, "torn", 1, &["a"], false);
    graft(&source, "torn", 1, &["b"], false);
    let ids = |of: &str| leaves(&world.database(of)).into_keys().collect::<Vec<_>>();

    let some = Some(vec!["doc-3".to_owned(), "doc-5".to_owned(), "absent".to_owned()]);
    world
        .replicate(Spec {
            doc_ids: some,
            ..Spec::default()
        })
        .await
        .unwrap();
    assert_eq!(ids("target"), ["doc-3", "doc-5"]);

    let text = "{\"n\":{\"$gte\":8}}";
    let selector = Some((text.to_owned(), Selector::parse(text).unwrap()));
    world
        .replicate(Spec {
            selector,
            ..Spec::default()
        })
        .await
        .unwrap();
    assert_eq!(ids("target"), ["doc-3", "doc-5", "doc-8", "doc-9"]);

    world
        .replicate(Spec {
            winning_revs_only: true,
            ..Spec::default()
        })
        .await
        .unwrap();
    assert_eq!(
        leaves(&world.database("target"))["torn"]
            .keys()
            .collect::<Vec<_>>(),
        ["1-b"]
    );
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
}

#[tokio::test]
async fn a_selector_sees_attachments() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "plain", None, "{}");
    let voice = vec![attachment(&source, "voice.wav", b"hello")];
    edit(&source, "voice", None, "{}", false, voice);
    let text = r#"{"_attachments":{"voice\\.wav":{"content_type":"audio/wav"}}}"#;
    let spec = Spec {
        selector: Some((text.to_owned(), Selector::parse(text).unwrap())),
        ..Spec::default()
    };
    world.replicate(spec).await.unwrap();
    let moved: Vec<_> = leaves(&world.database("target")).into_keys().collect();
    assert_eq!(moved, ["voice"]);
}

#[tokio::test]
async fn creates_the_target_only_when_asked() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    world.store.delete(&crate::world::name("target")).unwrap();
    let error = world.replicate(Spec::default()).await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::DatabaseMissing);
    world
        .replicate(Spec {
            create_target: true,
            ..Spec::default()
        })
        .await
        .unwrap();
    world.assert_equal();
}

#[tokio::test]
async fn a_continuous_run_follows_until_cancelled() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "before", None, "{}");
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
    watched
        .wait_for(|progress| progress.docs_written == 1)
        .await
        .unwrap();
    put(&source, "after", None, "{}");
    watched
        .wait_for(|progress| progress.docs_written == 2)
        .await
        .unwrap();
    watched
        .wait_for(|progress| progress.waiting_for.as_deref() == Some("changes"))
        .await
        .unwrap();
    cancel.cancel();
    let report = running.await.unwrap().unwrap();
    world.assert_equal();
    assert_eq!(
        report.progress.checkpointed_source_seq,
        report.progress.through_seq
    );
    assert_eq!(report.progress.waiting_for, None);
}

#[tokio::test(start_paused = true)]
async fn a_missing_database_is_waited_for_only_when_continuous() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    world.store.delete(&crate::world::name("target")).unwrap();
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
    let waits = watched
        .wait_for(|progress| progress.waiting_for.is_some())
        .await
        .unwrap()
        .clone();
    assert!(waits.waiting_for.unwrap().contains("next try in"));
    world.store.create(&crate::world::name("target")).unwrap();
    tokio::time::timeout(
        Duration::from_secs(60),
        watched.wait_for(|progress| progress.docs_written == 1),
    )
    .await
    .unwrap()
    .unwrap();
    cancel.cancel();
    running.await.unwrap().unwrap();
    world.assert_equal();
}
