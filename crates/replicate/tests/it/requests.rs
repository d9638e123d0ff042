//! How many requests a run makes, and what it asks beside its work.

use crate::couch::{Shared, start};
use crate::couchdb::add;
use crate::world::{World, name, put, replicate};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{Progress, Spec, run};

/// What was asked for since the last time, without the query.
fn asked(couch: &Shared) -> Vec<String> {
    let asked = std::mem::take(&mut couch.lock().asked);
    let resource = |path: String| match path.split('?').next().unwrap() {
        local if local.starts_with("/db/_local/") => "/db/_local".to_owned(),
        other => other.to_owned(),
    };
    let mut asked: Vec<String> = asked.into_iter().map(resource).collect();
    asked.sort_unstable();
    asked
}

#[tokio::test]
async fn one_document_takes_no_more_requests_than_it_must() {
    let (source, source_peer) = start().await;
    let (target, target_peer) = start().await;
    let run = || {
        replicate(
            Arc::clone(&source_peer),
            Arc::clone(&target_peer),
            Spec::default(),
        )
    };
    add(&source, json!({"_id": "a", "_rev": "1-a"}), &[]);
    run().await.unwrap();
    let (commit, log) = ("/db/_ensure_full_commit", "/db/_local");
    assert_eq!(
        asked(&source),
        ["/", "/db", "/db/_bulk_get", "/db/_changes", commit, log, log]
    );
    // The target was empty: there was nothing to compare.
    assert_eq!(asked(&target), ["/", "/db", "/db/_bulk_docs", commit, log, log]);

    add(&source, json!({"_id": "b", "_rev": "1-b"}), &[]);
    run().await.unwrap();
    asked(&source);
    assert_eq!(
        asked(&target),
        ["/", "/db", "/db/_bulk_docs", commit, log, log, "/db/_revs_diff"]
    );

    // Nothing is new.
    run().await.unwrap();
    assert_eq!(asked(&source), ["/", "/db", log]);
    assert_eq!(asked(&target), ["/", "/db", log]);

    // What a Trunkline writes is durable with all before it.
    source.lock().vendor = "Trunkline";
    add(&source, json!({"_id": "c", "_rev": "1-c"}), &[]);
    run().await.unwrap();
    assert_eq!(
        asked(&source),
        ["/", "/db", "/db/_bulk_get", "/db/_changes", log, log]
    );
}

#[tokio::test]
async fn what_is_pending_is_told_while_the_target_is_away() {
    let world = World::new();
    let (source, peer) = start().await;
    for id in ["a", "b", "c"] {
        add(&source, json!({"_id": id, "_rev": "1-a"}), &[]);
    }
    world.store.delete(&name("target")).unwrap();
    for source in [peer, world.peer("source")] {
        let (progress, mut watched) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        let spec = Spec {
            continuous: true,
            ..Spec::default()
        };
        put(&world.database("source"), &source.label(), None, "{}");
        let running = tokio::spawn(run(source, world.peer("target"), spec, progress, cancel.clone()));
        let known = |progress: &Progress| progress.changes_pending.is_some();
        let pending = watched.wait_for(known).await.unwrap().changes_pending;
        assert!(pending.unwrap() >= 2);
        cancel.cancel();
        running.await.unwrap().unwrap();
    }
}
