//! `_index`.

use crate::harness::Server;
use serde_json::json;

#[tokio::test]
async fn an_index_is_made_once_listed_and_deleted() {
    let server = Server::with_db().await;
    let asked =
        json!({ "index": { "fields": ["a", { "b": "asc" }] }, "ddoc": "x", "name": "n", "type": "json" });
    let made = server.post("/db/_index", asked.clone()).await;
    made.is(
        200,
        json!({ "result": "created", "id": "_design/x", "name": "n" }),
    );
    let again = server.post("/db/_index", asked).await;
    again.is(200, json!({ "result": "exists", "id": "_design/x", "name": "n" }));
    let document = server.get("/db/_design/x").await.json();
    assert_eq!(document["language"], "query");
    assert_eq!(
        document["views"]["n"],
        json!({
            "map": { "fields": { "a": "asc", "b": "asc" }, "partial_filter_selector": {} },
            "reduce": "_count",
            "options": { "def": { "fields": ["a", { "b": "asc" }] } },
        })
    );
    let special = json!({
        "ddoc": null, "name": "_all_docs", "type": "special", "def": { "fields": [{ "_id": "asc" }] },
    });
    let listed = json!({
        "ddoc": "_design/x", "name": "n", "type": "json", "partitioned": false,
        "def": { "fields": [{ "a": "asc" }, { "b": "asc" }] },
    });
    let list = server.get("/db/_index").await;
    list.is(200, json!({ "total_rows": 2, "indexes": [special, listed] }));
    let page = server.get("/db/_index?limit=1&skip=1").await;
    page.is(200, json!({ "total_rows": 2, "indexes": [listed] }));
    let missing = server.call("DELETE", "/db/_index/x/json/other", None).await;
    missing.fails(404, "not_found", "missing");
    let deleted = server.call("DELETE", "/db/_index/_design/x/json/n", None).await;
    deleted.is(200, json!({ "ok": true }));
    server.get("/db/_index").await.is(200, json!({ "total_rows": 1 }));
    server
        .get("/db/_design/x")
        .await
        .fails(404, "not_found", "deleted");
}

#[tokio::test]
async fn names_come_from_definitions() {
    let server = Server::with_db().await;
    let make = async |fields: serde_json::Value| {
        let made = server
            .post("/db/_index", json!({ "index": { "fields": fields } }))
            .await;
        let made = made.json();
        (made["result"].clone(), made["id"].as_str().unwrap().to_owned())
    };
    let (result, first) = make(json!(["a"])).await;
    assert_eq!(result, "created");
    assert_eq!(make(json!([{ "a": "asc" }])).await.1, first);
    let (_, second) = make(json!(["b"])).await;
    assert_ne!(first, second);
    let asked = json!({ "docids": [first, "_design/none"] });
    let answer = server.post("/db/_index/_bulk_delete", asked).await;
    answer.is(
        200,
        json!({
            "success": [{ "id": first, "ok": true }],
            "fail": [{ "id": "_design/none", "error": "not_found" }],
        }),
    );
}

#[tokio::test]
async fn what_is_no_index_is_refused() {
    let server = Server::with_db().await;
    let text = server
        .post("/db/_index", json!({ "index": {}, "type": "text" }))
        .await;
    text.fails(
        400,
        "invalid_index",
        "Indexes of type text are not supported; use type json.",
    );
    let kind = server
        .post("/db/_index", json!({ "index": {}, "type": "geo" }))
        .await;
    kind.fails(400, "invalid_index", "Invalid type for index: geo");
    server
        .put(
            "/db/_design/js",
            Some(json!({ "views": {}, "language": "javascript" })),
        )
        .await;
    let other = json!({ "index": { "fields": ["a"] }, "ddoc": "js" });
    server.post("/db/_index", other).await.fails(
        400,
        "invalid_ddoc_lang",
        "Existing design doc has an invalid language: \"javascript\"",
    );
}
