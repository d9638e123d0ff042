//! The end of a server.

use crate::harness::Server;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn raw(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn feeds_end_with_their_last_seq() {
    let mut server = Server::with_db().await;
    server.put("/db/a", Some(json!({}))).await;
    let get = |feed: &str| {
        format!("GET /db/_changes?feed={feed}&since=now&heartbeat=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
    };
    let mut feeds = Vec::new();
    for feed in ["continuous", "longpoll"] {
        let mut stream = raw(&server, &get(feed)).await;
        // The head of the answer says that the feed runs.
        let mut head = [0; 1];
        stream.read_exact(&mut head).await.unwrap();
        feeds.push(stream);
    }
    server.signal();
    for mut stream in feeds {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(
            text.contains("\"last_seq\":\"1-") && text.ends_with("0\r\n\r\n"),
            "{text}"
        );
    }
    server.ended().await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    // With so long a patience, the end comes in time only when nothing is waited for.
    let config = trunkline_http::Config {
        shutdown_ms: 3_600_000,
        ..trunkline_http::Config::default()
    };
    let mut server = Server::with(config).await;
    let silent = raw(&server, "").await;
    let mut kept = raw(&server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut some = [0; 64];
    kept.read_exact(&mut some).await.unwrap();
    server.signal();
    tokio::time::timeout(Duration::from_secs(60), server.ended())
        .await
        .unwrap();
    drop((silent, kept));
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    let config = trunkline_http::Config {
        shutdown_ms: 100,
        ..trunkline_http::Config::default()
    };
    let mut server = Server::with(config).await;
    let half = raw(&server, "GET /db HTTP/1.1\r\n").await;
    server.get("/").await;
    server.signal();
    tokio::time::timeout(Duration::from_secs(60), server.ended())
        .await
        .unwrap();
    drop(half);
}

#[tokio::test]
async fn a_request_in_flight_is_answered() {
    let mut server = Server::with_db().await;
    let mut stream = raw(
        &server,
        "PUT /db/doc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{",
    )
    .await;
    // Another request over another connection: by its answer, the first one has been taken up.
    server.get("/db").await;
    server.signal();
    stream.write_all(b"}").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    let store = server.store.clone();
    server.ended().await;
    let db = store
        .database(&trunkline_core::db_name::DbName::parse("db").unwrap())
        .unwrap();
    assert!(db.get("doc", None).unwrap().is_some());
}
