//! `_find`, `_explain` and `_index` of partitioned databases.

use crate::harness::Server;
use crate::partitions::partitioned;
use serde_json::{Value, json};

async fn ids(server: &Server, path: &str, request: Value) -> Vec<String> {
    let answer = server.post(path, request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let docs = answer.json()["docs"].as_array().unwrap().clone();
    docs.iter()
        .map(|doc| doc["_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn index_of(server: &Server, path: &str, request: Value) -> String {
    let answer = server.post(path, request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["index"]["name"].as_str().unwrap().to_owned()
}

async fn indexed(server: &Server, name: &str, partitioned: Option<bool>) {
    let mut request = json!({ "index": { "fields": ["n"] }, "name": name, "ddoc": name });
    if let Some(partitioned) = partitioned {
        request["partitioned"] = partitioned.into();
    }
    let made = server.post("/db/_index", request).await;
    made.is(200, json!({ "result": "created" }));
}

#[tokio::test]
async fn documents_of_a_partition_with_an_index_and_without() {
    let server = partitioned().await;
    let request = json!({ "selector": { "n": { "$gte": 1, "$lt": 4 } } });
    let expected = ["foo:006", "foo:009", "foo:012", "foo:015", "foo:018", "foo:021"];
    for index in ["_all_docs", "n"] {
        assert_eq!(
            index_of(&server, "/db/_partition/foo/_explain", request.clone()).await,
            index
        );
        assert_eq!(
            ids(&server, "/db/_partition/foo/_find", request.clone()).await,
            expected
        );
        let mut named = request.clone();
        named["partition"] = "foo".into();
        assert_eq!(ids(&server, "/db/_find", named).await, expected);
        let mut all = request.clone();
        all["limit"] = 100.into();
        assert_eq!(ids(&server, "/db/_find", all).await.len(), 18);
        let by_id = json!({ "selector": { "_id": { "$gt": "foo:020" } } });
        let behind = ids(&server, "/db/_partition/foo/_find", by_id).await;
        assert_eq!(behind, ["foo:021", "foo:024", "foo:027"]);
        if index == "_all_docs" {
            indexed(&server, "n", None).await;
        }
    }
    let other = json!({ "selector": { "_id": { "$lt": "bar:9" } } });
    assert!(ids(&server, "/db/_partition/foo/_find", other).await.is_empty());
}

#[tokio::test]
async fn pages_of_a_partition() {
    let server = partitioned().await;
    for index in [false, true] {
        if index {
            indexed(&server, "n", Some(true)).await;
        }
        let mut request = json!({ "selector": { "n": { "$gte": 1 } }, "limit": 3 });
        let mut seen = Vec::new();
        loop {
            let page = server
                .post("/db/_partition/bar/_find", request.clone())
                .await
                .json();
            let docs = page["docs"].as_array().unwrap();
            if docs.is_empty() {
                break;
            }
            seen.extend(docs.iter().map(|doc| doc["_id"].as_str().unwrap().to_owned()));
            request["bookmark"] = page["bookmark"].clone();
        }
        let expected: Vec<String> = (8..30).step_by(3).map(|n| format!("bar:{n:03}")).collect();
        assert_eq!(seen, expected);
        if index {
            // The last bookmark that was of a row.
            let first = server
                .post("/db/_partition/bar/_find", json!({ "selector": { "n": 2 } }))
                .await;
            let elsewhere = json!({ "selector": { "n": 2 }, "bookmark": first.json()["bookmark"] });
            server
                .post("/db/_partition/foo/_find", elsewhere)
                .await
                .is(400, json!({ "error": "invalid_bookmark" }));
        }
    }
}

#[tokio::test]
async fn indexes_are_for_partitions_or_for_all() {
    let server = partitioned().await;
    let request = json!({ "selector": { "n": 2 } });
    indexed(&server, "local", None).await;
    assert_eq!(
        index_of(&server, "/db/_explain", request.clone()).await,
        "_all_docs"
    );
    assert_eq!(
        index_of(&server, "/db/_partition/foo/_explain", request.clone()).await,
        "local"
    );
    let sorted = json!({ "selector": { "n": { "$gt": 0 } }, "sort": ["n"] });
    server.post("/db/_find", sorted.clone()).await.fails(
        400,
        "no_usable_index",
        "No global index exists for this sort, try indexing by the sort fields.",
    );
    indexed(&server, "global", Some(false)).await;
    assert_eq!(index_of(&server, "/db/_explain", request.clone()).await, "global");
    let by_kind = json!({ "selector": { "kind": "a" }, "sort": ["kind"] });
    server.post("/db/_partition/foo/_find", by_kind).await.fails(
        400,
        "no_usable_index",
        "No partitioned index exists for this sort, try indexing by the sort fields.",
    );
    let explained = server.post("/db/_partition/foo/_explain", sorted).await;
    explained.is(200, json!({ "partitioned": true }));
    let explained = explained.json();
    assert_eq!(explained["index"]["partitioned"], true);
    assert_eq!(
        (&explained["mrargs"]["partition"], &explained["opts"]["partition"]),
        (&json!("foo"), &json!("foo"))
    );
    let listed = server.get("/db/_index").await.json();
    let shown: Vec<(&Value, &Value)> = listed["indexes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|index| (&index["name"], &index["partitioned"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("_all_docs"), &Value::Null),
            (&json!("global"), &json!(false)),
            (&json!("local"), &json!(true))
        ]
    );
    let mixed = json!({ "index": { "fields": ["kind"] }, "ddoc": "global", "name": "k" });
    server.post("/db/_index", mixed).await.fails(
        400,
        "invalid_partitioned_option",
        "Requested partitioned option does not match existing value on design document _design/global",
    );
}

#[tokio::test]
async fn what_has_no_partitions() {
    let server = Server::with_db().await;
    let request = json!({ "selector": {}, "partition": "foo" });
    server.post("/db/_find", request).await.fails(
        400,
        "bad_request",
        "partition specified on non-partitioned db",
    );
    let index = json!({ "index": { "fields": ["n"] }, "partitioned": true });
    server.post("/db/_index", index).await.fails(
        400,
        "invalid_design_doc",
        "partitioned option cannot be true in a non-partitioned database.",
    );
    let index = json!({ "index": { "fields": ["n"] }, "partitioned": false });
    server.post("/db/_index", index).await.is(200, json!({}));
}
