//! Snapshots: whatever is asked of one, the answers are of the same moment.

use crate::harness::Server;
use crate::views::{DOCS, filled};
use serde_json::{Value, json};

async fn snapshot(server: &Server, asked: Value) -> Value {
    let made = server.post("/db/_snapshot", asked).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

fn named(made: &Value) -> &str {
    made["snapshot"].as_str().unwrap()
}

async fn change(server: &Server) {
    let new = json!({ "_id": "d900", "type": "call", "n": 100 });
    let docs = json!({ "docs": [new, { "_id": "e", "type": "call", "n": 7 }] });
    server.post("/db/_bulk_docs", docs).await.is(201, json!({}));
    let first = server.get("/db/d000").await.json();
    let rev = first["_rev"].as_str().unwrap();
    let gone = server.call("DELETE", &format!("/db/d000?rev={rev}"), None).await;
    gone.is(200, json!({}));
}

/// What each way of asking answers: documents, rows, their sum, what is found, and whether the first is there.
async fn answers(server: &Server, of: &str) -> [Value; 6] {
    let get = async |path: &str| server.get(&format!("/db/{path}{of}")).await;
    let post = async |path: &str, body: Value| server.post(&format!("/db/{path}{of}"), body).await.json();
    let selector = json!({ "selector": { "type": "call" }, "limit": 1000 });
    [
        get("").await.json()["doc_count"].take(),
        get("_all_docs").await.json()["total_rows"].take(),
        get("_design/x/_view/typed").await.json()["rows"][0]["value"].take(),
        post("_design/x/_view/by_n", json!({})).await["total_rows"].take(),
        json!(post("_find", selector).await["docs"].as_array().unwrap().len()),
        json!(get("d000").await.status),
    ]
}

#[tokio::test]
async fn every_answer_is_of_the_moment() {
    let server = filled().await;
    let now = answers(&server, "").await;
    let sum: usize = (0..DOCS).map(|n| n / 5).sum();
    let docs = DOCS + 1;
    let expected = [docs, docs, sum, DOCS, DOCS / 3, 200].map(|number| json!(number));
    assert_eq!(now, expected);
    let made = snapshot(&server, json!({})).await;
    let of = format!("?snapshot={}", named(&made));
    change(&server).await;
    assert_eq!(answers(&server, &of).await, expected);
    let later = answers(&server, "").await;
    assert_eq!(
        later,
        [docs + 1, docs + 1, sum + 107, DOCS + 1, DOCS / 3 + 1, 404].map(|n| json!(n))
    );
    // Views are brought up to date behind it, and compacted, and it stays as it was.
    let compacted = server.post("/db/_compact/x", json!({})).await;
    compacted.is(202, json!({}));
    assert_eq!(answers(&server, &of).await, expected);
}

#[tokio::test]
async fn an_index_that_was_never_built_is_built_for_it() {
    let server = filled().await;
    let made = snapshot(&server, json!({ "ddocs": ["x"], "expires_in": 30 })).await;
    assert!(made["expires_in"].as_u64().unwrap() <= 30, "{made}");
    change(&server).await;
    let of = format!("?snapshot={}", named(&made));
    assert_eq!(answers(&server, &of).await[3], json!(DOCS));
}

#[tokio::test]
async fn what_it_does_not_keep_is_refused() {
    let server = filled().await;
    let made = snapshot(&server, json!({ "ddocs": [] })).await;
    let token = named(&made);
    let view = server
        .get(&format!("/db/_design/x/_view/by_n?snapshot={token}"))
        .await;
    view.is(400, json!({ "error": "bad_request" }));
    for (body, status) in [
        (json!({ "ddocs": ["y"] }), 404),
        (json!({ "expires_in": 601 }), 400),
        (json!({ "expires_in": -1 }), 400),
    ] {
        let refused = server.post("/db/_snapshot", body.clone()).await;
        assert_eq!(refused.status, status, "{body}");
    }
}

#[tokio::test]
async fn it_ends() {
    let server = filled().await;
    let ended = json!({ "error": "snapshot_ended" });
    let unknown = server.get("/db/_all_docs?snapshot=x").await;
    unknown.is(410, ended.clone());
    let made = snapshot(&server, json!({})).await;
    let token = named(&made);
    let path = format!("/db/_snapshot/{token}");
    assert_eq!(server.get(&path).await.json()["doc_count"], json!(DOCS + 1));
    // It is of one database.
    server.put("/other", None).await.is(201, json!({}));
    let other = server.get(&format!("/other/_all_docs?snapshot={token}")).await;
    other.is(410, ended.clone());
    server.call("DELETE", &path, None).await.is(200, json!({}));
    let gone = server.get(&format!("/db/_all_docs?snapshot={token}")).await;
    gone.is(410, ended.clone());
    let brief = snapshot(&server, json!({ "expires_in": 1 })).await;
    let path = format!("/db/_snapshot/{}", named(&brief));
    while server.get(&path).await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    server.get(&path).await.is(410, ended);
}

#[tokio::test]
async fn there_are_only_so_many() {
    let server = Server::with_db().await;
    let mut made = Vec::new();
    let refused = loop {
        let answer = server.post("/db/_snapshot", json!({})).await;
        if answer.status != 201 {
            break answer;
        }
        made.push(answer.json());
    };
    refused.is(503, json!({ "error": "too_many_snapshots" }));
    assert_eq!(made.len(), trunkline_core::limits::SNAPSHOTS_MAX);
    let path = format!("/db/_snapshot/{}", named(&made[0]));
    server.call("DELETE", &path, None).await.is(200, json!({}));
    snapshot(&server, json!({})).await;
}
