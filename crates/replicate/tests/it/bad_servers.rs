//! Peers over HTTP that refuse, limit, stall or talk nonsense.

use crate::scripted::{Answer, answer, serve, serve_requests};
use crate::world::{World, put, replicate};
use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use trunkline_core::rev::Rev;
use trunkline_replicate::peer::{Change, ChangesAsk, Doc, DocContent, Fetched, Missing};
use trunkline_replicate::{HttpOptions, HttpPeer, Peer, PeerErrorKind, Spec};

async fn peer(script: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static) -> HttpPeer {
    HttpPeer::new(&serve(script).await, HttpOptions::default()).unwrap()
}

fn doc(id: &str) -> Doc {
    let json = format!("{{\"_id\":\"{id}\",\"_rev\":\"1-a\"}}");
    Doc {
        id: id.into(),
        rev: Rev::parse("1-a").unwrap(),
        content: DocContent::Json(Bytes::from(json)),
    }
}

#[tokio::test]
async fn one_bad_document_does_not_hold_back_the_others() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&taken);
    let peer = peer(move |_, path, body| {
        assert_eq!(path, "/db/_bulk_docs");
        match () {
            () if body.contains("\"huge\"") => {
                answer("413 No", "{\"error\":\"too_large\",\"reason\":\"huge\"}")
            }
            () if body.contains("\"odd\"") => {
                answer("400 No", "{\"error\":\"bad_request\",\"reason\":\"odd\"}")
            }
            () => {
                seen.lock()
                    .extend((0..8).filter(|at| body.contains(&format!("\"doc-{at}\""))));
                answer(
                    "201 Yes",
                    "[{\"id\":\"doc-3\",\"rev\":\"1-a\",\"error\":\"forbidden\",\"reason\":\"no\"}]",
                )
            }
        }
    })
    .await;
    let mut docs: Vec<Doc> = (0..8).map(|at| doc(&format!("doc-{at}"))).collect();
    docs.insert(2, doc("huge"));
    docs.insert(6, doc("odd"));
    let mut refused = peer.bulk_docs(docs, None).await.unwrap().refused;
    refused.dedup();
    let mut named: Vec<_> = refused
        .iter()
        .map(|doc| (doc.id.as_str(), doc.error.as_str()))
        .collect();
    named.sort_unstable();
    named.dedup();
    assert_eq!(
        named,
        [
            ("doc-3", "forbidden"),
            ("huge", "too_large"),
            ("odd", "bad_request")
        ]
    );
    let mut taken = taken.lock().clone();
    taken.sort_unstable();
    assert_eq!(taken, (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn refusals_are_listed_and_the_run_goes_on() {
    let world = World::new();
    for at in 0..5 {
        put(&world.database("source"), &format!("doc-{at}"), None, "{}");
    }
    let target = peer(|method, path, _| match (method, path) {
        ("GET", "/") => answer("200 OK", "{\"couchdb\":\"Welcome\",\"uuid\":\"u\"}"),
        ("GET", "/db") => answer("200 OK", "{\"update_seq\":\"7-x\",\"instance_start_time\":\"0\"}"),
        ("GET", _) => answer("404 No", "{\"error\":\"not_found\",\"reason\":\"missing\"}"),
        ("PUT", _) => answer("201 Yes", "{\"ok\":true,\"id\":\"_local/x\",\"rev\":\"0-1\"}"),
        (_, "/db/_ensure_full_commit") => answer("201 Yes", "{\"ok\":true,\"instance_start_time\":\"0\"}"),
        (_, "/db/_revs_diff") => answer(
            "200 OK",
            "{\"doc-1\":{\"missing\":[\"1-967a00dff5e02add41819138abb3284d\"]},\
              \"doc-2\":{\"missing\":[\"1-967a00dff5e02add41819138abb3284d\"]}}",
        ),
        (_, "/db/_bulk_docs") => answer(
            "201 Yes",
            "[{\"id\":\"doc-2\",\"rev\":\"1-967a00dff5e02add41819138abb3284d\",\"error\":\"forbidden\",\"reason\":\"no\"}]",
        ),
        other => panic!("{other:?}"),
    })
    .await;
    let report = replicate(world.peer("source"), Arc::new(target), Spec::default())
        .await
        .unwrap();
    assert_eq!(
        (report.progress.docs_written, report.progress.doc_write_failures),
        (1, 1)
    );
    assert_eq!(report.refused.len(), 1);
    assert_eq!(
        (report.refused[0].id.as_str(), report.refused[0].reason.as_str()),
        ("doc-2", "no")
    );
}

#[tokio::test]
async fn what_the_peer_asks_for_is_passed_on() {
    let busy =
        peer(|_, _, _| answer("429 Slow\r\nRetry-After: 7", "{\"error\":\"x\",\"reason\":\"y\"}")).await;
    let error = busy.revs_diff(&[]).await.unwrap_err();
    assert_eq!(
        (error.kind, error.retry_after),
        (PeerErrorKind::Unavailable, Some(Duration::from_secs(7)))
    );

    let proxy = peer(|_, _, _| answer("200 OK", "<html>Please log in</html>")).await;
    let error = proxy.revs_diff(&[]).await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Protocol);

    let closed = peer(|_, _, _| answer("401 No", "{\"error\":\"unauthorized\",\"reason\":\"who?\"}")).await;
    assert_eq!(closed.info().await.unwrap_err().kind, PeerErrorKind::Unauthorized);
}

#[tokio::test]
async fn an_old_server_without_bulk_get_is_read_one_by_one() {
    let peer = peer(|_, _, _| answer("404 No", "{\"error\":\"not_found\",\"reason\":\"missing\"}")).await;
    let rev = Rev::parse("1-a").unwrap();
    let wanted = Missing {
        id: "a".into(),
        revs: vec![rev.clone()],
        possible_ancestors: Vec::new(),
    };
    let fetched = peer.bulk_get(&[wanted]).await.unwrap();
    assert!(matches!(&fetched[..], [Fetched::HasAttachments { rev: found, .. }] if *found == rev));
}

#[tokio::test]
async fn a_feed_that_is_cut_off_is_a_failure_and_not_an_end() {
    let row = "{\"seq\":1,\"id\":\"a\",\"changes\":[{\"rev\":\"1-a\"}]}";
    let whole = format!("{{\"results\":[\n{row},\n{row}\n],\n\"last_seq\":1,\"pending\":0}}\n");
    for cut in [0, 5, 13, 20, 60, 70, 120, whole.len() - 3] {
        let body = whole.clone();
        let peer = peer(move |_, _, _| Answer {
            cut,
            ..answer("200 OK", body.clone())
        })
        .await;
        let ended = match peer.changes(ChangesAsk::default()).await {
            Ok(mut feed) => {
                let mut last = None;
                while let Some(item) = feed.next().await {
                    last = Some(item);
                }
                last.is_some_and(|last| last.is_ok())
            }
            Err(_) => false,
        };
        assert!(!ended, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_batch_row_that_tells_nothing_is_asked_for_by_itself() {
    let peer = peer(|_, _, _| {
        let row = "{\"id\":\"a\",\"docs\":[]},{\"id\":\"b\",\"docs\":[{\"error\":{\"error\":\"timeout\",\"reason\":\"x\"}}]}";
        answer("200 OK", format!("{{\"results\":[{row}]}}"))
    })
    .await;
    let wanted = ["a", "b"].map(|id| Missing {
        id: id.into(),
        revs: vec![Rev::parse("1-a").unwrap()],
        possible_ancestors: Vec::new(),
    });
    let fetched = peer.bulk_get(&wanted).await.unwrap();
    let by_itself = |fetched: &Fetched| matches!(fetched, Fetched::HasAttachments { .. });
    assert_eq!(fetched.iter().filter(|one| by_itself(one)).count(), 2);
}

#[tokio::test]
async fn a_server_in_trouble_refuses_no_documents() {
    for (status, body) in [
        ("400 No", "<html>bad gateway</html>"),
        (
            "201 Yes",
            "[{\"id\":\"a\",\"rev\":\"1-a\",\"error\":\"internal_server_error\",\"reason\":\"x\"}]",
        ),
    ] {
        let peer = peer(move |_, _, _| answer(status, body)).await;
        assert!(peer.bulk_docs(vec![doc("a")], None).await.is_err(), "{body}");
    }
}

#[tokio::test]
async fn a_document_whose_id_the_target_cannot_hold_is_told_of() {
    let world = World::new();
    let asked = Change {
        id: "_odd".into(),
        revs: vec![Rev::parse("1-a").unwrap()],
        odd_revs: Vec::new(),
        docs: Vec::new(),
    };
    let missing = world.peer("target").revs_diff(&[asked]).await.unwrap();
    assert_eq!(missing.len(), 1);
}

#[tokio::test]
async fn a_revision_that_is_none_here_is_listed_and_does_not_hold_back_the_others() {
    let world = World::new();
    let odd = format!("1-{}", "x".repeat(300));
    let listed = odd.clone();
    let source = peer(move |method, path, body| match (method, path.split('?').next().unwrap()) {
        ("GET", "/") => answer("200 OK", "{\"couchdb\":\"Welcome\",\"uuid\":\"u\"}"),
        ("GET", "/db") => answer("200 OK", "{\"update_seq\":\"2-x\",\"instance_start_time\":\"0\"}"),
        ("GET", "/db/_changes") => answer("200 OK", format!(
            "{{\"results\":[\n{{\"seq\":\"1-x\",\"id\":\"bad\",\"changes\":[{{\"rev\":\"{odd}\"}}]}},\n\
             {{\"seq\":\"2-x\",\"id\":\"good\",\"changes\":[{{\"rev\":\"1-a\"}}]}}\n],\n\"last_seq\":\"2-x\",\"pending\":0}}\n")),
        ("POST", "/db/_bulk_get") => {
            assert!(!body.contains("bad"));
            answer("200 OK", "{\"results\":[{\"id\":\"good\",\"docs\":[{\"ok\":{\"_id\":\"good\",\"_rev\":\"1-a\",\"_revisions\":{\"start\":1,\"ids\":[\"a\"]}}}]}]}")
        }
        ("GET", _) => answer("404 No", "{\"error\":\"not_found\",\"reason\":\"missing\"}"),
        ("PUT", _) => answer("201 Yes", "{\"ok\":true,\"id\":\"_local/x\",\"rev\":\"0-1\"}"),
        _ => answer("201 Yes", "{\"ok\":true,\"instance_start_time\":\"0\"}"),
    })
    .await;
    let report = replicate(Arc::new(source), world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(crate::world::leaves(&world.database("target"))["good"].contains_key("1-a"));
    assert_eq!(report.progress.doc_write_failures, 1);
    let refused = &report.refused[0];
    assert_eq!((&*refused.id, &*refused.reason), ("bad", "Invalid rev format"));
    assert!(listed.starts_with(&refused.rev), "{}", refused.rev);
}

#[tokio::test]
async fn ids_that_are_none_here_are_listed_wherever_they_turn_up() {
    let world = World::new();
    let long = "x".repeat(9000);
    let ids = ["", "_odd", &long, "moved", "voice", "good"].map(str::to_owned);
    let asked_for = |text: &str, id: &str| text.contains(&format!("\"{id}\""));
    let source = peer(
        move |method, path, body| match (method, path.split('?').next().unwrap()) {
            ("GET", "/") => answer("200 OK", r#"{"couchdb":"Welcome","uuid":"u"}"#),
            ("GET", "/db") => answer("200 OK", r#"{"update_seq":"6-x","instance_start_time":"0"}"#),
            ("GET", "/db/_changes") => {
                let row = |(at, id)| format!(r#"{{"seq":"{at}-x","id":"{id}","changes":[{{"rev":"1-a"}}]}}"#);
                let rows: Vec<String> = (1..).zip(&ids).map(row).collect();
                let rows = rows.join(",\n");
                answer(
                    "200 OK",
                    format!(r#"{{"results":[{rows}],"last_seq":"6-x","pending":0}}"#),
                )
            }
            ("POST", "/db/_bulk_get") => {
                assert!(!ids.iter().take(3).any(|id| asked_for(body, id)));
                let docs = [
                    ("moved", r#""_rev":"2-é""#),
                    ("voice", r#""_rev":"1-a","_attachments":{}"#),
                    ("good", r#""_rev":"1-a""#),
                ];
                let docs = docs.into_iter().filter(|(id, _)| asked_for(body, id));
                let row =
                    |(id, rest)| format!(r#"{{"id":"{id}","docs":[{{"ok":{{"_id":"{id}",{rest}}}}}]}}"#);
                let rows = docs.map(row).collect::<Vec<_>>().join(",");
                answer("200 OK", format!(r#"{{"results":[{rows}]}}"#))
            }
            ("GET", "/db/voice") => answer(
                "200 OK\r\nContent-Type: multipart/mixed; boundary=\"O\"",
                "--O\r\nContent-Type: application/json\r\n\r\n{\"_id\":\"voice\",\"_rev\":\"2-ü\"}\r\n--O--",
            ),
            ("GET", _) => answer("404 No", r#"{"error":"not_found","reason":"missing"}"#),
            ("PUT", _) => answer("201 Yes", r#"{"ok":true,"id":"_local/x","rev":"0-1"}"#),
            _ => answer("201 Yes", r#"{"ok":true,"instance_start_time":"0"}"#),
        },
    )
    .await;
    let report = replicate(Arc::new(source), world.peer("target"), Spec::default())
        .await
        .unwrap();
    let moved: Vec<_> = crate::world::leaves(&world.database("target"))
        .into_keys()
        .collect();
    assert_eq!(moved, ["good"]);
    let refused = report.refused.iter();
    let refused: Vec<_> = refused.map(|doc| (&*doc.id, &*doc.rev, &*doc.error)).collect();
    let expected = [
        ("", "1-a", "illegal_docid"),
        ("_odd", "1-a", "illegal_docid"),
        (&long[..500], "1-a", "illegal_docid"),
        ("moved", "2-é", "bad_request"),
        ("voice", "2-ü", "bad_request"),
    ];
    assert_eq!(refused, expected);
    let progress = &report.progress;
    assert_eq!((progress.doc_write_failures, progress.docs_written), (5, 1));
    assert_eq!(progress.checkpointed_source_seq.as_deref(), Some("\"6-x\""));
}

/// A Trunkline whose feed has a document twice: new, then edited.
#[tokio::test]
async fn an_edit_in_the_same_batch_as_its_document_is_not_lost() {
    let world = World::new();
    let rev = put(&world.database("target"), "d", None, "{}").to_string();
    let first = rev.clone();
    let source = peer(move |method, path, body| match (method, path.split('?').next().unwrap()) {
        ("GET", "/") => answer("200 OK", "{\"couchdb\":\"Welcome\",\"uuid\":\"u\",\"vendor\":{\"name\":\"Trunkline\"}}"),
        ("GET", "/db") => answer("200 OK", "{\"update_seq\":\"2-x\",\"instance_start_time\":\"0\"}"),
        ("GET", "/db/_changes") => answer("200 OK", format!(
            "{{\"results\":[\n{{\"seq\":\"1-x\",\"id\":\"d\",\"changes\":[{{\"rev\":\"{first}\"}}],\"doc\":{{\"_id\":\"d\",\"_rev\":\"{first}\"}}}},\n\
             {{\"seq\":\"2-x\",\"id\":\"d\",\"changes\":[{{\"rev\":\"2-b\"}}]}}\n],\n\"last_seq\":\"2-x\",\"pending\":0}}\n")),
        ("POST", "/db/_bulk_get") => {
            assert!(body.contains("2-b"));
            let digest = first.split_once('-').unwrap().1;
            answer("200 OK", format!(
                "{{\"results\":[{{\"id\":\"d\",\"docs\":[{{\"ok\":{{\"_id\":\"d\",\"_rev\":\"2-b\",\"_revisions\":{{\"start\":2,\"ids\":[\"b\",\"{digest}\"]}}}}}}]}}]}}"))
        }
        ("GET", _) => answer("404 No", "{\"error\":\"not_found\",\"reason\":\"missing\"}"),
        ("PUT", _) => answer("201 Yes", "{\"ok\":true,\"id\":\"_local/x\",\"rev\":\"0-1\"}"),
        _ => answer("201 Yes", "{\"ok\":true,\"instance_start_time\":\"0\"}"),
    })
    .await;
    replicate(Arc::new(source), world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(crate::world::leaves(&world.database("target"))["d"].contains_key("2-b"));
}

/// Some servers refuse a request that does not say how long its body is, even when there is none.
#[tokio::test]
async fn requests_without_a_body_say_so() {
    let url = serve_requests(|request| {
        assert!(
            request.headers.contains("content-length: 0\r\n"),
            "{}",
            request.headers
        );
        answer("201 Yes", "{\"ok\":true,\"instance_start_time\":\"0\"}")
    })
    .await;
    let peer = HttpPeer::new(&url, HttpOptions::default()).unwrap();
    peer.create().await.unwrap();
    peer.ensure_full_commit().await.unwrap();
}

#[tokio::test]
async fn a_feed_that_repeats_itself_is_not_asked_again_and_again() {
    let body = "{\"seq\":1,\"id\":\"a\",\"changes\":[{\"rev\":\"1-a\"}]}\n{\"last_seq\":1,\"pending\":0}\n";
    let peer = peer(move |_, _, _| answer("200 OK", body)).await;
    let ask = ChangesAsk {
        continuous: true,
        ..ChangesAsk::default()
    };
    let mut feed = peer.changes(ask).await.unwrap();
    assert!(feed.next().await.unwrap().is_ok());
    assert!(feed.next().await.unwrap().is_err());
}
