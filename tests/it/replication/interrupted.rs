//! Servers that are killed, gone, or made anew while a replication runs.

use super::world::{assert_equal, create, fill, http, node, replicate, url};
use crate::node::{Node, ask};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{Progress, Spec, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_target_killed_in_the_middle_gets_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "source"), url(&far, "target"));
    create(&source).await;
    create(&target).await;
    fill(&source, "cdr-", 20_000).await;
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(http(&source), http(&target), spec, progress, cancel.clone()));
    watched
        .wait_for(|progress| progress.docs_written > 2000)
        .await
        .unwrap();
    let (listen, far_dir) = (far.address().trim_end_matches('/').to_owned(), far.dir.clone());
    far.kill();
    // All may be there by now, and a run without anything to write would not miss the target.
    fill(&source, "late-", 10).await;
    watched
        .wait_for(|progress| {
            progress
                .waiting_for
                .as_ref()
                .is_some_and(|what| what.contains("next try"))
        })
        .await
        .unwrap();
    let _far = Node::start_on(&far_dir, &listen);
    while ask("GET", &target, None).await.1["doc_count"] != 20_010 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert_equal(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_killed_in_the_middle_goes_on_from_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "source"), url(&far, "target"));
    create(&source).await;
    create(&target).await;
    fill(&source, "cdr-", 3000).await;
    replicate(http(&source), http(&target), Spec::default())
        .await
        .unwrap();
    let (listen, near_dir) = (near.address().trim_end_matches('/').to_owned(), near.dir.clone());
    near.kill();
    let near = Node::start_on(&near_dir, &listen);
    fill(&url(&near, "source"), "more-", 10).await;
    let report = replicate(http(&source), http(&target), Spec::default())
        .await
        .unwrap();
    assert_eq!(report.progress.revisions_checked, 10);
    assert_equal(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_deleted_and_made_again_is_filled_again() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "source"), url(&far, "target"));
    create(&source).await;
    create(&target).await;
    fill(&source, "cdr-", 500).await;
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(http(&source), http(&target), spec, progress, cancel.clone()));
    watched
        .wait_for(|progress| progress.checkpointed_source_seq.is_some())
        .await
        .unwrap();
    assert_eq!(ask("DELETE", &target, None).await.0, 200);
    create(&target).await;
    fill(&source, "more-", 1).await;
    while ask("GET", &target, None).await.1["doc_count"] != 501 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert_equal(&source, &target).await;
}
