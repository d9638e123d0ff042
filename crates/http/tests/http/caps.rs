//! More than a server takes on is told to come back.

use crate::harness::Server;
use crate::sockets::{connect, rest, statuses};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trunkline_http::{Config, Connections};

fn caps(connections: Connections) -> Config {
    Config {
        connections,
        ..Config::default()
    }
}

/// Asks until the answer is another than 503.
async fn admitted(server: &Server, path: &str) -> StatusCode {
    loop {
        let answer = server.client.get(format!("{}{path}", server.url)).send().await;
        match answer.unwrap().status() {
            StatusCode::SERVICE_UNAVAILABLE => tokio::task::yield_now().await,
            status => return status,
        }
    }
}

#[tokio::test]
async fn connections_beyond_their_cap_are_told_and_closed() {
    let server = Server::with(caps(Connections {
        connections_max: 2,
        ..Connections::default()
    }))
    .await;
    let said = b"GET /_up HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&server).await;
        stream.write_all(said).await.unwrap();
        let mut heard = [0; 12];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"HTTP/1.1 200");
        kept.push(stream);
    }
    let mut refused = connect(&server).await;
    refused.write_all(said).await.unwrap();
    let heard = rest(&mut refused).await;
    assert_eq!(statuses(&heard), [503], "{heard}");
    assert!(
        heard.contains("Retry-After: 1\r\n") && heard.contains("overloaded"),
        "{heard}"
    );
    // Many more at once are closed at least.
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(connect(&server).await);
    }
    for mut stream in crowd {
        assert!(matches!(statuses(&rest(&mut stream).await)[..], [] | [503]));
    }
    drop(kept);
    assert_eq!(admitted(&server, "/").await, 200);
}

#[tokio::test]
async fn requests_beyond_their_cap_are_told_before_they_cost_anything() {
    let server = Server::with(caps(Connections {
        requests_max: 1,
        ..Connections::default()
    }))
    .await;
    server.put("/db", None).await.is(201, json!({ "ok": true }));
    let mut held = connect(&server).await;
    held.write_all(b"PUT /db/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        .await
        .unwrap();
    let refused = loop {
        let answer = server.get("/db").await;
        if answer.status != 200 {
            break answer;
        }
    };
    refused.is(503, json!({ "error": "overloaded" }));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
    assert_eq!(server.get("/_up").await.status, 200);
    // Who makes more of it counts as anybody.
    for request in [
        server.request("GET", "/_up").basic_auth("a", Some("b")),
        server.request("GET", "/_up").body("x"),
        server.request("POST", "/_up"),
        // One that sends all before it looks is told, too.
        server.request("PUT", "/db/b/file").body(vec![7; 200_000]),
    ] {
        assert_eq!(server.send(request).await.status, 503);
    }
    held.write_all(b"}").await.unwrap();
    let mut heard = [0; 12];
    held.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 201");
    assert_eq!(admitted(&server, "/db/a").await, 200);
}

#[tokio::test]
async fn feeds_have_a_cap_of_their_own() {
    let server = Server::with(caps(Connections {
        requests_max: 2,
        feeds_max: 2,
        ..Connections::default()
    }))
    .await;
    server.put("/db", None).await.is(201, json!({ "ok": true }));
    let feed = |path: &str| server.client.get(format!("{}{path}", server.url)).send();
    let first = feed("/db/_changes?feed=continuous&heartbeat=60000")
        .await
        .unwrap();
    let second = feed("/_db_updates?feed=eventsource&heartbeat=60000")
        .await
        .unwrap();
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    let third = feed("/db/_changes?feed=longpoll&since=now").await.unwrap();
    assert_eq!(third.status(), 503);
    assert_eq!(third.headers()["retry-after"], "1");
    // They take no room from requests.
    assert_eq!(admitted(&server, "/db").await, 200);
    drop(first);
    assert_eq!(
        admitted(&server, "/db/_changes?feed=continuous&timeout=1").await,
        200
    );
}
