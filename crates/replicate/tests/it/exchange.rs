//! Peers that say they exchange: those that send frames no honest one would, and those whose way is barred.

use crate::couch::start;
use crate::scripted::{Answer, answer, serve_requests};
use crate::world::{World, attachment, edit, leaves, put, replicate};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::mpsc;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Body, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_replicate::peer::{Change, ChangesAsk, Doc, DocContent};
use trunkline_replicate::{HttpOptions, HttpPeer, Peer, PeerError, PeerErrorKind, Spec};
use trunkline_store::Database;
use trunkline_wire::exchange::{self, Progress};

/// A feed may be sent as much before it is left, and what the sockets hold.
const ENDLESS_BYTES_MAX: usize = 40 << 20;

/// Serves frames as the feed of an empty database that goes on to seq 9, and nothing else.
async fn peer(feed: impl Fn() -> Answer + Send + Sync + 'static) -> HttpPeer {
    let url = serve_requests(move |request| {
        let resource = request.path.split('?').next().unwrap();
        match (request.method.as_str(), resource) {
            ("GET", "/") => answer(
                "200 OK",
                r#"{"couchdb":"Welcome","uuid":"u","vendor":{"name":"Trunkline"},"features":["exchange"]}"#,
            ),
            ("GET", "/db") => answer("200 OK", r#"{"update_seq":"9-x","instance_start_time":"1"}"#),
            (_, "/db/_exchange/changes") => feed(),
            ("PUT", _) => answer("201 Yes", r#"{"ok":true,"id":"_local/x","rev":"0-1"}"#),
            ("POST", "/db/_bulk_get") => answer("200 OK", r#"{"results":[]}"#),
            _ => answer("404 No", r#"{"error":"not_found","reason":"missing"}"#),
        }
    })
    .await;
    let peer = HttpPeer::new(&url, HttpOptions::default()).unwrap();
    assert!(peer.info().await.unwrap().exchanges);
    peer
}

fn frames(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    exchange::start(&mut out);
    write(&mut out);
    out
}

fn row(out: &mut Vec<u8>, id: &str, body: &str) {
    let rev = Rev::parse("1-a").unwrap();
    exchange::write_row(out, id, &[rev], [&edit_of(body)].into_iter());
}

/// Revision 1-a.
fn edit_of(body: &str) -> ReplicatedEdit {
    ReplicatedEdit {
        id: DocId::parse("x").unwrap(),
        path: RevPath::new(1, vec![Rev::parse("1-a").unwrap().digest]).unwrap(),
        deleted: false,
        body: Body::parse(body).unwrap(),
        attachments: Vec::new(),
        age_ms: 0,
    }
}

fn end(out: &mut Vec<u8>) {
    let progress = Progress {
        last_seq: "\"9-x\"".into(),
        ..Progress::default()
    };
    exchange::write_progress(out, &progress);
    exchange::write_end(out);
}

async fn read(peer: &HttpPeer) -> Result<Vec<Change>, PeerError> {
    let ask = ChangesAsk {
        docs: Arc::new(AtomicBool::new(true)),
        ..ChangesAsk::default()
    };
    let mut feed = peer.changes(ask).await?;
    let mut rows = Vec::new();
    while let Some(changes) = feed.next().await {
        rows.extend(changes?.rows);
    }
    Ok(rows)
}

#[tokio::test]
async fn frames_that_cannot_be_are_a_clear_error() {
    let many = |count: usize| {
        frames(|out| {
            let revs = vec![Rev::parse("1-a").unwrap(); count];
            exchange::write_row(out, "many", &revs, [].into_iter());
            end(out);
        })
    };
    let cases: [(&str, Vec<u8>); 5] = [
        (
            "longer than",
            frames(|out| out.extend_from_slice(&[1, 255, 255, 255, 255])),
        ),
        (
            "no frames of kind 77",
            frames(|out| out.extend_from_slice(&[77, 0, 0, 0, 0])),
        ),
        ("too long", many(1_000_000)),
        ("no exchange of this version", b"HTTP is not spoken here".to_vec()),
        ("without its end", frames(|out| row(out, "x", "{}"))),
    ];
    for (clear, bytes) in cases {
        let peer = peer(move || answer("200 OK", bytes.clone())).await;
        let error = read(&peer).await.unwrap_err();
        assert!(error.reason.contains(clear), "{clear}: {error}");
    }
    let thousand = many(1000);
    let peer = peer(move || answer("200 OK", thousand.clone())).await;
    assert_eq!(read(&peer).await.unwrap()[0].revs.len(), 1000);
}

/// One document of two, taken for both, would leave the other behind.
#[tokio::test]
async fn a_row_without_all_of_its_documents_has_none() {
    let bytes = frames(|out| {
        row(out, "whole", "{}");
        let revs = ["2-b", "1-a"].map(|rev| Rev::parse(rev).unwrap());
        exchange::write_row(out, "short", &revs, [&edit_of("{}")].into_iter());
        end(out);
    });
    let peer = peer(move || answer("200 OK", bytes.clone())).await;
    let rows = read(&peer).await.unwrap();
    let carried: Vec<_> = rows
        .iter()
        .map(|row| (&*row.id, row.revs.len(), row.docs.len()))
        .collect();
    assert_eq!(carried, [("whole", 1, 1), ("short", 2, 0)]);
}

#[tokio::test]
async fn a_feed_that_never_tells_how_far_it_is_is_left_after_so_much() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let peer = peer(move || {
        let mut rows = Vec::new();
        (0..1000).for_each(|_| exchange::write_row(&mut rows, "a", &[], [].into_iter()));
        Answer {
            endless: Some((rows, Arc::clone(&counted))),
            ..answer("200 OK", frames(|_| ()))
        }
    })
    .await;
    let error = read(&peer).await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Protocol);
    assert!(error.reason.contains("how far they reach"), "{error}");
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < ENDLESS_BYTES_MAX, "{sent}");

    // A run says so, too, and has moved nothing.
    let world = World::new();
    let error = replicate(Arc::new(peer), world.peer("target"), Spec::default()).await;
    assert!(error.unwrap_err().reason.contains("how far they reach"));
}

#[tokio::test]
async fn ids_that_are_none_and_documents_that_cannot_be_read_hold_up_no_other() {
    let world = World::new();
    let long = "x".repeat(9000);
    let bytes = frames(|out| {
        for id in ["", "_odd", &long, "good"] {
            row(out, id, "{\"n\":1}");
        }
        row(out, "bad", "{\"n\":\"unread\"}");
        let at = out.windows(8).position(|text| text == b"\"unread\"").unwrap();
        out[at] = b'!';
        row(out, "last", "{}");
        end(out);
    });
    let peer = Arc::new(peer(move || answer("200 OK", bytes.clone())).await);
    let rows = read(&peer).await.unwrap();
    let carried: Vec<(&str, usize)> = rows.iter().map(|row| (&*row.id, row.docs.len())).collect();
    let expected = [
        ("", 0),
        ("_odd", 0),
        (&long, 0),
        ("good", 1),
        ("bad", 0),
        ("last", 1),
    ];
    assert_eq!(carried, expected);

    let report = replicate(peer, world.peer("target"), Spec::default())
        .await
        .unwrap();
    let target = leaves(&world.database("target"));
    let ids: Vec<&str> = target.keys().map(String::as_str).collect();
    assert_eq!(ids, ["good", "last"]);
    let refused = report
        .refused
        .iter()
        .map(|doc| (doc.id.len(), doc.error.as_str()));
    let mut refused: Vec<_> = refused.collect();
    refused.sort_unstable();
    let illegal = "illegal_docid";
    assert_eq!(
        refused,
        [(0, illegal), (3, "not_found"), (4, illegal), (500, illegal)]
    );
}

/// It says that it exchanges, and a proxy before it knows no such paths.
#[tokio::test]
async fn behind_a_proxy_that_hides_the_exchange_everything_goes_without() {
    let world = World::new();
    let source = world.database("source");
    (0..20).for_each(|at| drop(put(&source, &format!("call-{at}"), None, "{}")));
    let voice = vec![attachment(&source, "voice", &[7; 5000])];
    edit(&source, "voiced", None, "{}", false, voice);
    let (couch, peer) = start().await;
    couch.lock().vendor = "Trunkline";
    couch.lock().features = &["exchange"];
    assert!(peer.info().await.unwrap().exchanges);
    let pushed = replicate(world.peer("source"), Arc::clone(&peer), Spec::default()).await;
    assert!(pushed.unwrap().refused.is_empty());
    assert!(!peer.info().await.unwrap().exchanges);
    assert_eq!(couch.lock().docs.len(), 21);
    assert_eq!(couch.lock().docs["voiced"].leaves.len(), 1);

    let back = HttpPeer::new(&peer.label(), HttpOptions::default()).unwrap();
    assert!(back.info().await.unwrap().exchanges);
    replicate(Arc::new(back), world.peer("target"), Spec::default())
        .await
        .unwrap();
    world.assert_equal();
    let asked = json!(couch.lock().asked).to_string();
    assert!(asked.contains("_exchange/changes"), "{asked}");
}

#[tokio::test]
async fn contents_that_no_document_took_go_with_the_peer_that_brought_them() {
    use std::io::Write;
    let world = World::new();
    let stage = |database: &Database| {
        let mut staging = database.stage(None).unwrap();
        staging.write_all(b"voice").unwrap();
        staging.finish().unwrap()
    };
    let content = stage(&world.database("source"));
    let bring = async |peer: &dyn Peer| {
        let (chunks, bytes) = mpsc::channel(1);
        chunks.send(Ok(Bytes::from_static(b"voice"))).await.unwrap();
        drop(chunks);
        peer.put_content(&content, 0, bytes).await.unwrap();
    };
    let target = world.database("target");
    let lacking = || target.lacking(std::slice::from_ref(&content)).unwrap().len();
    let peer = world.peer("target");
    bring(&*peer).await;
    bring(&*peer).await;
    assert_eq!(lacking(), 0);
    drop(peer);
    assert_eq!(lacking(), 1);

    let peer = world.peer("target");
    bring(&*peer).await;
    let rev = Rev::parse("1-a").unwrap();
    let edit = ReplicatedEdit {
        id: DocId::parse("call").unwrap(),
        path: RevPath::new(1, vec![rev.digest.clone()]).unwrap(),
        deleted: false,
        body: Body::parse("{}").unwrap(),
        attachments: vec![AttachmentEdit {
            name: "voice".into(),
            content_type: None,
            revpos: Some(1),
            source: AttachmentSource::Staged(content.clone()),
        }],
        age_ms: 0,
    };
    let doc = Doc {
        id: "call".into(),
        rev: rev.clone(),
        content: DocContent::Edit(edit),
    };
    let written = peer.bulk_docs(vec![doc], None).await.unwrap();
    assert!(written.refused.is_empty());
    // Somebody else's use of the same bytes outlives the peer and the document.
    stage(&target);
    drop(peer);
    assert!(target.open_content(&content).is_ok());
    target
        .purge(&[(DocId::parse("call").unwrap(), vec![rev])])
        .unwrap();
    assert!(target.open_content(&content).is_err());
    assert_eq!(lacking(), 0);
}
