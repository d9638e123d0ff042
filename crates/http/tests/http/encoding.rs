//! gzip and zstd, both ways.

use crate::harness::Server;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{Read, Write};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

#[tokio::test]
async fn answers_are_encoded_for_those_who_ask() {
    let server = Server::with_db().await;
    server
        .put("/db/long", Some(json!({ "text": "x".repeat(5000) })))
        .await;
    server.put("/db/short", Some(json!({}))).await;
    let plain = server.get("/db/long").await;
    assert!(plain.headers.get("content-encoding").is_none());
    for path in [
        "/db/long",
        "/db/_all_docs?include_docs=true",
        "/db/_changes?include_docs=true",
    ] {
        let encoded = server.get_with(path, "accept-encoding", "gzip").await;
        assert_eq!(encoded.header("content-encoding"), "gzip", "{path}");
        let decoded = gunzip(&encoded.bytes);
        assert!(serde_json::from_slice::<Value>(&decoded).is_ok());
        assert!(decoded.len() > encoded.bytes.len());
    }
    let zstd = server.get_with("/db/long", "accept-encoding", "zstd").await;
    assert_eq!(zstd.header("content-encoding"), "zstd");
    assert_eq!(zstd.bytes.get(..4), Some(&[0x28, 0xb5, 0x2f, 0xfd][..]));
    for path in [
        "/db/short",
        "/db/_changes?feed=longpoll",
        "/db/_changes?feed=continuous&timeout=1",
    ] {
        let not = server.get_with(path, "accept-encoding", "gzip").await;
        assert!(not.headers.get("content-encoding").is_none(), "{path}");
    }
}

#[tokio::test]
async fn requests_are_decoded() {
    let server = Server::with_db().await;
    let docs = json!({ "docs": [{ "_id": "a", "text": "x".repeat(5000) }] }).to_string();
    let request = |body: Vec<u8>, encoding: &str| {
        let request = server
            .request("POST", "/db/_bulk_docs")
            .header("content-type", "application/json");
        server.send(request.header("content-encoding", encoding).body(body))
    };
    assert_eq!(request(gzip(docs.as_bytes()), "gzip").await.status, 201);
    server.get("/db/a").await.is(200, json!({ "_id": "a" }));
    assert_eq!(request(docs.clone().into_bytes(), "identity").await.status, 201);
    request(docs.into_bytes(), "br")
        .await
        .is(415, json!({ "error": "bad_content_type" }));
    request(b"no gzip at all".to_vec(), "gzip").await.fails(
        400,
        "bad_request",
        "Request body is not properly gzipped.",
    );
}

#[tokio::test]
async fn what_a_request_decodes_to_is_bounded() {
    let config = trunkline_http::Config {
        request_buffer_bytes_max: 100_000,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await;
    let bomb = gzip(format!("{{\"text\":\"{}\"}}", "x".repeat(1_000_000)).as_bytes());
    assert!(bomb.len() < 10_000);
    let request = server
        .request("PUT", "/db/doc")
        .header("content-encoding", "gzip")
        .body(bomb);
    server
        .send(request)
        .await
        .fails(413, "too_large", "the request entity is too large");
}

#[tokio::test]
async fn compression_can_be_off() {
    let config = trunkline_http::Config {
        compression: false,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await;
    server
        .put("/db/long", Some(json!({ "text": "x".repeat(5000) })))
        .await;
    let answer = server.get_with("/db/long", "accept-encoding", "gzip, zstd").await;
    assert!(answer.headers.get("content-encoding").is_none());
}

/// A frame of so many bytes that says how wide its window is, and is filled with one byte.
fn zstd_frame(window_log: u32, bytes: usize) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(&vec![b' '; bytes]).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn windows_of_zstd_are_bounded() {
    let server = Server::with_db().await;
    let send = async |method, path, kind, body: Vec<u8>| {
        let request = server.request(method, path).header("content-type", kind);
        let request = request.header("content-encoding", "zstd");
        server.send(request.body(body)).await
    };
    let related = "multipart/related; boundary=\"B\"";
    for (method, path, kind) in [
        ("POST", "/db/_bulk_docs", "application/json"),
        ("PUT", "/db/doc", related),
    ] {
        for window_log in [23, 24, 27] {
            let answer = send(method, path, kind, zstd_frame(window_log, 1000)).await;
            assert_eq!(answer.status, 400, "{path}");
            assert_eq!(
                answer.text().contains("not zstd"),
                window_log > 23,
                "{window_log} {}",
                answer.text()
            );
        }
        let answer = send(method, path, kind, b"(\xb5/\xfd nothing of zstd".to_vec()).await;
        assert!(
            answer.status == 400 && answer.text().contains("not zstd"),
            "{}",
            answer.text()
        );
    }
}
