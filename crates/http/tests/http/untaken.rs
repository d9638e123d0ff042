//! Answers whose clients take nothing, and those who want answers beside them.

use crate::harness::Server;
use serde_json::json;
use std::time::{Duration, Instant};
use trunkline_core::limits::{ANSWER_UNCOUNTED_BYTES_MAX, SCAN_CHUNK_BYTES, UNTAKEN_PRESSED_MS};
use trunkline_http::{Config, Secret};

const ROOT: (&str, &str) = ("root", "s3cret");

/// A server that has room for some chunks, half of it for those who give no name, and a database for all that has some.
async fn narrow(chunks: usize) -> Server {
    let mut config = Config {
        answers_bytes_max: 64 * SCAN_CHUNK_BYTES,
        ..Config::default()
    };
    config.admins.insert(ROOT.0.to_owned(), Secret::new(ROOT.1));
    config.authentication.passwords.iterations = 10;
    let mut server = Server::with(config).await;
    server.user = Some(ROOT);
    server.put("/db", None).await.is(201, json!({}));
    let everybody = json!({ "members": { "roles": [] }, "admins": {} });
    let set = server.put("/db/_security", Some(everybody)).await;
    set.is(200, json!({}));
    let long = "x".repeat(SCAN_CHUNK_BYTES);
    for n in 0..chunks {
        let put = server
            .put(&format!("/db/d{n}"), Some(json!({ "long": long })))
            .await;
        put.is(201, json!({}));
    }
    server
}

/// However many answers nobody takes, they hold what there is room for. Others have the other half, what is short gets
/// through beside them, and who has to share with them waits until they are ended.
#[tokio::test]
async fn answers_that_nobody_takes_are_ended_for_others() {
    const { assert!(SCAN_CHUNK_BYTES > ANSWER_UNCOUNTED_BYTES_MAX) };
    let mut server = narrow(8).await;
    server.put("/db/short", Some(json!({}))).await.is(201, json!({}));
    let exchanged = json!({ "since": "0", "continuous": false, "docs": true }).to_string();
    let questions = [
        ("GET", "/db/_changes?feed=continuous&include_docs=true", ""),
        ("POST", "/db/_exchange/changes", exchanged.as_str()),
        ("GET", "/db/_all_docs?include_docs=true", ""),
        ("GET", "/db/d0", ""),
        ("GET", "/db/_changes?include_docs=true", ""),
    ];
    let (mut questions, mut stuck) = (questions.iter().cycle(), Vec::new());
    let (looked, _) = tokio::sync::watch::channel(false);
    let root = server.user.take();
    while server.get("/db/d0").await.status != 503 {
        let (method, path, body) = questions.next().unwrap();
        assert!(stuck.len() < 200);
        // With no window for what it asks for.
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .http2_initial_stream_window_size(1)
            .build()
            .unwrap();
        let asked = client.request(method.parse().unwrap(), format!("{}{path}", server.url));
        let asked = asked.header("content-type", "application/json");
        let asked = asked.body((*body).to_owned());
        let mut look = looked.subscribe();
        stuck.push(tokio::spawn(async move {
            let answer = asked.send().await?;
            let _ = look.wait_for(|is_time| *is_time).await;
            answer.bytes().await
        }));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.get("/db/short").await.is(200, json!({}));
    server.user = root;
    let begun = Instant::now();
    server
        .get("/db/_all_docs?include_docs=true")
        .await
        .is(200, json!({ "total_rows": 9 }));
    assert!(begun.elapsed() < Duration::from_millis(UNTAKEN_PRESSED_MS / 2));
    server.user = None;
    let begun = Instant::now();
    while server.get("/db/d0").await.status == 503 {
        assert!(begun.elapsed() < Duration::from_millis(3 * UNTAKEN_PRESSED_MS));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server
        .get("/db/_all_docs?include_docs=true")
        .await
        .is(200, json!({}));
    looked.send(true).unwrap();
    let mut ended = 0;
    for answer in stuck {
        // Those that came last may have been in nobody's way.
        let answer = tokio::time::timeout(Duration::from_millis(100), answer).await;
        ended += usize::from(matches!(answer, Ok(Ok(Err(_)))));
    }
    assert!(ended > 0);
}

/// Who takes what comes is in nobody's way, and all that is held comes back.
#[tokio::test]
async fn who_takes_answers_gets_all_there_is() {
    let mut server = narrow(40).await;
    server.user = None;
    for _ in 0..2 {
        let all = [
            "/db/_changes?include_docs=true",
            "/db/_changes?include_docs=true&feed=longpoll",
            "/db/_all_docs?include_docs=true",
        ];
        let all = all.into_iter().cycle().take(12).map(|path| server.get(path));
        for answer in futures_util::future::join_all(all).await {
            let json = answer.is(200, json!({})).json();
            let rows = json["rows"].as_array().or(json["results"].as_array());
            assert_eq!(rows.unwrap().len(), 40);
        }
    }
}
