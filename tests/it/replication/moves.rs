//! What is moved between servers, and how soon.

use super::world::{assert_equal, create, fill, http, leaves, local, node, put, replicate, url};
use crate::node::ask;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::selector::Selector;
use trunkline_replicate::{PeerErrorKind, Progress, Spec, run};
use trunkline_store::Store;

/// Documents of every kind that a feed of revisions can bring forth.
async fn fill_with_all_kinds(url: &str) {
    fill(url, "cdr-", 2300).await;
    let rev = put(url, json!({"_id": "edited", "n": 1})).await;
    put(url, json!({"_id": "edited", "_rev": rev, "n": 2})).await;
    let rev = put(url, json!({"_id": "gone"})).await;
    put(url, json!({"_id": "gone", "_rev": rev, "_deleted": true})).await;
    let torn = |ids: [&str; 2], deleted: bool| json!({"_id": "torn", "_deleted": deleted, "_revisions": {"start": 2, "ids": ids}, "by": ids[0]});
    let docs = [
        torn(["b", "a"], false),
        torn(["c", "a"], false),
        torn(["d", "a"], true),
    ];
    let body = json!({"new_edits": false, "docs": docs});
    assert_eq!(ask("POST", &format!("{url}/_bulk_docs"), Some(body)).await.0, 201);
    put(url, json!({"_id": "_design/views", "views": {}})).await;
    put(url, json!({"_id": "odd /+%ü?#", "n": 1})).await;
    put(url, json!({"_id": "x".repeat(7900), "n": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_push_and_relay_make_databases_equal() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, relayed, pushed) = (
        url(&near, "a%2Fb%2Bc"),
        url(&far, "relayed"),
        url(&near, "pushed%2Fback"),
    );
    create(&source).await;
    fill_with_all_kinds(&source).await;
    let spec = Spec {
        create_target: true,
        ..Spec::default()
    };

    let report = replicate(http(&source), http(&relayed), spec.clone())
        .await
        .unwrap();
    assert_equal(&source, &relayed).await;
    assert_eq!(
        (report.progress.docs_written, report.refused.len()),
        (2300 + 1 + 1 + 3 + 3, 0)
    );
    assert_eq!(
        report.progress.checkpointed_source_seq,
        report.progress.source_seq
    );
    assert!(
        replicate(http(&source), http(&relayed), spec.clone())
            .await
            .unwrap()
            .no_changes
    );

    let store = Store::open(dir.path().join("embedded")).unwrap();
    replicate(http(&relayed), local(&store, "pulled"), spec.clone())
        .await
        .unwrap();
    replicate(local(&store, "pulled"), http(&pushed), spec)
        .await
        .unwrap();
    assert_equal(&source, &pushed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_work_at_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let near = node(dir.path(), "near");
    let (source, target) = (url(&near, "source"), url(&near, "target"));
    create(&source).await;
    create(&target).await;
    fill(&source, "cdr-", 20).await;
    let ids = || async { leaves(&target).await.into_keys().collect::<Vec<_>>() };

    let doc_ids = Some(vec!["cdr-000003".to_owned(), "absent".to_owned()]);
    replicate(
        http(&source),
        http(&target),
        Spec {
            doc_ids,
            ..Spec::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(ids().await, ["cdr-000003"]);
    let text = "{\"n\":{\"$gt\":17}}";
    let selector = Some((text.to_owned(), Selector::parse(text).unwrap()));
    replicate(
        http(&source),
        http(&target),
        Spec {
            selector,
            ..Spec::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(ids().await, ["cdr-000003", "cdr-000018", "cdr-000019"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_continuous_pull_follows_and_ends_with_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "source"), url(&far, "target"));
    create(&source).await;
    create(&target).await;
    fill(&source, "early-", 10).await;
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(http(&source), http(&target), spec, progress, cancel.clone()));
    watched
        .wait_for(|progress| progress.docs_written == 10)
        .await
        .unwrap();
    let mut latencies = Vec::new();
    for at in 0..20 {
        watched
            .wait_for(|progress| progress.waiting_for.as_deref() == Some("changes"))
            .await
            .unwrap();
        put(&source, json!({"_id": format!("late-{at}")})).await;
        let written = Instant::now();
        watched
            .wait_for(|progress| progress.docs_written == 11 + at)
            .await
            .unwrap();
        latencies.push(written.elapsed());
    }
    println!("a change is at the target after {latencies:?}");
    cancel.cancel();
    let report = tokio::time::timeout(Duration::from_secs(20), running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(
        report.progress.checkpointed_source_seq,
        report.progress.through_seq
    );
    assert_equal(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let near = node(dir.path(), "near");
    let source = url(&near, "source");
    create(&source).await;
    let absent = url(&near, "absent");
    let error = replicate(http(&source), http(&absent), Spec::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::DatabaseMissing);
    assert!(error.to_string().contains(&absent), "{error}");
    let secret = absent.replace("http://", "http://anna:secret@");
    let error = replicate(http(&secret), http(&source), Spec::default())
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}
