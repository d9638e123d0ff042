//! Rows of views with documents, and answers of many chunks.

use crate::harness::Server;
use serde_json::{Value, json};

async fn put(server: &Server, id: &str, doc: Value) -> String {
    server.put(&format!("/db/{id}"), Some(doc)).await.rev()
}

fn docs(answer: &Value) -> Vec<&Value> {
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().map(|row| &row["doc"]).collect()
}

#[tokio::test]
async fn documents_of_rows() {
    let server = Server::with_db().await;
    put(&server, "a", json!({ "n": 1 })).await;
    put(&server, "b", json!({ "n": 2, "to": { "_id": "a" } })).await;
    put(&server, "c", json!({ "n": 3, "to": { "_id": "none" } })).await;
    let rev = put(&server, "gone", json!({})).await;
    server
        .call("DELETE", &format!("/db/gone?rev={rev}"), None)
        .await
        .is(200, json!({}));
    put(&server, "d", json!({ "n": 4, "to": { "_id": "gone" } })).await;
    put(&server, "e", json!({ "n": 5, "to": { "_rev": "1-a" } })).await;
    let both = json!({ "_id": "f", "_rev": "1-b", "n": 6, "to": { "_rev": "1-a" } });
    let other = json!({ "_id": "f", "_rev": "1-a", "n": 7, "to": { "_rev": "1-a" } });
    let leaves = json!({ "docs": [both, other], "new_edits": false });
    server.post("/db/_bulk_docs", leaves).await.is(201, json!({}));
    let map = "function (doc) { emit(doc._id, doc.to || null); }";
    put(&server, "_design/x", json!({ "views": { "v": { "map": map } } })).await;

    let path = "/db/_design/x/_view/v?include_docs=true";
    let answer = server.get(path).await.json();
    let numbers: Vec<Value> = docs(&answer).iter().map(|doc| doc["n"].clone()).collect();
    assert_eq!(json!(numbers), json!([1, 1, null, null, null, 7]));
    assert_eq!(*docs(&answer)[2], Value::Null);
    assert_eq!(docs(&answer)[5]["_rev"], "1-a");
    let plain = server.get("/db/_design/x/_view/v").await.json();
    assert!(plain["rows"][0].get("doc").is_none());

    let map = "function (doc) { emit(doc._id, doc._conflicts); }";
    put(&server, "_design/y", json!({ "views": { "v": { "map": map } } })).await;
    let path = "/db/_design/y/_view/v?include_docs=true&conflicts=true&key=\"f\"";
    let answer = server.get(path).await.json();
    assert_eq!(docs(&answer)[0]["_conflicts"], json!(["1-a"]));
    assert_eq!(answer["rows"][0]["value"], json!(["1-a"]));

    let file = json!({ "n": 8, "_attachments": { "t": { "content_type": "x/y", "data": "aGk=" } } });
    put(&server, "g", file).await;
    let path = "/db/_design/y/_view/v?include_docs=true&key=\"g\"";
    let stub = server.get(path).await.json();
    assert_eq!(docs(&stub)[0]["_attachments"]["t"]["stub"], true);
    let whole = server.get(&format!("{path}&attachments=true")).await.json();
    assert_eq!(docs(&whole)[0]["_attachments"]["t"]["data"], "aGk=");
}

#[tokio::test]
async fn answers_of_many_chunks() {
    const COUNT: usize = 3000;
    let server = Server::with_db().await;
    let doc = |n: usize| json!({ "_id": format!("{n:05}"), "n": n, "text": "x".repeat(300) });
    let docs: Vec<Value> = (0..COUNT).map(doc).collect();
    server
        .post("/db/_bulk_docs", json!({ "docs": docs }))
        .await
        .is(201, json!({}));
    let views = json!({ "views": {
        "rows": { "map": "function (doc) { emit(doc.n, doc.text); }" },
        "groups": { "map": "function (doc) { emit([doc.n, doc.text], 1); }", "reduce": "_count" },
    } });
    put(&server, "_design/x", views).await;
    let whole = |rest: &str| format!("/db/_design/x/_view/{rest}");
    for (rest, descending) in [
        ("rows?limit=5000", false),
        ("rows?descending=true", true),
        ("groups?group=true", false),
        ("groups?group=true&descending=true", true),
        ("groups?group_level=1", false),
        ("groups?group_level=1&descending=true", true),
        ("rows?include_docs=true", false),
    ] {
        let answer = server.get(&whole(rest)).await.json();
        let rows = answer["rows"].as_array().unwrap();
        let number = |row: &Value| row["key"].as_u64().or_else(|| row["key"][0].as_u64()).unwrap();
        let mut found: Vec<u64> = rows.iter().map(number).collect();
        if descending {
            found.reverse();
        }
        assert!(found.into_iter().eq(0..COUNT as u64), "{rest}");
    }
}

#[tokio::test]
async fn reductions_without_a_value() {
    let server = Server::with_db().await;
    for n in 0..3 {
        put(&server, &format!("d{n}"), json!({ "n": n })).await;
    }
    let map = "function (doc) { emit(doc.n, doc.n == 1 ? 'text' : doc.n); }";
    let long = "function (keys, values) { return new Array(5000).join('x'); }";
    let views = json!({ "views": {
        "sum": { "map": map, "reduce": "_sum" },
        "long": { "map": map, "reduce": long },
    } });
    put(&server, "_design/x", views).await;
    let rows = server.get("/db/_design/x/_view/sum?group=true").await.json()["rows"].clone();
    assert_eq!(rows[0], json!({ "key": 0, "value": 0 }));
    assert_eq!(rows[1]["value"]["error"], "builtin_reduce_error");
    assert_eq!(rows[1]["value"]["caused_by"], "text");
    assert_eq!(rows[2], json!({ "key": 2, "value": 2 }));
    let long = server.get("/db/_design/x/_view/long").await.json();
    let reason = &long["rows"][0]["value"]["reduce_overflow_error"];
    let said = reason.as_str().unwrap();
    assert!(
        said.starts_with("Reduce output must shrink more rapidly"),
        "{said}"
    );
}
