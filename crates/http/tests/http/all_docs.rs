//! `_all_docs` and `_design_docs`.

use crate::harness::Server;
use serde_json::{Value, json};

async fn filled() -> Server {
    let server = Server::with_db().await;
    for id in ["a", "b", "c", "d", "_design/x"] {
        server
            .put(&format!("/db/{id}"), Some(json!({ "id": id })))
            .await
            .is(201, json!({}));
    }
    let rev = server.put("/db/gone", Some(json!({}))).await.rev();
    server
        .call("DELETE", &format!("/db/gone?rev={rev}"), None)
        .await
        .is(200, json!({}));
    server
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap_or("-"))
        .collect()
}

#[tokio::test]
async fn ranges() {
    let server = filled().await;
    for (query, offset, expected) in [
        ("", 0, "_design/x a b c d"),
        ("startkey=\"b\"", 2, "b c d"),
        ("start_key=\"b\"&end_key=\"c\"", 2, "b c"),
        ("startkey=\"b\"&endkey=\"d\"&inclusive_end=false", 2, "b c"),
        ("key=\"c\"", 3, "c"),
        ("key=\"gone\"", 5, ""),
        ("descending=true", 0, "d c b a _design/x"),
        ("descending=true&startkey=\"c\"&endkey=\"b\"", 1, "c b"),
        ("limit=2", 0, "_design/x a"),
        ("skip=3", 3, "c d"),
        ("skip=1&limit=1&startkey=\"b\"", 3, "c"),
        ("limit=0", 0, ""),
        ("startkey={}", 5, ""),
        ("endkey=null", 5, ""),
        ("startkey=null", 0, "_design/x a b c d"),
    ] {
        let answer = server.get(&format!("/db/_all_docs?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let answer = answer.json();
        assert_eq!(ids(&answer).join(" "), expected, "{query}");
        assert_eq!(answer["total_rows"], 5, "{query}");
        assert_eq!(answer["offset"], offset, "{query}");
    }
    server
        .get("/db/_all_docs?startkey=b")
        .await
        .fails(400, "bad_request", "invalid UTF-8 JSON");
    let limit = server.get("/db/_all_docs?limit=-1").await;
    limit.fails(
        400,
        "query_parse_error",
        "Invalid value for positive integer: \"-1\"",
    );
    let include = server.get("/db/_all_docs?include_docs=1").await;
    include.fails(400, "query_parse_error", "Invalid boolean parameter: \"1\"");
}

#[tokio::test]
async fn shape_of_the_answer() {
    let server = Server::with_db().await;
    let empty = json!({ "total_rows": 0, "offset": 0, "rows": [] });
    assert_eq!(server.get("/db/_all_docs").await.json(), empty);
    let rev = server.put("/db/a", Some(json!({ "n": 1 }))).await.rev();
    let row = format!("{{\"id\":\"a\",\"key\":\"a\",\"value\":{{\"rev\":\"{rev}\"}}}}");
    let expected = format!("{{\"total_rows\":1,\"offset\":0,\"rows\":[\r\n{row}\r\n]}}\n");
    assert_eq!(server.get("/db/_all_docs").await.text(), expected);
    let docs = server
        .get("/db/_all_docs?include_docs=true&update_seq=true")
        .await
        .json();
    assert_eq!(docs["rows"][0]["doc"], json!({ "_id": "a", "_rev": rev, "n": 1 }));
    assert!(docs["update_seq"].as_str().unwrap().starts_with("1-"));
}

#[tokio::test]
async fn keys() {
    let server = filled().await;
    let keys = json!({ "keys": ["d", "none", "gone", 7, "a"] });
    let answer = server
        .post("/db/_all_docs?include_docs=true", keys.clone())
        .await
        .json();
    assert_eq!(answer["total_rows"], 5);
    assert_eq!(answer["offset"], Value::Null);
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows[0]["doc"]["_id"], "d");
    assert_eq!(rows[1], json!({ "key": "none", "error": "not_found" }));
    assert_eq!(rows[2]["value"]["deleted"], true);
    assert_eq!(rows[2]["doc"], Value::Null);
    assert_eq!(rows[3], json!({ "key": 7, "error": "not_found" }));
    assert_eq!(rows[4]["id"], "a");
    let by_get = server.get("/db/_all_docs?keys=[\"b\",\"a\"]").await.json();
    assert_eq!(ids(&by_get), ["b", "a"]);
    let some = server
        .post(
            "/db/_all_docs?skip=1&limit=2",
            json!({ "keys": ["a", "b", "c", "d"] }),
        )
        .await
        .json();
    assert_eq!(ids(&some), ["b", "c"]);
    assert_eq!(
        server.post("/db/_all_docs", json!({ "keys": 1 })).await.status,
        400
    );
    let posted = server
        .post(
            "/db/_all_docs",
            json!({ "startkey": "b", "limit": 1, "include_docs": true }),
        )
        .await
        .json();
    assert_eq!(posted["rows"][0]["doc"]["id"], "b");
}

#[tokio::test]
async fn queries_and_design_documents() {
    let server = filled().await;
    let queries = json!({ "queries": [{ "limit": 1 }, { "keys": ["c"] }, { "startkey": "d" }] });
    let answer = server.post("/db/_all_docs/queries", queries).await.json();
    let results = answer["results"].as_array().unwrap();
    let all: Vec<_> = results.iter().map(ids).collect();
    assert_eq!(all, [vec!["_design/x"], vec!["c"], vec!["d"]]);
    let designs = server.get("/db/_design_docs?include_docs=true").await.json();
    assert_eq!(
        (ids(&designs), &designs["total_rows"]),
        (vec!["_design/x"], &json!(1))
    );
    let designs = server.get("/db/_design_docs?descending=true").await.json();
    assert_eq!(ids(&designs), ["_design/x"]);
    let none = server
        .post(
            "/db/_design_docs/queries",
            json!({ "queries": [{ "key": "_design/y" }] }),
        )
        .await
        .json();
    assert_eq!(ids(&none["results"][0]).len(), 0);
    let missing = server.post("/db/_all_docs/queries", json!({})).await;
    missing.fails(400, "bad_request", "POST body must include `queries` parameter.");
}

#[tokio::test]
async fn long_listings_are_streamed_whole() {
    let server = Server::with_db().await;
    let count = 3000;
    let docs: Vec<_> = (0..count)
        .map(|n| json!({ "_id": format!("d{n:05}"), "text": "x".repeat(300) }))
        .collect();
    assert_eq!(
        server
            .post("/db/_bulk_docs", json!({ "docs": docs }))
            .await
            .status,
        201
    );
    for (query, first, rows) in [
        ("", 0, count),
        ("&skip=1000", 1000, 2000),
        ("&descending=true", count - 1, count),
        ("&limit=2500", 0, 2500),
    ] {
        let answer = server
            .get(&format!("/db/_all_docs?include_docs=true{query}"))
            .await
            .json();
        let found = answer["rows"].as_array().unwrap();
        assert_eq!(found.len(), rows, "{query}");
        assert_eq!(found[0]["id"], format!("d{first:05}"), "{query}");
        let sorted = found.is_sorted_by_key(|row| row["id"].as_str().unwrap().to_owned());
        assert_eq!(sorted, !query.contains("descending"), "{query}");
    }
}
