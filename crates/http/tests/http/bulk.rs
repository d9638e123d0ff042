//! Many documents at once: `_bulk_docs`, `_bulk_get`, `_revs_diff`.

use crate::harness::Server;
use serde_json::json;

#[tokio::test]
async fn interactive_edits_each_have_their_outcome() {
    let server = Server::with_db().await;
    let first = server.put("/db/a", Some(json!({}))).await.rev();
    let docs = json!([{ "_id": "a" }, { "_id": "a", "_rev": first, "n": 2 }, { "_id": "b" }, { "no": "id" }]);
    let answer = server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    assert_eq!(answer.status, 201);
    let rows = answer.json();
    assert_eq!(
        rows[0],
        json!({ "id": "a", "error": "conflict", "reason": "Document update conflict." })
    );
    assert_eq!(rows[1]["ok"], true);
    assert_eq!(rows[2]["id"], "b");
    assert_eq!(rows[3]["id"].as_str().unwrap().len(), 32);
    assert_eq!(
        server.post("/db/_bulk_docs", json!({ "docs": [] })).await.text(),
        "[]\n"
    );
}

#[tokio::test]
async fn replicated_edits_answer_refusals_only() {
    let server = Server::with_db().await;
    let docs = json!([
        { "_id": "a", "_rev": "1-aa", "n": 1 },
        { "_id": "a", "_revisions": { "start": 2, "ids": ["bb", "aa"] }, "n": 2 },
        { "_id": "a", "_rev": "3-stub", "_attachments": { "x": { "stub": true, "revpos": 1 } } },
    ]);
    let answer = server
        .post("/db/_bulk_docs", json!({ "docs": docs, "new_edits": false }))
        .await;
    assert_eq!(answer.status, 201);
    let rows = answer.json();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows[0]["rev"], "3-stub");
    assert_eq!(rows[0]["error"], "missing_stub");
    server
        .get("/db/a")
        .await
        .is(200, json!({ "_rev": "2-bb", "n": 2 }));
    let again = server.post(
        "/db/_bulk_docs",
        json!({ "docs": [{ "_id": "a", "_rev": "1-aa" }], "new_edits": false }),
    );
    assert_eq!(again.await.text(), "[]\n");
}

#[tokio::test]
async fn requests_that_fail_as_a_whole() {
    let server = Server::with_db().await;
    let post = |body| server.post("/db/_bulk_docs", body);
    post(json!({}))
        .await
        .fails(400, "bad_request", "POST body must include `docs` parameter.");
    post(json!({ "docs": 1 }))
        .await
        .fails(400, "bad_request", "`docs` parameter must be an array.");
    post(json!([]))
        .await
        .fails(400, "bad_request", "Request body must be a JSON object");
    post(json!({ "docs": [], "new_edits": 1 })).await.fails(
        400,
        "bad_request",
        "`new_edits` parameter must be a boolean.",
    );
    post(json!({ "docs": [{ "_id": "ok" }, { "_id": "_bad" }] }))
        .await
        .is(400, json!({ "error": "illegal_docid" }));
    post(json!({ "docs": [{ "_id": "ok" }, 7] }))
        .await
        .is(400, json!({ "error": "bad_request" }));
    post(json!({ "docs": [{ "_id": "x" }], "new_edits": false }))
        .await
        .is(400, json!({ "error": "bad_request" }));
    assert_eq!(server.get("/db").await.json()["doc_count"], 0);
}

#[tokio::test]
async fn all_or_nothing() {
    let server = Server::with_db().await;
    server.put("/db/a", Some(json!({}))).await;
    let docs = json!([{ "_id": "b" }, { "_id": "a" }]);
    let refused = server
        .post("/db/_bulk_docs", json!({ "docs": docs, "all_or_nothing": true }))
        .await;
    assert_eq!(refused.status, 417);
    assert_eq!(refused.json()[1]["error"], "conflict");
    server.get("/db/b").await.fails(404, "not_found", "missing");
    let docs = json!([{ "_id": "b" }, { "_id": "c" }]);
    let taken = server
        .post("/db/_bulk_docs", json!({ "docs": docs, "all_or_nothing": true }))
        .await;
    assert_eq!(taken.status, 201);
    server.get("/db/c").await.is(200, json!({}));
}

#[tokio::test]
async fn bulk_get_answers_in_order() {
    let server = Server::with_db().await;
    for (id, rev) in [("a", "1-aa"), ("a", "1-bb"), ("b", "1-aa")] {
        let doc = json!({ "_id": id, "_rev": rev, "at": rev });
        server
            .put(&format!("/db/{id}?new_edits=false"), Some(doc))
            .await
            .is(201, json!({}));
    }
    let asked = json!([
        { "id": "b", "rev": "1-aa" },
        { "id": "none" },
        { "id": "a" },
        { "id": "a", "rev": "7-xx" },
        { "id": "none", "rev": "1-aa" },
    ]);
    let answer = server
        .post("/db/_bulk_get?revs=true", json!({ "docs": asked }))
        .await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer.as_object().unwrap().len(), 1);
    let rows = answer["results"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!(
        rows[0]["docs"][0]["ok"]["_revisions"],
        json!({ "start": 1, "ids": ["aa"] })
    );
    let error =
        |id: &str, rev: &str| json!({ "id": id, "rev": rev, "error": "not_found", "reason": "missing" });
    assert_eq!(rows[1]["docs"], json!([{ "error": error("none", "undefined") }]));
    assert_eq!(rows[2]["docs"].as_array().unwrap().len(), 2);
    assert_eq!(rows[3]["docs"], json!([{ "error": error("a", "7-xx") }]));
    assert_eq!(rows[4]["docs"], json!([{ "error": error("none", "1-aa") }]));
    server
        .post("/db/_bulk_get", json!({}))
        .await
        .fails(400, "bad_request", "Missing JSON list of 'docs'.");
    assert_eq!(
        server
            .post("/db/_bulk_get?open_revs=all", json!({ "docs": [] }))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_long_bulk_get_is_streamed() {
    let server = Server::with_db().await;
    let docs: Vec<_> = (0..1500)
        .map(|n| json!({ "_id": format!("d{n:05}"), "text": "x".repeat(500) }))
        .collect();
    assert_eq!(
        server
            .post("/db/_bulk_docs", json!({ "docs": docs }))
            .await
            .status,
        201
    );
    let asked: Vec<_> = (0..1500)
        .rev()
        .map(|n| json!({ "id": format!("d{n:05}") }))
        .collect();
    let answer = server.post("/db/_bulk_get", json!({ "docs": asked })).await;
    assert!(answer.headers.get("content-length").is_none());
    let answer = answer.json();
    let rows = answer["results"].as_array().unwrap();
    assert_eq!(rows.len(), 1500);
    for (row, n) in rows.iter().zip((0..1500).rev()) {
        assert_eq!(row["docs"][0]["ok"]["_id"], format!("d{n:05}"));
    }
}

#[tokio::test]
async fn missing_revisions() {
    let server = Server::with_db().await;
    let doc = json!({ "_revisions": { "start": 2, "ids": ["bb", "aa"] } });
    server
        .put("/db/a?new_edits=false", Some(doc))
        .await
        .is(201, json!({}));
    let asked = json!({ "a": ["2-bb", "1-aa", "3-cc"], "none": ["1-xx"], "_odd": ["1-yy"] });
    let diff = server.post("/db/_revs_diff", asked.clone()).await.json();
    assert_eq!(
        diff["a"],
        json!({ "missing": ["3-cc"], "possible_ancestors": ["2-bb"] })
    );
    assert_eq!(diff["none"], json!({ "missing": ["1-xx"] }));
    assert_eq!(diff["_odd"], json!({ "missing": ["1-yy"] }));
    let missing = server.post("/db/_missing_revs", asked).await.json();
    assert_eq!(missing["missing_revs"]["a"], json!(["3-cc"]));
    assert_eq!(
        server
            .post("/db/_revs_diff", json!({ "a": ["2-bb"] }))
            .await
            .text()
            .trim(),
        "{}"
    );
}
