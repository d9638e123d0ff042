//! What a client of HTTP/2 may send before anybody reads it.

use crate::harness::Server;
use crate::sockets::connect;
use axum::body::{Body, Bytes};
use futures_util::stream;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_core::limits::{
    HTTP2_READ_BYTES_MAX, HTTP2_REQUEST_WINDOW_BYTES, HTTP2_REQUESTS_WINDOW_BYTES, HTTP2_STREAMS_MAX,
    HTTP2_STREAMS_UNPLACED_MAX, REQUEST_ROOM_FIRST_BYTES, REQUESTS_MAX,
};
use trunkline_http::{Config, Connections};

/// A frame's.
const PIECE_BYTES: usize = 16 << 10;

async fn http2(server: &Server) -> SendRequest<Body> {
    let stream = TokioIo::new(connect(server).await);
    let (requests, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    requests
}

/// A body as long as it is let, and how many bytes were.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let pieces = stream::repeat_with(move || {
        counted.fetch_add(PIECE_BYTES, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(&[b' '; PIECE_BYTES]))
    });
    (Body::from_stream(pieces), sent)
}

fn post(server: &Server, path: &str, body: Body) -> Request<Body> {
    Request::post(format!("{}{path}", server.url))
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

/// Begins to write a document of so many bytes; the server waits for them.
async fn begin(server: &Server, bytes: usize) -> TcpStream {
    let mut stream = connect(server).await;
    let head = format!(
        "PUT /db/slow HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = [0; 12];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 100");
    stream
}

#[tokio::test]
async fn bodies_that_wait_for_room_are_not_sent_on() {
    let server = Server::with(Config {
        request_buffer_bytes_max: REQUEST_ROOM_FIRST_BYTES,
        request_buffers_bytes_max: REQUEST_ROOM_FIRST_BYTES,
        request_buffers_wait_ms: 600_000,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({}));
    assert!(REQUESTS_MAX * HTTP2_REQUEST_WINDOW_BYTES as usize <= 1 << 30);
    let _slow = begin(&server, REQUEST_ROOM_FIRST_BYTES).await;
    let http2 = http2(&server).await;
    let streams = HTTP2_REQUESTS_WINDOW_BYTES / HTTP2_REQUEST_WINDOW_BYTES + 8;
    let mut counts = Vec::new();
    for _ in 0..streams {
        let (body, sent) = endless();
        let mut http2 = http2.clone();
        let request = post(&server, "/db/_bulk_docs", body);
        tokio::spawn(async move { http2.send_request(request).await });
        counts.push(sent);
    }
    let sent = || {
        counts
            .iter()
            .map(|sent| sent.load(Ordering::Relaxed))
            .sum::<usize>()
    };
    let (mut before, mut quiet) = (0, 0);
    while quiet < 5 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        quiet = if sent() > 0 && sent() == before {
            quiet + 1
        } else {
            0
        };
        before = sent();
    }
    // One is read of each until it asks for room, and one waits at the client.
    let pieces = 3 * PIECE_BYTES;
    for sent in &counts {
        assert!(sent.load(Ordering::Relaxed) <= HTTP2_REQUEST_WINDOW_BYTES as usize + pieces);
    }
    assert!(sent() <= HTTP2_REQUESTS_WINDOW_BYTES as usize + counts.len() * pieces);
    server.get("/db").await.is(200, json!({}));
}

#[tokio::test]
async fn what_refused_requests_send_keeps_nobody_waiting() {
    let server = Server::with(Config {
        connections: Connections {
            requests_max: 1,
            ..Connections::default()
        },
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({}));
    let mut http2 = http2(&server).await;
    let slow = begin(&server, 1000).await;
    let mut refused = 0;
    while refused < 2 * HTTP2_REQUESTS_WINDOW_BYTES / HTTP2_REQUEST_WINDOW_BYTES {
        let (body, sent) = endless();
        let answer = http2.send_request(post(&server, "/db", body)).await;
        // Who is told may lose the answer over what it sends.
        if answer.is_ok_and(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE) {
            refused += u32::from(sent.load(Ordering::Relaxed) > 0);
        }
    }
    drop(slow);
    let doc = json!({ "text": "x".repeat(4 << 20) }).to_string();
    let status = loop {
        let answer = http2
            .send_request(post(&server, "/db", Body::from(doc.clone())))
            .await;
        match answer.unwrap().status() {
            StatusCode::SERVICE_UNAVAILABLE => tokio::task::yield_now().await,
            status => break status,
        }
    };
    assert_eq!(status, StatusCode::CREATED);
}

/// Sends so many requests at once, and counts the answers by status.
async fn burst(http2: &SendRequest<Body>, url: &str, requests: usize) -> (usize, usize) {
    let asked = (0..requests).map(|_| {
        let request = Request::get(format!("{url}/_uuids"));
        let answer = http2.clone().send_request(request.body(Body::empty()).unwrap());
        async { answer.await.map(|answer| answer.status()) }
    });
    let answers = futures_util::future::join_all(asked).await;
    let count = |status| answers.iter().flatten().filter(|&&given| given == status).count();
    (count(StatusCode::OK), count(StatusCode::SERVICE_UNAVAILABLE))
}

#[tokio::test]
async fn a_burst_is_answered_to_its_end() {
    let server = Server::start().await;
    let http2 = http2(&server).await;
    let requests = HTTP2_STREAMS_MAX as usize / 4;
    let (done, refused) = burst(&http2, &server.url, requests).await;
    assert_eq!(done + refused, requests);
}

/// Whose refusals nobody takes has few of them, and then no connection.
#[tokio::test]
async fn refusals_that_nobody_takes_do_not_pile_up() {
    let server = Server::with(Config {
        connections: Connections {
            requests_max: 0,
            head_ms: 1_000,
            ..Connections::default()
        },
        ..Config::default()
    })
    .await;
    let stream = TokioIo::new(connect(&server).await);
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (http2, connection) = builder.handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let (done, refused) = burst(&http2, &server.url, HTTP2_STREAMS_MAX as usize / 4).await;
    // A head of HTTP/2 takes twelve bytes at least.
    let most = HTTP2_STREAMS_UNPLACED_MAX + HTTP2_READ_BYTES_MAX / 12;
    assert!(
        done == 0 && (HTTP2_STREAMS_UNPLACED_MAX..=most).contains(&refused),
        "{refused}"
    );
    let _ = connection.await;
}
