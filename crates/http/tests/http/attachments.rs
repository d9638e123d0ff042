//! Attachments: inline, and on their own.

use crate::harness::{Answer, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;

async fn put(server: &Server, path: &str, kind: &str, bytes: Vec<u8>) -> Answer {
    server
        .send(
            server
                .request("PUT", path)
                .header("content-type", kind)
                .body(bytes),
        )
        .await
}

#[tokio::test]
async fn inline_attachments() {
    let server = Server::with_db().await;
    let atts = json!({ "a.txt": { "content_type": "text/plain", "data": "aGVsbG8=" }, "b": { "data": "" } });
    let first = server
        .put("/db/doc", Some(json!({ "_attachments": atts })))
        .await
        .rev();
    let stubs = server.get("/db/doc").await.json();
    let expected = json!({
        "content_type": "text/plain", "revpos": 1, "digest": "md5-XUFAKrxLKna5cZ2REBfFkg==", "length": 5, "stub": true,
    });
    assert_eq!(stubs["_attachments"]["a.txt"], expected);
    assert_eq!(
        stubs["_attachments"]["b"]["content_type"],
        "application/octet-stream"
    );
    let full = server.get("/db/doc?attachments=true").await.json();
    assert_eq!(full["_attachments"]["a.txt"]["data"], "aGVsbG8=");
    assert_eq!(full["_attachments"]["a.txt"].get("stub"), None);

    // A stub keeps what was there; what is not listed is gone.
    let keep = json!({ "_rev": first, "_attachments": { "a.txt": { "stub": true } } });
    server
        .put("/db/doc", Some(keep))
        .await
        .is(201, json!({ "ok": true }));
    let kept = server.get("/db/doc").await.json();
    assert_eq!(kept["_attachments"].as_object().unwrap().len(), 1);
    assert_eq!(kept["_attachments"]["a.txt"]["revpos"], 1);
    let lost = json!({ "_rev": kept["_rev"], "_attachments": { "none": { "stub": true } } });
    server
        .put("/db/doc", Some(lost))
        .await
        .is(412, json!({ "error": "missing_stub" }));
    let bad = json!({ "_attachments": { "_x": { "data": "" } } });
    let reason = "Attachment name '_x' starts with prohibited character '_'";
    server
        .put("/db/bad", Some(bad))
        .await
        .fails(400, "bad_request", reason);
    let bad = json!({ "_attachments": { "x": { "data": "*" } } });
    assert_eq!(server.put("/db/bad", Some(bad)).await.status, 400);
}

#[tokio::test]
async fn attachments_on_their_own() {
    let server = Server::with_db().await;
    let made = put(&server, "/db/doc/a/b%20c.txt", "text/x-own", b"hello".to_vec()).await;
    made.is(201, json!({ "ok": true, "id": "doc" }));
    assert!(made.headers.get("location").is_some());
    let answer = server.get("/db/doc/a/b%20c.txt").await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    for (name, value) in [
        ("content-type", "text/x-own"),
        ("etag", "\"XUFAKrxLKna5cZ2REBfFkg==\""),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("accept-ranges", "bytes"),
        ("content-length", "5"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    assert_eq!(server.get("/db/doc/a%2Fb%20c.txt").await.text(), "hello");
    let head = server.call("HEAD", "/db/doc/a/b%20c.txt", None).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.bytes.len()),
        (200, "5", 0)
    );
    let same = server
        .get_with("/db/doc/a/b%20c.txt", "if-none-match", answer.header("etag"))
        .await;
    assert_eq!(same.status, 304);
    server.get("/db/doc").await.is(200, json!({ "_rev": made.rev() }));

    put(&server, "/db/doc/c", "text/plain", vec![])
        .await
        .fails(409, "conflict", "Document update conflict.");
    let second = put(
        &server,
        &format!("/db/doc/c?rev={}", made.rev()),
        "text/plain",
        vec![],
    )
    .await;
    second.is(201, json!({ "ok": true }));
    put(
        &server,
        &format!("/db/doc/c?rev={}", made.rev()),
        "text/plain",
        vec![],
    )
    .await
    .fails(409, "not_found", "missing_rev");
    server
        .get("/db/doc/none")
        .await
        .fails(404, "not_found", "Document is missing attachment");
    server
        .get("/db/none/att")
        .await
        .fails(404, "not_found", "missing");
    put(&server, "/db/doc/_x", "text/plain", vec![])
        .await
        .is(400, json!({ "error": "bad_request" }));

    server
        .call("DELETE", "/db/doc/c", None)
        .await
        .fails(409, "conflict", "Document update conflict.");
    let gone = server
        .call("DELETE", &format!("/db/doc/c?rev={}", second.rev()), None)
        .await;
    gone.is(200, json!({ "ok": true, "id": "doc" }));
    let again = server
        .call("DELETE", &format!("/db/doc/c?rev={}", gone.rev()), None)
        .await;
    again.fails(404, "not_found", "Document is missing attachment");
    assert_eq!(server.get("/db/doc/a/b%20c.txt").await.text(), "hello");
}

#[tokio::test]
async fn long_attachments_stream_both_ways() {
    let server = Server::with_db().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    put(&server, "/db/doc/long", "audio/wav", bytes.clone())
        .await
        .is(201, json!({}));
    let answer = server.get("/db/doc/long").await;
    assert_eq!(answer.header("content-length"), "3000000");
    assert!(answer.bytes == bytes);
    let part = server
        .get_with("/db/doc/long", "range", "bytes=1000000-1999999")
        .await;
    assert_eq!(
        (part.status, part.header("content-range")),
        (206, "bytes 1000000-1999999/3000000")
    );
    assert!(part.bytes == bytes[1_000_000..2_000_000]);
    server.put("/db/_design/x", Some(json!({}))).await;
    let rev = server.get("/db/_design/x").await.json()["_rev"]
        .as_str()
        .unwrap()
        .to_owned();
    put(
        &server,
        &format!("/db/_design/x/page/a.html?rev={rev}"),
        "text/html",
        b"hi".to_vec(),
    )
    .await
    .is(201, json!({}));
    assert_eq!(server.get("/db/_design/x/page/a.html").await.text(), "hi");
    server
        .get("/db/_design/x/_list/y")
        .await
        .is(501, json!({ "error": "not_implemented" }));
}

#[tokio::test]
async fn ranges() {
    let server = Server::with_db().await;
    put(&server, "/db/doc/ten", "text/plain", b"0123456789".to_vec())
        .await
        .is(201, json!({}));
    let get = |range: &'static str| server.get_with("/db/doc/ten", "range", range);
    for (range, status, text) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=7-", 206, "789"),
        ("bytes=-2", 206, "89"),
        ("bytes=8-100", 206, "89"),
        ("bytes=0-", 200, "0123456789"),
        ("odd", 200, "0123456789"),
    ] {
        let answer = get(range).await;
        assert_eq!((answer.status, answer.text()), (status, text), "{range}");
        assert_eq!(answer.header("content-length"), text.len().to_string(), "{range}");
    }
    let etag = get("bytes=0-").await.header("etag").to_owned();
    for (known, status, text) in [(etag.as_str(), 206, "234"), ("\"other\"", 200, "0123456789")] {
        let request = server.request("GET", "/db/doc/ten").header("range", "bytes=2-4");
        let answer = server.send(request.header("if-range", known)).await;
        assert_eq!((answer.status, answer.text()), (status, text), "{known}");
    }
    let outside = get("bytes=20-").await;
    outside.fails(
        416,
        "requested_range_not_satisfiable",
        "Requested range not satisfiable",
    );
    assert_eq!(outside.header("content-range"), "bytes */10");
    let several = get("bytes=0-1,8-9").await;
    assert_eq!(several.status, 206);
    let boundary = several
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=\"")
        .unwrap();
    let boundary = boundary.strip_suffix('"').unwrap();
    let part = |range: &str, text: &str| {
        format!(
            "\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{text}\r\n--{boundary}"
        )
    };
    assert_eq!(
        several.text(),
        format!("--{boundary}{}{}--", part("0-1", "01"), part("8-9", "89"))
    );
}

#[tokio::test]
async fn gzip_attachments_are_kept_as_they_came() {
    let server = Server::with_db().await;
    let text = "hello ".repeat(1000);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let stored = encoder.finish().unwrap();
    let request = server
        .request("PUT", "/db/doc/z")
        .header("content-encoding", "gzip")
        .header("content-type", "text/plain");
    server.send(request.body(stored.clone())).await.is(201, json!({}));

    let decoded = server.get("/db/doc/z").await;
    assert_eq!(decoded.text(), text);
    assert_eq!(decoded.header("content-length"), text.len().to_string());
    assert_eq!(decoded.header("accept-ranges"), "none");
    let encoded = server.get_with("/db/doc/z", "accept-encoding", "gzip").await;
    assert_eq!(encoded.header("content-encoding"), "gzip");
    assert!(encoded.bytes == stored);
    let info = server.get("/db/doc?att_encoding_info=true").await.json();
    assert_eq!(info["_attachments"]["z"]["encoding"], "gzip");
    assert_eq!(info["_attachments"]["z"]["encoded_length"], stored.len());
    assert_eq!(info["_attachments"]["z"]["length"], text.len());
    let request = server
        .request("PUT", "/db/other/z")
        .header("content-encoding", "br")
        .body("x");
    server
        .send(request)
        .await
        .is(415, json!({ "error": "bad_content_type" }));
}

#[tokio::test]
async fn announced_digests_are_checked() {
    let server = Server::with_db().await;
    let send = |md5: &str| {
        server.send(
            server
                .request("PUT", "/db/doc/a")
                .header("content-md5", md5)
                .body("hello"),
        )
    };
    send("AAAAAAAAAAAAAAAAAAAAAA==")
        .await
        .fails(400, "content_md5_mismatch", "Possible message corruption.");
    send("XUFAKrxLKna5cZ2REBfFkg==").await.is(201, json!({}));
}

#[tokio::test]
async fn attachments_over_the_limit() {
    let config = trunkline_http::Config {
        attachment_bytes_max: 1000,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await;
    put(&server, "/db/doc/big", "text/plain", vec![b'x'; 1001])
        .await
        .fails(413, "attachment_too_large", "big");
    put(&server, "/db/doc/ok", "text/plain", vec![b'x'; 1000])
        .await
        .is(201, json!({}));
}
