//! Request bodies share a bounded room in memory; who finds none is told to come back.

use crate::harness::Server;
use crate::sockets::connect;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_http::Config;

#[tokio::test]
async fn a_full_server_says_when_to_come_back() {
    let server = Server::with(Config {
        request_buffer_bytes_max: 1000,
        request_buffers_bytes_max: 1500,
        request_buffers_wait_ms: 20,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({}));
    // A client that is still sending holds the room it announced.
    let address = server.url.strip_prefix("http://").unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = "PUT /db/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();

    let doc = json!({ "text": "x".repeat(700) });
    let mut number = 0;
    let refused = loop {
        number += 1;
        let answer = server.put(&format!("/db/doc{number}"), Some(doc.clone())).await;
        if answer.status != 201 {
            break answer;
        }
    };
    refused.is(503, json!({ "error": "busy" }));
    assert_eq!(refused.header("retry-after"), "1");

    // What fits, what is streamed, and what brings nothing goes on.
    server.put("/db/small", Some(json!({}))).await.is(201, json!({}));
    let upload = server
        .request("PUT", "/db/file/attachment")
        .body("x".repeat(10_000));
    server.send(upload).await.is(201, json!({}));
    server.get("/db/small").await.is(200, json!({}));

    drop(slow);
    while server
        .put(&format!("/db/doc{number}"), Some(doc.clone()))
        .await
        .status
        != 201
    {}
}

#[tokio::test]
async fn bodies_of_unknown_length_count_as_they_come() {
    let server = Server::with(Config {
        request_buffer_bytes_max: 1000,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({}));
    let address = server.url.strip_prefix("http://").unwrap();
    for (length, status) in [(900, "201"), (1100, "413")] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head =
            format!("PUT /db/d{length} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        let doc = json!({ "text": "x".repeat(length - 11) }).to_string();
        client.write_all(head.as_bytes()).await.unwrap();
        for piece in doc.as_bytes().chunks(100) {
            let piece = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            client.write_all(&piece).await.unwrap();
        }
        client.write_all(b"0\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[9..], status.as_bytes());
    }
}

/// Who announces much and sends nothing keeps nobody out.
#[tokio::test]
async fn what_is_announced_takes_no_room_before_it_comes() {
    let server = Server::with(Config {
        request_buffer_bytes_max: 1 << 20,
        request_buffers_bytes_max: 1 << 20,
        request_buffers_wait_ms: 20,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({}));
    let mut silent = Vec::new();
    for number in 0..5 {
        let mut stream = connect(&server).await;
        let head =
            format!("PUT /db/a{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let doc = json!({ "text": "x".repeat(300_000) });
    server.put("/db/doc", Some(doc)).await.is(201, json!({}));

    let mut stream = connect(&server).await;
    let head = "POST /_session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[b' '; 20_000]).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// A document whose attachments follow counts as others do.
#[tokio::test]
async fn a_document_before_its_attachments_takes_room_as_it_comes() {
    let server = Server::with(Config {
        request_buffer_bytes_max: 1 << 20,
        request_buffers_bytes_max: 1 << 20,
        request_buffers_wait_ms: 20,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({}));
    let head = "PUT /db/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\
                Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\n{";
    let mut parts = connect(&server).await;
    parts.write_all(head.as_bytes()).await.unwrap();
    parts.write_all(&[b' '; 600_000]).await.unwrap();
    // What comes after it would otherwise be in its way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let doc = json!({ "text": "x".repeat(300_000) });
    let mut tried = 0;
    while server
        .put(&format!("/db/doc{tried}"), Some(doc.clone()))
        .await
        .status
        != 503
    {
        tried += 1;
        assert!(tried < 200);
    }
    drop(parts);
    while server.put("/db/after", Some(doc.clone())).await.status != 201 {}
    // What is not yet the document takes none beyond its bound.
    let mut endless = connect(&server).await;
    let head = head.replace("--b\r\n\r\n{", "");
    endless.write_all(head.as_bytes()).await.unwrap();
    let _ = endless.write_all(&vec![b' '; 4_000_000]).await;
    let mut answer = [0; 12];
    endless.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}
