//! Who sends or reads too slowly is given up.

use crate::harness::Server;
use crate::sockets::{connect, rest, statuses};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trunkline_http::{Config, Connections};

async fn impatient(connections: Connections) -> Server {
    let server = Server::with(Config {
        connections,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({ "ok": true }));
    server
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = impatient(Connections {
        head_ms: 300,
        ..Connections::default()
    })
    .await;
    for said in [
        "",
        "G",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(said.as_bytes()).await.unwrap();
        let heard = rest(&mut stream).await;
        assert!(!heard.contains("200 OK"), "{said}: {heard}");
    }
    // Slowloris: there is always something new.
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        .await
        .unwrap();
    while stream.write_all(b"X-A: b\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A connection without a request is kept for as long, too.
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET /_up HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(statuses(&rest(&mut stream).await), [200]);
}

#[tokio::test]
async fn a_body_that_falls_silent_or_trickles_is_given_up() {
    let server = impatient(Connections {
        silence_ms: 300,
        ..Connections::default()
    })
    .await;
    let json = "Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{\"a\":";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n";
    let parts = "Content-Type: multipart/related; boundary=b\r\nContent-Length: 4000\r\n\r\n--b\r\n\r\n{";
    for (target, begun) in [
        ("PUT /db/a", json),
        ("POST /db/_bulk_docs", json),
        ("PUT /db/a/file", chunked),
        ("PUT /db/a", parts),
    ] {
        for trickles in [false, true] {
            let mut stream = connect(&server).await;
            let said = format!("{target} HTTP/1.1\r\nHost: localhost\r\n{begun}");
            stream.write_all(said.as_bytes()).await.unwrap();
            let (mut heard, mut piece) = (String::new(), [0; 4096]);
            loop {
                let wait = Duration::from_millis(if trickles { 20 } else { 60_000 });
                match tokio::time::timeout(wait, stream.read(&mut piece)).await {
                    Ok(Ok(0) | Err(_)) => break,
                    Ok(Ok(length)) => heard.push_str(&String::from_utf8_lossy(&piece[..length])),
                    Err(_) => {
                        let byte: &[u8] = if begun == chunked { b"1\r\nx\r\n" } else { b" " };
                        if stream.write_all(byte).await.is_err() {
                            break;
                        }
                    }
                }
            }
            assert_eq!(statuses(&heard), [408], "{target} {trickles}: {heard}");
            assert!(heard.contains("request_timeout"), "{heard}");
        }
    }
    assert_eq!(server.get("/db/a").await.status, 404);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_holds_no_place_for_ever() {
    let server = impatient(Connections {
        silence_ms: 300,
        requests_max: 1,
        ..Connections::default()
    })
    .await;
    let file = vec![7; 64 << 20];
    let url = format!("{}/db/a/file", server.url);
    let put = server.client.put(&url).body(file.clone()).send().await.unwrap();
    assert_eq!(put.status(), 201);
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET /db/a/file HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut heard = [0; 12];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 200");
    while server.get("/db").await.status == 503 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    assert!(heard.len() < file.len());
}

/// Over HTTP/2 the connection lives, and only the answer does not move, be it shorter than what goes at once.
#[tokio::test]
async fn an_answer_that_is_given_no_window_holds_no_place_for_ever() {
    let server = impatient(Connections {
        silence_ms: 100,
        requests_max: 1,
        feeds_max: 1,
        ..Connections::default()
    })
    .await;
    let put = server.request("PUT", "/db/a/file").body(vec![7; 1 << 20]);
    assert_eq!(server.send(put).await.status, 201);
    for (path, again) in [
        ("/db/a/file", "/db"),
        ("/db", "/db"),
        ("/db/_all_docs", "/db"),
        ("/db/_changes?feed=longpoll", "/db/_changes?feed=longpoll"),
        (
            "/db/_changes?feed=continuous&heartbeat=20",
            "/db/_changes?feed=longpoll",
        ),
    ] {
        let narrow = reqwest::Client::builder()
            .http2_prior_knowledge()
            .http2_initial_stream_window_size(1)
            .build()
            .unwrap();
        let answer = loop {
            let answer = narrow.get(format!("{}{path}", server.url)).send().await.unwrap();
            if answer.status() != 503 {
                break answer;
            }
        };
        assert_eq!(answer.status(), 200);
        while server.get(again).await.status == 503 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(answer.bytes().await.is_err(), "{path}");
    }
}
