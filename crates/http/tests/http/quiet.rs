//! Connections of HTTP/2 on which nothing is open: ended, and nobody loses anything by it.

use crate::harness::Server;
use crate::sockets::{connect, rest};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use trunkline_http::{Config, Connections};

const HEAD: Duration = Duration::from_millis(300);

async fn server() -> Server {
    let server = Server::with(Config {
        connections: Connections {
            head_ms: HEAD.as_millis() as u64,
            ..Connections::default()
        },
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({ "ok": true }));
    server
}

/// What sends requests, and the connection until its end.
async fn http2(server: &Server) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TokioIo::new(connect(server).await);
    let (requests, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    (requests, tokio::spawn(connection))
}

fn get(server: &Server, path: &str) -> Request<Body> {
    let url = format!("{}{path}", server.url);
    Request::get(url).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_connection_with_nothing_open_is_ended() {
    let server = server().await;
    let (_requests, unused) = http2(&server).await;
    assert!(unused.await.unwrap().is_ok());

    let (mut requests, connection) = http2(&server).await;
    let answer = requests.send_request(get(&server, "/db")).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap();
    assert!(connection.await.unwrap().is_ok());
}

/// It says goodbye to nobody.
#[tokio::test]
async fn who_does_not_answer_is_not_waited_for() {
    let server = server().await;
    let mut stream = connect(&server).await;
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(settings).await.unwrap();
    rest(&mut stream).await;
}

#[tokio::test]
async fn a_connection_with_a_feed_stays() {
    let server = server().await;
    let (mut requests, connection) = http2(&server).await;
    let feed = get(&server, "/db/_changes?feed=continuous&heartbeat=60000");
    let answer = requests.send_request(feed).await.unwrap();
    let mut feed = answer.into_body();
    tokio::time::sleep(HEAD * 5).await;
    server.put("/db/a", Some(json!({}))).await;
    let line = feed.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(line.starts_with(b"{\"seq\""), "{line:?}");
    assert!(!connection.is_finished());
    drop(feed);
    assert!(connection.await.unwrap().is_ok());
}

/// Its pushes share a connection that has no feed.
#[tokio::test]
async fn a_replication_does_not_notice() {
    let (source, target) = (Server::start().await, server().await);
    source.put("/a", None).await;
    let url = format!("{}/db", target.url);
    let doc = json!({ "source": "a", "target": url, "continuous": true });
    let id = source.put("/_replicator/push", Some(doc)).await;
    assert_eq!(id.status, 201);
    for number in 0..4 {
        source.put(&format!("/a/{number}"), Some(json!({}))).await;
        while target.get(&format!("/db/{number}")).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(HEAD * 2).await;
    }
    let job = source.get("/_scheduler/jobs").await.json();
    let history = job["jobs"][0]["history"].as_array().unwrap();
    let history: Vec<_> = history
        .iter()
        .map(|entry| entry["type"].as_str().unwrap())
        .collect();
    assert_eq!(history, ["started", "added"], "{job}");
    let shown = source.get("/_scheduler/docs/_replicator/push").await.json();
    assert_eq!(shown["error_count"], 0, "{shown}");
}
