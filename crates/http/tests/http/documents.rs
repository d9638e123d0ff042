//! One document: every way to read and write it.

use crate::harness::{Server, encoded};
use serde_json::json;

#[tokio::test]
async fn a_document_lives_and_dies() {
    let server = Server::with_db().await;
    let made = server.put("/db/doc", Some(json!({ "hello": "world" }))).await;
    made.is(
        201,
        json!({ "ok": true, "id": "doc", "rev": "1-15f65339921e497348be384867bb940f" }),
    );
    assert!(made.header("location").ends_with("/db/doc"));
    assert_eq!(made.header("etag"), "\"1-15f65339921e497348be384867bb940f\"");
    let first = made.rev();
    assert_eq!(
        server.get("/db/doc").await.text(),
        format!("{{\"_id\":\"doc\",\"_rev\":\"{first}\",\"hello\":\"world\"}}\n")
    );

    server
        .put("/db/doc", Some(json!({ "a": 1 })))
        .await
        .fails(409, "conflict", "Document update conflict.");
    let second = server
        .put("/db/doc", Some(json!({ "_rev": first, "a": 2 })))
        .await
        .rev();
    assert!(second.starts_with("2-"));
    server.put("/db/doc", Some(json!({ "_rev": first }))).await.fails(
        409,
        "conflict",
        "Document update conflict.",
    );

    server
        .call("DELETE", "/db/doc", None)
        .await
        .fails(409, "conflict", "Document update conflict.");
    let third = server
        .call("DELETE", &format!("/db/doc?rev={second}"), None)
        .await;
    third.is(200, json!({ "ok": true, "id": "doc" }));
    server.get("/db/doc").await.fails(404, "not_found", "deleted");
    server
        .call("DELETE", "/db/doc", None)
        .await
        .fails(404, "not_found", "deleted");
    let tombstone = server.get(&format!("/db/doc?rev={}", third.rev())).await;
    tombstone.is(200, json!({ "_id": "doc", "_deleted": true }));

    let again = server.put("/db/doc", Some(json!({ "back": true }))).await;
    assert_eq!(again.status, 201);
    assert!(again.rev().starts_with("4-"));
}

#[tokio::test]
async fn what_is_not_there() {
    let server = Server::with_db().await;
    server.get("/db/none").await.fails(404, "not_found", "missing");
    server
        .call("DELETE", "/db/none", None)
        .await
        .fails(404, "not_found", "missing");
    server
        .call("DELETE", "/db/none?rev=1-aa", None)
        .await
        .fails(404, "not_found", "missing");
    assert_eq!(server.call("HEAD", "/db/none", None).await.status, 404);
    let rev = server.put("/db/doc", Some(json!({}))).await.rev();
    server
        .get("/db/doc?rev=1-00000000000000000000000000000000")
        .await
        .fails(404, "not_found", "missing");
    server
        .get("/db/doc?rev=nonsense")
        .await
        .fails(400, "bad_request", "Invalid rev format");
    server
        .put("/db/doc", Some(json!({ "_rev": rev })))
        .await
        .is(201, json!({}));
    server
        .get(&format!("/db/doc?rev={rev}"))
        .await
        .fails(404, "not_found", "missing");
}

#[tokio::test]
async fn revisions_by_query_and_header() {
    let server = Server::with_db().await;
    let first = server.put("/db/doc", Some(json!({}))).await.rev();
    let second = server
        .put(&format!("/db/doc?rev={first}"), Some(json!({ "n": 2 })))
        .await
        .rev();
    let with_header = |value: String| {
        server
            .request("PUT", "/db/doc")
            .header("if-match", value)
            .body("{\"n\":3}")
    };
    server
        .send(with_header(first.clone()))
        .await
        .fails(409, "conflict", "Document update conflict.");
    let third = server.send(with_header(format!("\"{second}\""))).await;
    third.is(201, json!({ "ok": true }));
    let both = server
        .put(&format!("/db/doc?rev={first}"), Some(json!({ "_rev": second })))
        .await;
    both.fails(
        400,
        "bad_request",
        "Document rev from request body and query string have different values",
    );
    let request = server
        .request("PUT", &format!("/db/doc?rev={first}"))
        .header("if-match", second)
        .body("{}");
    server
        .send(request)
        .await
        .fails(400, "bad_request", "Document rev and etag have different values");
    let request = server
        .request("DELETE", "/db/doc")
        .header("if-match", third.rev());
    server.send(request).await.is(200, json!({ "ok": true }));
}

#[tokio::test]
async fn etags_save_transfers() {
    let server = Server::with_db().await;
    let rev = server.put("/db/doc", Some(json!({ "a": 1 }))).await.rev();
    let etag = server.get("/db/doc").await.header("etag").to_owned();
    assert_eq!(etag, format!("\"{rev}\""));
    let same = server.get_with("/db/doc", "if-none-match", &etag).await;
    assert_eq!((same.status, same.bytes.len()), (304, 0));
    assert_eq!(same.header("etag"), etag);
    assert_eq!(
        server
            .get_with("/db/doc", "if-none-match", "\"1-x\"")
            .await
            .status,
        200
    );
    let head = server.call("HEAD", "/db/doc", None).await;
    assert_eq!(head.header("etag"), etag);
    assert_eq!(
        head.header("content-length"),
        server.get("/db/doc").await.bytes.len().to_string()
    );
    assert!(
        server
            .get("/db/doc?revs_info=true")
            .await
            .headers
            .get("etag")
            .is_none()
    );
    assert!(
        server
            .get("/db/doc?revs=true")
            .await
            .headers
            .get("etag")
            .is_some()
    );
}

#[tokio::test]
async fn ids_of_all_kinds() {
    let server = Server::with_db().await;
    for id in [
        "a/b",
        "a+b",
        "a b",
        "100%",
        "ü☎",
        "?",
        "#",
        "_design/x",
        "_design/a/b",
        "\"q\"",
    ] {
        let path = format!("/db/{}", encoded(id));
        server
            .put(&path, Some(json!({ "id": id })))
            .await
            .is(201, json!({ "id": id }));
        server.get(&path).await.is(200, json!({ "_id": id, "id": id }));
    }
    server.get("/db/a+b").await.is(200, json!({ "_id": "a+b" }));
    server
        .get("/db/_design/x")
        .await
        .is(200, json!({ "_id": "_design/x" }));
    server
        .put("/db/_other", Some(json!({})))
        .await
        .is(400, json!({ "error": "illegal_docid" }));
    let long = format!("/db/{}", "x".repeat(7900));
    assert_eq!(server.put(&long, Some(json!({}))).await.status, 201);
}

#[tokio::test]
async fn bodies_keep_their_spelling() {
    let server = Server::with_db().await;
    let body =
        r#"{"z":1.0,"a":9007199254740993,"e":1e308,"n":-0.0,"s":"\u00e9 ☎","nested":{"_x":[1,{"b":null}]}}"#;
    server
        .send(server.request("PUT", "/db/doc").body(body))
        .await
        .is(201, json!({}));
    let text = server.get("/db/doc").await.text().to_owned();
    assert!(
        text.contains(body.strip_prefix('{').unwrap().strip_suffix('}').unwrap()),
        "{text}"
    );
}

#[tokio::test]
async fn bodies_that_are_no_documents() {
    let server = Server::with_db().await;
    let put = |body: &'static str| server.send(server.request("PUT", "/db/doc").body(body));
    put("[1]")
        .await
        .fails(400, "bad_request", "Document must be a JSON object");
    put("{\"_bad\":1}")
        .await
        .fails(400, "doc_validation", "Bad special document member: _bad");
    put("").await.is(400, json!({ "error": "bad_request" }));
    assert_eq!(put("{\"_revs_info\":[],\"_conflicts\":[]}").await.status, 201);
}

#[tokio::test]
async fn posted_documents_get_ids() {
    let server = Server::with_db().await;
    let made = server.post("/db", json!({ "a": 1 })).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((made.status, id.len()), (201, 32));
    assert!(made.header("location").ends_with(&id));
    server
        .post("/db", json!({ "_id": "own" }))
        .await
        .is(201, json!({ "id": "own" }));
    server
        .post("/db", json!({ "_id": "own" }))
        .await
        .fails(409, "conflict", "Document update conflict.");
    let batch = server.post("/db?batch=ok", json!({ "_id": "batched" })).await;
    batch.is(202, json!({ "ok": true, "id": "batched", "rev": null }));
    server.get("/db/batched").await.is(200, json!({}));
    server
        .put("/db/b2?batch=ok", Some(json!({})))
        .await
        .is(202, json!({ "id": "b2" }));
}

/// Writes two conflicting revisions, a deleted one, and answers them: winner, loser, deleted.
async fn conflicting(server: &Server) -> [&'static str; 3] {
    let revs = ["2-cc", "2-bb", "2-dd"];
    for (rev, deleted) in revs.iter().zip([false, false, true]) {
        let digest = rev.strip_prefix("2-").unwrap();
        let body =
            json!({ "_revisions": { "start": 2, "ids": [digest, "aa"] }, "_deleted": deleted, "rev": rev });
        let answer = server.put("/db/doc?new_edits=false", Some(body)).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        assert_eq!(answer.rev(), *rev);
    }
    revs
}

#[tokio::test]
async fn conflicts_are_shown() {
    let server = Server::with_db().await;
    let [winner, loser, deleted] = conflicting(&server).await;
    let shown = server
        .get("/db/doc?conflicts=true&deleted_conflicts=true&revs=true&local_seq=true")
        .await;
    shown.is(
        200,
        json!({
            "_rev": winner,
            "_conflicts": [loser],
            "_deleted_conflicts": [deleted],
            "_revisions": { "start": 2, "ids": ["cc", "aa"] },
        }),
    );
    assert!(shown.headers.get("etag").is_none());
    let meta = server.get("/db/doc?meta=true").await.json();
    assert_eq!(
        meta["_revs_info"][0],
        json!({ "rev": winner, "status": "available" })
    );
    assert_eq!(
        meta["_revs_info"][1],
        json!({ "rev": "1-aa", "status": "missing" })
    );
    assert_eq!(meta["_conflicts"], json!([loser]));
    server
        .get(&format!("/db/doc?rev={loser}"))
        .await
        .is(200, json!({ "_rev": loser, "rev": loser }));
    // A write of the same revision again is no error.
    let again = json!({ "_revisions": { "start": 2, "ids": ["cc", "aa"] } });
    server
        .put("/db/doc?new_edits=false", Some(again))
        .await
        .is(201, json!({ "rev": winner }));
    let neither = server.put("/db/doc?new_edits=false", Some(json!({}))).await;
    let reason = "When `new_edits: false`, the document needs `_rev` or `_revisions` specified";
    neither.fails(400, "bad_request", reason);
}

#[tokio::test]
async fn open_revisions() {
    let server = Server::with_db().await;
    let [winner, loser, deleted] = conflicting(&server).await;
    let all = server.get("/db/doc?open_revs=all").await.json();
    let revs: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["ok"]["_rev"].clone())
        .collect();
    assert_eq!(revs, [winner, loser, deleted]);
    let some = server
        .get(&format!("/db/doc?open_revs=[\"{loser}\",\"9-zz\"]&revs=true"))
        .await
        .json();
    assert_eq!(some[0]["ok"]["_revisions"]["ids"], json!(["bb", "aa"]));
    assert_eq!(some[1], json!({ "missing": "9-zz" }));
    let mixed = server
        .get(&format!(
            "/db/doc?open_revs=[\"9-zz\",\"{loser}\",\"8-yy\",\"{winner}\",\"7-xx\"]"
        ))
        .await
        .json();
    let answers = |row: &serde_json::Value| {
        row["missing"]
            .as_str()
            .or(row["ok"]["_rev"].as_str())
            .map(str::to_owned)
    };
    let order: Vec<String> = mixed.as_array().unwrap().iter().filter_map(answers).collect();
    assert_eq!(order, ["9-zz", loser, "8-yy", winner, "7-xx"]);
    let latest = server
        .get("/db/doc?open_revs=[\"1-aa\"]&latest=true")
        .await
        .json();
    assert_eq!(latest.as_array().unwrap().len(), 3);
    server
        .get("/db/none?open_revs=all")
        .await
        .fails(404, "not_found", "missing");
    let missing = server.get("/db/none?open_revs=[\"1-aa\"]").await.json();
    assert_eq!(missing, json!([{ "missing": "1-aa" }]));
    assert_eq!(server.get("/db/doc?open_revs=nope").await.status, 400);
}

#[tokio::test]
async fn documents_are_copied() {
    let server = Server::with_db().await;
    let att = json!({ "a.txt": { "content_type": "text/plain", "data": "aGVsbG8=" } });
    server
        .put("/db/from", Some(json!({ "a": 1, "_attachments": att })))
        .await
        .is(201, json!({}));
    let copy = |to: &str| server.send(server.request("COPY", "/db/from").header("destination", to));
    let made = copy("to%2Fx").await;
    made.is(201, json!({ "ok": true, "id": "to/x" }));
    assert!(made.headers.get("allow").is_none());
    server
        .get("/db/to%2Fx")
        .await
        .is(200, json!({ "_id": "to/x", "a": 1 }));
    assert_eq!(server.get("/db/to%2Fx/a.txt").await.text(), "hello");
    copy("to%2Fx")
        .await
        .fails(409, "conflict", "Document update conflict.");
    copy(&format!("to%2Fx?rev={}", made.rev()))
        .await
        .is(201, json!({ "ok": true }));
    copy("http://x/y")
        .await
        .fails(400, "bad_request", "Destination URL must be relative.");
    let without = server.call("COPY", "/db/from", None).await;
    without.fails(400, "bad_request", "Destination header is mandatory for COPY.");
}

#[tokio::test]
async fn too_large() {
    let config = trunkline_http::Config {
        document_bytes_max: 1000,
        request_buffer_bytes_max: 10_000,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await;
    let document = json!({ "text": "x".repeat(2000) });
    server
        .put("/db/doc", Some(document.clone()))
        .await
        .fails(413, "document_too_large", "doc");
    let request = json!({ "text": "x".repeat(20_000) });
    server
        .put("/db/doc", Some(request))
        .await
        .fails(413, "too_large", "the request entity is too large");
    server
        .post("/db/_bulk_docs", json!({ "docs": [document] }))
        .await
        .is(413, json!({ "error": "document_too_large" }));
}
