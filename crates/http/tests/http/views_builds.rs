//! What a server does while an index is built, and which design documents it takes.

use crate::harness::Server;
use serde_json::{Value, json};
use std::time::Duration;

const DOCS: usize = 400;

/// With a view whose index takes some seconds.
async fn slow() -> Server {
    let server = Server::with_db().await;
    let docs: Vec<Value> = (0..DOCS).map(|n| json!({ "n": n })).collect();
    let docs = json!({ "docs": docs });
    server.post("/db/_bulk_docs", docs).await.is(201, json!({}));
    let busy =
        "function (doc) { var x = 0; for (var i = 0; i < 200000; i++) x += i % 7; emit(doc.n, x > 0); }";
    let slow = json!({ "autoupdate": false, "views": { "v": { "map": busy } } });
    server
        .put("/db/_design/slow", Some(slow))
        .await
        .is(201, json!({}));
    let quick = json!({ "views": { "v": { "map": "function (doc) { emit(doc.n); }" } } });
    server
        .put("/db/_design/quick", Some(quick))
        .await
        .is(201, json!({}));
    server
}

async fn rows(server: &Server, path: &str) -> usize {
    let answer = server.get(&format!("/db/_design/{path}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["rows"].as_array().unwrap().len()
}

#[tokio::test]
async fn nothing_else_waits_for_a_build() {
    let server = slow().await;
    let waiting = futures_util::future::join_all((0..100).map(|_| rows(&server, "slow/_view/v?limit=3")));
    let meanwhile = async {
        let task = loop {
            let tasks = server.get("/_active_tasks").await.json();
            let tasks = tasks.as_array().unwrap();
            match tasks
                .iter()
                .find(|task| task["design_document"] == "_design/slow")
            {
                Some(task) => break task.clone(),
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        assert_eq!(task["type"], "indexer");
        assert_eq!(task["database"], "db");
        assert_eq!(task["total_changes"], DOCS + 2);
        assert!(task["changes_done"].as_u64() <= Some(DOCS as u64 + 2));
        assert!(task["progress"].as_u64() <= Some(100));
        assert_eq!(rows(&server, "slow/_view/v?update=false").await, 0);
        assert_eq!(rows(&server, "quick/_view/v").await, DOCS);
        server
            .put("/db/new", Some(json!({ "n": 0 })))
            .await
            .is(201, json!({}));
        let info = server.get("/db/_design/slow/_info").await.json();
        let index = &info["view_index"];
        assert_eq!(
            index["updater_running"], true,
            "the build was over before anything else was done"
        );
        assert!(index["waiting_clients"].as_u64() > Some(50));
    };
    let (found, ()) = tokio::join!(waiting, meanwhile);
    assert!(found.into_iter().all(|found| found == 3));
    assert_eq!(server.get("/_active_tasks").await.json(), json!([]));
}

#[tokio::test]
async fn design_documents_that_cannot_be_run() {
    let server = Server::with_db().await;
    let with = |map: &str, reduce: &str| json!({ "views": { "v": { "map": map, "reduce": reduce } } });
    let emits = "function (doc) { emit(doc._id); }";
    for (doc, error, begins) in [
        (
            with("function (doc) { emit(; }", "_sum"),
            "compilation_error",
            "Compilation of the map function in the 'v' view failed: ",
        ),
        (
            with(emits, "function (keys {}"),
            "compilation_error",
            "Compilation of the reduce function in the 'v' view failed: ",
        ),
        (
            with(emits, "_mean"),
            "invalid_design_doc",
            "`_mean` is not a supported reduce function.",
        ),
        (json!({ "views": [] }), "invalid_design_doc", "`views` "),
    ] {
        let mut posted = doc.clone();
        posted["_id"] = json!("_design/x");
        for answer in [
            server.put("/db/_design/x", Some(doc.clone())).await,
            server.post("/db", posted.clone()).await,
            server.post("/db/_bulk_docs", json!({ "docs": [posted] })).await,
        ] {
            answer.is(400, json!({ "error": error }));
            let answer = answer.json();
            assert!(answer["reason"].as_str().unwrap().starts_with(begins), "{answer}");
        }
    }
    server
        .get("/db/_design/x")
        .await
        .fails(404, "not_found", "missing");
    // What a replication brings is kept; it is asked that fails.
    let mut broken = with("function (doc) { emit(; }", "_sum");
    broken["_id"] = json!("_design/x");
    broken["_rev"] = json!("1-a");
    let brought = json!({ "docs": [broken], "new_edits": false });
    server.post("/db/_bulk_docs", brought).await.is(201, json!({}));
    server
        .get("/db/_design/x/_view/v")
        .await
        .is(400, json!({ "error": "compilation_error" }));
    let erlang = json!({ "language": "erlang", "views": { "v": { "map": "fun(Doc) -> ok end." } } });
    server.put("/db/_design/y", Some(erlang)).await.is(201, json!({}));
    server
        .get("/db/_design/y/_view/v")
        .await
        .is(400, json!({ "error": "unknown_query_language" }));
}
