//! Servers of which something between lets only a part through, or which cannot be told what they are asked.

use crate::couch::start;
use crate::couchdb::add;
use crate::scripted::{Request, answer, serve_requests};
use crate::world::{World, attachment, leaves, put, replicate};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::attachment::{AttachmentSource, Content};
use trunkline_core::doc::{Body, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_replicate::peer::{Doc, DocContent};
use trunkline_replicate::{AttachmentMode, HttpOptions, HttpPeer, Peer, PeerErrorKind, Progress, Spec, run};

const BYTES: &[u8] = b"0123456789";

async fn peer(script: impl Fn(&Request) -> crate::scripted::Answer + Send + Sync + 'static) -> HttpPeer {
    HttpPeer::new(&serve_requests(script).await, HttpOptions::default()).unwrap()
}

fn content(world: &World) -> Content {
    match attachment(&world.database("source"), "a", BYTES).source {
        AttachmentSource::Staged(content) => content,
        other => panic!("{other:?}"),
    }
}

/// A batch that was read for the exchange is on its way when the exchange turns out to be hidden.
#[tokio::test]
async fn no_document_is_written_without_its_attachments() {
    let world = World::new();
    let (couch, peer) = start().await;
    let rev = Rev::parse("1-a").unwrap();
    let edit = ReplicatedEdit {
        id: DocId::parse("x").unwrap(),
        path: RevPath::new(1, vec![rev.digest.clone()]).unwrap(),
        deleted: false,
        body: Body::parse("{}").unwrap(),
        attachments: vec![attachment(&world.database("source"), "a", BYTES)],
        age_ms: 0,
    };
    let doc = |edit: &ReplicatedEdit| Doc {
        id: "x".into(),
        rev: rev.clone(),
        content: DocContent::Edit(edit.clone()),
    };
    let error = peer.bulk_docs(vec![doc(&edit)], None).await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Unavailable);
    assert!(couch.lock().docs.is_empty());
    let plain = ReplicatedEdit {
        attachments: Vec::new(),
        ..edit
    };
    peer.bulk_docs(vec![doc(&plain)], None).await.unwrap();
    assert_eq!(couch.lock().docs.len(), 1);
}

#[tokio::test]
async fn an_archive_of_a_couchdb_keeps_what_that_deletes() {
    let world = World::new();
    let (couch, peer) = start().await;
    add(&couch, json!({"_id": "kept", "_rev": "1-a"}), &[]);
    put(&world.database("target"), "gone", None, "{}");
    add(
        &couch,
        json!({"_id": "gone", "_rev": "1-b", "_deleted": true}),
        &[],
    );
    let spec = Spec {
        archive: true,
        ..Spec::default()
    };
    let report = replicate(peer, world.peer("target"), spec).await.unwrap();
    let target = leaves(&world.database("target"));
    assert_eq!((target.len(), target["gone"].len()), (2, 1));
    assert!(!target["gone"].contains_key("1-b"));
    let through = report.progress.through_seq;
    assert!(through.as_ref().unwrap().starts_with("\"2-"), "{through:?}");
    assert_eq!(report.progress.checkpointed_source_seq, through);
}

#[tokio::test]
async fn a_couchdb_cannot_be_told_to_end_at_a_seq_and_that_is_said() {
    let world = World::new();
    let (couch, peer) = start().await;
    add(&couch, json!({"_id": "a", "_rev": "1-a"}), &[]);
    let spec = Spec {
        until: Some("\"1-x\"".to_owned()),
        ..Spec::default()
    };
    let error = replicate(peer, world.peer("target"), spec).await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Invalid);
    assert!(error.reason.contains("until"), "{error}");
    assert!(leaves(&world.database("target")).is_empty());
}

#[tokio::test]
async fn our_own_feed_without_the_exchange_is_told_where_to_end() {
    let world = World::new();
    let (couch, peer) = start().await;
    couch.lock().vendor = "Trunkline";
    add(&couch, json!({"_id": "a", "_rev": "1-a"}), &[]);
    let until = peer.info().await.unwrap().update_seq;
    for continuous in [false, true] {
        let spec = Spec {
            until: Some(until.to_string()),
            continuous,
            ..Spec::default()
        };
        replicate(peer.clone(), world.peer("target"), spec).await.unwrap();
    }
    assert_eq!(leaves(&world.database("target")).len(), 1);
    let told = format!("&until={}", until.trim_matches('"'));
    assert!(couch.lock().asked.iter().any(|path| path.contains(&told)));
}

#[tokio::test]
async fn an_upload_begins_anew_where_nobody_tells_what_was_left() {
    let world = World::new();
    for head in ["404 No", "405 No", "200 OK"] {
        let peer = peer(move |_| answer(head, "")).await;
        assert_eq!(peer.content_begun(&content(&world)).await.unwrap(), 0, "{head}");
    }
    let busy = peer(|_| answer("503 No", "")).await;
    let error = busy.content_begun(&content(&world)).await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Unavailable);
}

#[tokio::test]
async fn bytes_that_were_not_asked_for_are_passed_over() {
    let world = World::new();
    for (head, sent) in [("200 OK", BYTES), ("206 Part", &BYTES[4..])] {
        let peer = peer(move |request| {
            assert!(request.headers.contains("range: bytes=4-"));
            answer(head, sent)
        })
        .await;
        let mut bytes = peer.content(&content(&world), None, 4).await.unwrap();
        let mut came = Vec::new();
        while let Some(chunk) = bytes.recv().await {
            came.extend_from_slice(&chunk.unwrap());
        }
        assert_eq!(came, BYTES[4..], "{head}");
    }
}

/// Taken for a server without a uuid, it would be another one, and its checkpoints lost.
#[tokio::test]
async fn a_server_too_busy_to_say_who_it_is_is_asked_again_later() {
    for status in ["408 Slow", "429 Much", "503 Busy"] {
        let busy = peer(move |request| match request.path.as_str() {
            "/" => answer(format!("{status}\r\nRetry-After: 7"), ""),
            _ => answer("200 OK", r#"{"update_seq":"9-x","instance_start_time":"1"}"#),
        })
        .await;
        let error = busy.info().await.unwrap_err();
        assert_eq!(error.kind, PeerErrorKind::Unavailable);
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    }
    let silent = peer(|request| match request.path.as_str() {
        "/" => answer("403 No", ""),
        _ => answer("200 OK", r#"{"update_seq":"9-x","instance_start_time":"1"}"#),
    })
    .await;
    assert!(silent.info().await.is_ok());
}

#[tokio::test]
async fn attachments_that_follow_later_wait_for_an_exchange_that_is_hidden_now() {
    for vendor in ["Trunkline", "The Apache Software Foundation"] {
        let world = World::new();
        let (couch, peer) = start().await;
        couch.lock().vendor = vendor;
        let spec = Spec {
            continuous: true,
            attachments: AttachmentMode::Lazy,
            ..Spec::default()
        };
        let (sender, mut progress) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        let running = run(peer, world.peer("target"), spec, sender, cancel.clone());
        tokio::pin!(running);
        if vendor == "Trunkline" {
            tokio::select! {
                ended = &mut running => panic!("{ended:?}"),
                told = progress.wait_for(|told| told.failed_attempts > 0) => {
                    assert!(told.unwrap().last_error.as_ref().unwrap().contains("for now"));
                }
            }
            cancel.cancel();
            running.await.unwrap();
        } else {
            assert_eq!(running.await.unwrap_err().kind, PeerErrorKind::Invalid);
        }
    }
}
