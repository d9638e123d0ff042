//! Documents with the bytes of their attachments, in and out, as CouchDB's replicator sends and reads them.

use crate::harness::{Answer, Server};
use serde_json::{Value, json};

pub(crate) fn related(doc: &Value, parts: &[&[u8]]) -> Vec<u8> {
    let mut body = format!("--B\r\nContent-Type: application/json\r\n\r\n{doc}\r\n--B").into_bytes();
    for part in parts {
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n--B");
    }
    body.extend_from_slice(b"--");
    body
}

pub(crate) async fn put(server: &Server, path: &str, doc: &Value, parts: &[&[u8]]) -> Answer {
    let request = server
        .request("PUT", path)
        .header("content-type", "multipart/related; boundary=\"B\"");
    server.send(request.body(related(doc, parts))).await
}

fn two() -> Value {
    json!({
        "a": 1,
        "_attachments": {
            "one": { "follows": true, "content_type": "text/plain", "length": 5 },
            "two": { "follows": true, "content_type": "audio/wav", "length": 7 },
        },
    })
}

#[tokio::test]
async fn a_document_with_its_attachments() {
    let server = Server::with_db().await;
    put(&server, "/db/doc", &two(), &[b"hello", b"x--B\r\ny"])
        .await
        .is(201, json!({ "ok": true, "id": "doc" }));
    assert_eq!(server.get("/db/doc/one").await.text(), "hello");
    assert_eq!(server.get("/db/doc/two").await.text(), "x--B\r\ny");
    server.get("/db/doc").await.is(200, json!({ "a": 1 }));

    let out = server
        .get_with("/db/doc?attachments=true", "accept", "multipart/related")
        .await;
    assert!(
        out.header("content-type")
            .starts_with("multipart/related; boundary=\"")
    );
    assert_eq!(out.header("content-length"), out.bytes.len().to_string());
    let text = out.text();
    for needle in [
        "Content-Type: application/json\r\n\r\n{\"_id\":\"doc\"",
        "\"follows\":true",
        "Content-Disposition: attachment; filename=\"one\"\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\n--",
        "Content-Length: 7\r\n\r\nx--B\r\ny\r\n--",
    ] {
        assert!(text.contains(needle), "{needle:?} in {text}");
    }
    assert!(text.ends_with("--"));
}

#[tokio::test]
async fn what_comes_out_goes_in_again() {
    let server = Server::with_db().await;
    put(&server, "/db/doc", &two(), &[b"hello", b"1234567"])
        .await
        .is(201, json!({}));
    let out = server
        .get_with(
            "/db/doc?attachments=true&revs=true",
            "accept",
            "multipart/related",
        )
        .await;
    let request = server.request("PUT", "/db/copy?new_edits=false");
    let request = request
        .header("content-type", out.header("content-type"))
        .body(out.bytes.clone());
    server.send(request).await.is(201, json!({ "id": "copy" }));
    assert_eq!(server.get("/db/copy/two").await.text(), "1234567");
    assert_eq!(
        server.get("/db/copy").await.json()["_rev"],
        server.get("/db/doc").await.json()["_rev"]
    );
}

#[tokio::test]
async fn parts_that_are_not_as_announced() {
    let server = Server::with_db().await;
    for parts in [
        &[b"hello".as_slice()][..],
        &[b"hell", b"1234567"],
        &[b"hello", b"1234567", b"more"],
    ] {
        let answer = put(&server, "/db/doc", &two(), parts).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let mut doc = two();
    doc["_attachments"]["one"]["digest"] = json!("md5-AAAAAAAAAAAAAAAAAAAAAA==");
    put(&server, "/db/doc", &doc, &[b"hello", b"1234567"])
        .await
        .is(400, json!({ "error": "content_md5_mismatch" }));
    server.get("/db/doc").await.fails(404, "not_found", "missing");
}

#[tokio::test]
async fn open_revisions_as_multipart() {
    let server = Server::with_db().await;
    let rev = put(&server, "/db/doc", &two(), &[b"hello", b"1234567"])
        .await
        .rev();
    let path = format!("/db/doc?open_revs=[\"9-zz\",\"{rev}\"]&revs=true&latest=true");
    let out = server.get_with(&path, "accept", "multipart/mixed").await;
    assert!(
        out.header("content-type")
            .starts_with("multipart/mixed; boundary=\"")
    );
    let text = out.text();
    assert!(
        text.contains("Content-Type: multipart/related; boundary=\""),
        "{text}"
    );
    assert!(
        text.contains("Content-Type: application/json; error=\"true\"\r\n\r\n{\"missing\":\"9-zz\"}\r\n--"),
        "{text}"
    );
    assert!(text.find("missing") < text.find("multipart/related"), "{text}");
    // What the asker has already comes as a stub.
    let since = format!("{path}&atts_since=[\"{rev}\"]");
    let out = server.get_with(&since, "accept", "multipart/mixed").await;
    assert!(
        out.text().contains("\"stub\":true") && !out.text().contains("hello"),
        "{}",
        out.text()
    );
}

#[tokio::test]
async fn attachments_newer_than_an_ancestor() {
    let server = Server::with_db().await;
    let first = put(&server, "/db/doc", &two(), &[b"hello", b"1234567"])
        .await
        .rev();
    let request = server
        .request("PUT", &format!("/db/doc/three?rev={first}"))
        .body("new");
    server.send(request).await.is(201, json!({}));
    let newer = server
        .get(&format!("/db/doc?atts_since=[\"{first}\"]"))
        .await
        .json();
    assert_eq!(newer["_attachments"]["three"]["data"], "bmV3");
    assert_eq!(newer["_attachments"]["one"]["stub"], true);
    let asked = json!({ "docs": [{ "id": "doc", "atts_since": [first] }] });
    let bulk = server.post("/db/_bulk_get?attachments=false", asked).await.json();
    let atts = &bulk["results"][0]["docs"][0]["ok"]["_attachments"];
    assert_eq!(
        (&atts["three"]["data"], &atts["two"]["stub"]),
        (&json!("bmV3"), &json!(true))
    );
}

#[tokio::test]
async fn bulk_get_as_multipart() {
    let server = Server::with_db().await;
    let rev = put(&server, "/db/doc", &two(), &[b"hello", b"1234567"])
        .await
        .rev();
    server.put("/db/plain", Some(json!({ "p": 1 }))).await;
    let asked = json!({ "docs": [{ "id": "plain" }, { "id": "doc" }, { "id": "none", "rev": "1-aa" }] });
    let request = server
        .client
        .post(format!("{}/db/_bulk_get", server.url))
        .header("accept", "multipart/mixed");
    let out = server
        .send(
            request
                .header("content-type", "application/json")
                .body(asked.to_string()),
        )
        .await;
    assert!(
        out.header("content-type")
            .starts_with("multipart/mixed; boundary=\"")
    );
    let text = out.text();
    for needle in [
        "\"p\":1",
        &format!("X-Rev-Id: {rev}"),
        "X-Doc-Id: doc",
        "hello",
        "error=\"true\"",
    ] {
        assert!(text.contains(needle), "{needle} in {text}");
    }
}

#[tokio::test]
async fn what_stands_behind_the_last_part_is_bounded() {
    let server = Server::with_db().await;
    let put = async |path: &str, behind: usize| {
        let mut body = related(&two(), &[b"hello", b"x--B\r\ny"]);
        body.extend(vec![b' '; behind]);
        let request = server.request("PUT", path);
        let request = request.header("content-type", "multipart/related; boundary=\"B\"");
        server.send(request.body(body)).await.status
    };
    assert_eq!(put("/db/short", 1000).await, 201);
    assert_eq!(put("/db/long", 8 << 20).await, 413);
    assert_eq!(server.get("/db/long").await.status, 404);
}
