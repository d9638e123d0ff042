//! Documents that a source does not serve, and ends that take no one's word.

use crate::couch::{Stored, start};
use crate::couchdb::add;
use crate::faults::{Faulty, fill};
use crate::world::{World, leaves, put, replicate};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{Peer, PeerErrorKind, Progress, Spec, run};

#[tokio::test(start_paused = true)]
async fn what_is_never_served_is_listed_and_all_else_arrives() {
    for seed in 0..12 {
        println!("seed {seed}");
        let world = World::new();
        let mut dice = StdRng::seed_from_u64(seed);
        fill(&world.database("source"), &mut dice);
        put(&world.database("source"), "other", None, "{}");
        let all = leaves(&world.database("source"));
        let mut source = Faulty::new(world.peer("source"), seed, 2);
        let ids = all.keys().filter(|id| *id != "other" && dice.random_bool(0.02));
        source.cursed = ids.cloned().collect();
        let mut target = Faulty::new(world.peer("target"), !seed, 2);
        target.cursed.clone_from(&source.cursed);
        target.checked = Some((world.database("source"), world.database("target")));
        let cursed = source.cursed.clone();
        let report = replicate(Arc::new(source), Arc::new(target), Spec::default())
            .await
            .unwrap();
        let listed: BTreeSet<_> = report
            .refused
            .iter()
            .map(|doc| (doc.id.clone(), doc.rev.clone()))
            .collect();
        let revs = cursed
            .iter()
            .flat_map(|id| all[id].keys().map(|rev| (id.clone(), rev.clone())));
        assert_eq!(listed, revs.collect());
        assert_eq!(report.progress.doc_write_failures, listed.len() as u64);
        assert!(
            report
                .refused
                .iter()
                .all(|doc| doc.error == "unserved" && doc.reason.contains("cursed"))
        );
        assert_eq!(
            report.progress.checkpointed_source_seq,
            report.progress.through_seq
        );
        let mut expected = all;
        expected.retain(|id, _| !cursed.contains(id));
        assert_eq!(leaves(&world.database("target")), expected);
        let again = world.replicate(Spec::default()).await.unwrap();
        assert!(again.no_changes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_serves_nothing_is_in_trouble_and_loses_no_document() {
    let world = World::new();
    let mut source = Faulty::new(world.peer("source"), 1, 0);
    for id in ["a", "b", "c"] {
        put(&world.database("source"), id, None, "{}");
        source.cursed.push(id.to_owned());
    }
    let error = replicate(Arc::new(source), world.peer("target"), Spec::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("document a: 500: cursed"), "{error}");
    let mut first = |_: &str, _, _: &str| ControlFlow::Break(());
    assert!(world.database("target").locals(None, false, &mut first).unwrap());
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_continuous_run_says_what_it_is_held_up_by_and_goes_on() {
    let world = World::new();
    let source = world.database("source");
    let mut peer = Faulty::new(world.peer("source"), 1, 0);
    put(&source, "a", None, "{}");
    peer.cursed.push("b".to_owned());
    put(&source, "b", None, "{}");
    put(&source, "c", None, "{}");
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(
        Arc::new(peer),
        world.peer("target"),
        spec,
        progress,
        cancel.clone(),
    ));
    let told = |progress: &Progress| {
        let waits = progress.waiting_for.as_ref();
        waits.is_some_and(|waits| waits.contains("document b") && waits.contains("next try in"))
    };
    watched.wait_for(told).await.unwrap();
    watched
        .wait_for(|progress| progress.doc_write_failures == 1)
        .await
        .unwrap();
    cancel.cancel();
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.progress.docs_written, 2);
    assert_eq!(report.refused[0].id, "b");
    assert_eq!(*watched.borrow().refused, report.refused);
}

#[tokio::test]
async fn a_couchdb_that_breaks_over_some_documents_gives_the_others() {
    let world = World::new();
    let (couch, peer) = start().await;
    for at in 0..20 {
        add(&couch, json!({"_id": format!("doc-{at:02}"), "_rev": "1-a"}), &[]);
    }
    let mail = Stored::gzip(b"hello", 1);
    add(&couch, json!({"_id": "mail", "_rev": "1-m"}), &[("a.txt", mail)]);
    let broken = [
        ("doc-03", "500 Broken"),
        ("doc-07", "200 OK"),
        ("doc-11", "403 No"),
    ];
    couch.lock().broken = broken.map(|(id, head)| (id.to_owned(), head)).into();
    let report = replicate(peer, world.peer("target"), Spec::default())
        .await
        .unwrap();
    let listed: BTreeSet<&str> = report.refused.iter().map(|doc| doc.id.as_str()).collect();
    assert_eq!(listed, BTreeSet::from(["doc-03", "doc-07", "doc-11"]));
    assert_eq!(
        (report.progress.docs_written, report.progress.doc_write_failures),
        (18, 3)
    );
    assert_eq!(leaves(&world.database("target")).len(), 18);
    assert_eq!(
        report.progress.checkpointed_source_seq,
        report.progress.through_seq
    );
}

#[tokio::test]
async fn wrong_credentials_end_the_run_and_refuse_no_document() {
    let world = World::new();
    let (source, source_peer) = start().await;
    let mail = Stored::gzip(b"hello", 1);
    add(&source, json!({"_id": "mail", "_rev": "1-m"}), &[("a.txt", mail)]);
    add(&source, json!({"_id": "plain", "_rev": "1-p"}), &[]);
    let (target, target_peer) = start().await;
    let unauthorized = async |source: &Arc<dyn Peer>, target: &Arc<dyn Peer>| {
        let ended = replicate(Arc::clone(source), Arc::clone(target), Spec::default()).await;
        let error = ended.unwrap_err();
        assert_eq!(error.kind, PeerErrorKind::Unauthorized);
        assert!(
            error.to_string().contains("Name or password is incorrect."),
            "{error}"
        );
    };
    // Nothing may be written, with attachments or without.
    target.lock().denies = Some(|request| request.method == "PUT" || request.path.ends_with("_bulk_docs"));
    unauthorized(&source_peer, &target_peer).await;
    source.lock().docs.remove("plain");
    unauthorized(&source_peer, &target_peer).await;
    assert!(target.lock().docs.is_empty() && target.lock().locals.is_empty());

    // Nothing may be read: from the start, from some request on, or documents alone.
    for denied in ["/db", "/db/_changes", "/db/_bulk_get"] {
        source.lock().denies = Some(match denied {
            "/db" => |_| true,
            "/db/_changes" => {
                |request| !matches!(request.path.as_str(), "/" | "/db") && !request.path.contains("_local")
            }
            _ => |request| request.path.contains("_bulk_get"),
        });
        unauthorized(&source_peer, &world.peer("target")).await;
    }
}

#[tokio::test]
async fn a_document_that_only_administrators_write_is_listed() {
    let world = World::new();
    let source = world.database("source");
    put(&source, "_design/x", None, "{}");
    put(&source, "a", None, "{}");
    let (target, peer) = start().await;
    target.lock().denies = Some(|request| request.path.contains("_design"));
    let report = replicate(world.peer("source"), peer, Spec::default())
        .await
        .unwrap();
    assert_eq!(
        (report.progress.docs_written, report.progress.doc_write_failures),
        (1, 1)
    );
    let refused = &report.refused[0];
    assert_eq!(
        (refused.id.as_str(), refused.error.as_str()),
        ("_design/x", "unauthorized")
    );
}
