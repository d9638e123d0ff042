//! Heads, bodies and paths that are made to hurt.

use crate::harness::Server;
use crate::sockets::{connect, rest, statuses, talk};
use serde_json::json;
use std::io::Write;
use tokio::io::AsyncWriteExt;
use trunkline_http::Config;

#[tokio::test]
async fn heads_are_bounded() {
    let server = Server::start().await;
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
    };
    let long = "x".repeat(200_000);
    for (said, status) in [
        (get("/", &format!("X-Long: {long}\r\n")), 431),
        (get("/", &"X-A: b\r\n".repeat(500)), 431),
        (get(&format!("/{long}"), ""), 431),
        (get(&format!("/{}", "x".repeat(9_000)), ""), 404),
        (format!("{long} / HTTP/1.1\r\n\r\n"), 431),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("\0\u{1}\u{2}\r\n\r\n".to_owned(), 400),
    ] {
        let heard = talk(&server, &said).await;
        let start = &said[..said.len().min(40)];
        assert!(
            matches!(statuses(&heard)[..], [] | [_]) && !heard.contains(" 200 "),
            "{start}: {heard}"
        );
        if let [heard] = statuses(&heard)[..] {
            assert_eq!(heard, status, "{start}");
        }
    }
    // The head never ends.
    let mut stream = connect(&server).await;
    stream.write_all(b"GET / HTTP/1.1\r\nX-Endless: ").await.unwrap();
    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}

    let cookie = "c".repeat(100_000);
    let h2 = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let asked = h2
        .get(format!("{}/_up", server.url))
        .header("cookie", cookie)
        .send();
    assert!(!asked.await.is_ok_and(|answer| answer.status().is_success()));
    assert_eq!(server.get("/_up").await.status, 200);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bodies_are_bounded_as_they_are_decoded() {
    let server = Server::with(Config {
        request_buffer_bytes_max: 1 << 20,
        ..Config::default()
    })
    .await;
    server.put("/db", None).await.is(201, json!({ "ok": true }));
    let zeros = vec![b' '; 256 << 20];
    for (coding, bomb) in [
        ("gzip", gzip(&zeros)),
        ("zstd", zstd::bulk::compress(&zeros, 19).unwrap()),
    ] {
        assert!(bomb.len() < 1 << 20);
        for (method, path) in [
            ("PUT", "/db/a"),
            ("POST", "/db/_bulk_docs"),
            ("POST", "/db/_find"),
            ("POST", "/db/_exchange/docs"),
        ] {
            let request = server
                .request(method, path)
                .header("content-type", "application/json")
                .header("content-encoding", coding)
                .body(bomb.clone());
            assert_eq!(server.send(request).await.status, 413, "{coding} {path}");
        }
    }
    // The body never ends.
    let mut stream = connect(&server).await;
    stream
        .write_all(b"PUT /db/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
    while stream.write_all(&chunk).await.is_ok() {}
    let heard = rest(&mut stream).await;
    assert!(matches!(statuses(&heard)[..], [] | [413]), "{heard}");
}

#[tokio::test]
async fn nesting_is_bounded() {
    let server = Server::with_db().await;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let (lists, objects) = (nested("[", "]"), nested("{\"a\":", "}"));
    for deep in [&lists, &objects] {
        for (path, body) in [
            ("/db", format!("{{\"a\":{deep}}}")),
            ("/db", deep.clone()),
            ("/db/_bulk_docs", format!("{{\"docs\":[{{\"a\":{deep}}}]}}")),
            ("/db/_bulk_get", format!("{{\"docs\":{deep}}}")),
            ("/db/_find", format!("{{\"selector\":{{\"a\":{deep}}}}}")),
            ("/db/_find", format!("{{\"selector\":{deep}}}")),
            ("/db/_aggregate", deep.clone()),
            ("/db/_index", format!("{{\"index\":{deep}}}")),
            ("/db/_all_docs", format!("{{\"keys\":{deep}}}")),
            ("/db/_all_docs", format!("{{\"keys\":[{deep}]}}")),
            (
                "/db/_changes?filter=_selector",
                format!("{{\"selector\":{deep}}}"),
            ),
            ("/db/_revs_diff", format!("{{\"a\":{deep}}}")),
            ("/db/_purge", deep.clone()),
            ("/db/_exchange/changes", deep.clone()),
            ("/_replicate", format!("{{\"source\":{deep},\"target\":\"db\"}}")),
            ("/_dbs_info", format!("{{\"keys\":{deep}}}")),
            ("/_session", format!("{{\"name\":{deep}}}")),
        ] {
            let asked = server
                .request("POST", path)
                .header("content-type", "application/json");
            let answer = server.send(asked.body(body)).await;
            let status = answer.status;
            assert!(
                (400..500).contains(&status) || status == 200 || status == 501,
                "{path}: {}",
                answer.text()
            );
        }
    }
    for open in ["[", "{\"a\":"] {
        let put = server.request("PUT", "/db/unclosed").body(open.repeat(100_000));
        assert_eq!(server.send(put).await.status, 400);
    }
    assert_eq!(server.get("/db").await.json()["doc_count"], 0);
}
