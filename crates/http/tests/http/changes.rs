//! `_changes`: what the normal feed says, and every option of it.

use crate::harness::Server;
use serde_json::{Value, json};

async fn filled() -> Server {
    let server = Server::with_db().await;
    for id in ["a", "b", "c"] {
        server
            .put(&format!("/db/{id}"), Some(json!({ "type": id, "n": 1 })))
            .await
            .is(201, json!({}));
    }
    let rev = server.get("/db/b").await.json()["_rev"]
        .as_str()
        .unwrap()
        .to_owned();
    server
        .call("DELETE", &format!("/db/b?rev={rev}"), None)
        .await
        .is(200, json!({}));
    server
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn rows_and_places() {
    let server = filled().await;
    let all = server.get("/db/_changes").await;
    assert!(
        all.text().starts_with("{\"results\":[\n{\"seq\":\"1-"),
        "{}",
        all.text()
    );
    assert!(all.text().ends_with(",\"pending\":0}\n"), "{}", all.text());
    let all = all.json();
    assert_eq!(ids(&all), ["a", "c", "b"]);
    assert_eq!(all["results"][2]["deleted"], true);
    assert_eq!(all["results"][0].get("deleted"), None);
    let last = all["last_seq"].as_str().unwrap().to_owned();
    assert_eq!(last, all["results"][2]["seq"]);
    assert_eq!(last, server.get("/db").await.json()["update_seq"]);

    let limited = server.get("/db/_changes?limit=1").await.json();
    assert_eq!((ids(&limited), &limited["pending"]), (vec!["a"], &json!(2)));
    let since = limited["last_seq"].as_str().unwrap();
    for text in [since.to_owned(), format!("\"{since}\""), "1".to_owned()] {
        let rest = server.get(&format!("/db/_changes?since={text}")).await.json();
        assert_eq!(ids(&rest), ["c", "b"], "{text}");
    }
    let none = server.get("/db/_changes?limit=0").await.json();
    assert_eq!((ids(&none).len(), &none["pending"]), (0, &json!(3)));
    let now = server.get("/db/_changes?since=now").await.json();
    assert_eq!((ids(&now).len(), &now["last_seq"]), (0, &json!(last)));
    let until = server.get(&format!("/db/_changes?until={since}")).await.json();
    assert_eq!(ids(&until), ["a"]);
    let descending = server.get("/db/_changes?descending=true&limit=2").await.json();
    assert_eq!(ids(&descending), ["b", "c"]);
    let before = all["results"][1]["seq"].as_str().unwrap();
    for filter in ["", "&filter=_doc_ids&doc_ids=[\"a\",\"b\",\"c\"]"] {
        let path = format!("/db/_changes?descending=true&until={before}{filter}");
        assert_eq!(ids(&server.get(&path).await.json()), ["c", "a"], "{filter}");
    }
    server.get("/db/_changes?until=x").await.fails(
        400,
        "bad_request",
        "Malformed sequence supplied in 'until' parameter.",
    );
}

#[tokio::test]
async fn places_in_time() {
    let server = filled().await;
    let all = server.get("/db/_changes?since=1999-01-01T00:00:00Z").await.json();
    assert_eq!(ids(&all).len(), 3);
    let none = server.get("/db/_changes?since=2999-01-01T00:00:00Z").await.json();
    assert_eq!(ids(&none).len(), 0);
}

#[tokio::test]
async fn places_of_another_incarnation_are_refused() {
    let server = filled().await;
    let since = server.get("/db").await.json()["update_seq"]
        .as_str()
        .unwrap()
        .to_owned();
    server.call("DELETE", "/db", None).await;
    server.put("/db", None).await;
    server
        .get(&format!("/db/_changes?since={since}"))
        .await
        .is(409, json!({ "error": "stale_seq" }));
    server
        .get("/db/_changes?since=nonsense")
        .await
        .is(400, json!({ "error": "bad_request" }));
}

#[tokio::test]
async fn documents_and_styles() {
    let server = Server::with_db().await;
    for (rev, deleted) in [("1-aa", false), ("1-bb", false), ("1-cc", true)] {
        let doc = json!({ "_rev": rev, "_deleted": deleted, "at": rev });
        let answer = server.put("/db/doc?new_edits=false", Some(doc)).await;
        assert!(answer.status < 300, "{answer:?}");
    }
    let main = server
        .get("/db/_changes?include_docs=true&conflicts=true")
        .await
        .json();
    let row = &main["results"][0];
    assert_eq!(row["changes"], json!([{ "rev": "1-bb" }]));
    assert_eq!(
        row["doc"],
        json!({ "_id": "doc", "_rev": "1-bb", "_conflicts": ["1-aa"], "at": "1-bb" })
    );
    let all = server.get("/db/_changes?style=all_docs").await.json();
    assert_eq!(
        all["results"][0]["changes"],
        json!([{ "rev": "1-bb" }, { "rev": "1-aa" }, { "rev": "1-cc" }])
    );
    assert_eq!(server.get("/db/_changes?style=odd").await.status, 400);
}

#[tokio::test]
async fn attachments_come_inline() {
    let server = Server::with_db().await;
    let att = json!({ "a": { "content_type": "text/plain", "data": "aGVsbG8=" } });
    server
        .put("/db/doc", Some(json!({ "_attachments": att })))
        .await
        .is(201, json!({}));
    let stub = server.get("/db/_changes?include_docs=true").await.json();
    assert_eq!(stub["results"][0]["doc"]["_attachments"]["a"]["stub"], true);
    let full = server
        .get("/db/_changes?include_docs=true&attachments=true")
        .await
        .json();
    assert_eq!(full["results"][0]["doc"]["_attachments"]["a"]["data"], "aGVsbG8=");
}

#[tokio::test]
async fn filters() {
    let server = filled().await;
    server
        .put("/db/_design/d", Some(json!({})))
        .await
        .is(201, json!({}));
    let by_get = server
        .get("/db/_changes?filter=_doc_ids&doc_ids=[\"c\",\"none\"]")
        .await
        .json();
    assert_eq!(ids(&by_get), ["c"]);
    let by_post = server
        .post("/db/_changes?filter=_doc_ids", json!({ "doc_ids": ["a", "b"] }))
        .await
        .json();
    assert_eq!(ids(&by_post), ["a", "b"]);
    let last = server.get("/db").await.json()["update_seq"].clone();
    assert_eq!(by_post["last_seq"], last);
    let selected = server
        .post(
            "/db/_changes?filter=_selector",
            json!({ "selector": { "type": "c" } }),
        )
        .await
        .json();
    assert_eq!((ids(&selected), &selected["last_seq"]), (vec!["c"], &last));
    let limited = server
        .post(
            "/db/_changes?filter=_selector&limit=1",
            json!({ "selector": { "n": 1 } }),
        )
        .await
        .json();
    assert_eq!(ids(&limited), ["a"]);
    let designs = server.get("/db/_changes?filter=_design").await.json();
    assert_eq!(ids(&designs), ["_design/d"]);
    let empty = server
        .request("POST", "/db/_changes")
        .header("content-type", "application/json")
        .body("");
    assert_eq!(ids(&server.send(empty).await.json()).len(), 4);

    server
        .get("/db/_changes?filter=none/f")
        .await
        .fails(404, "not_found", "missing");
    server
        .get("/db/_changes?filter=d/f")
        .await
        .fails(404, "not_found", "missing json key: filters");
    assert_eq!(server.get("/db/_changes?filter=odd").await.status, 400);
    server
        .get("/db/_changes?filter=_doc_ids")
        .await
        .is(400, json!({ "error": "bad_request" }));
    let bad = server
        .post(
            "/db/_changes?filter=_selector",
            json!({ "selector": { "$odd": 1 } }),
        )
        .await;
    bad.is(400, json!({ "error": "bad_request" }));
}

#[tokio::test]
async fn seqs_at_intervals() {
    let server = filled().await;
    let rows = server.get("/db/_changes?seq_interval=2").await.json();
    let nulls: Vec<bool> = rows["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["seq"].is_null())
        .collect();
    assert_eq!(nulls, [true, false, true]);
    assert_eq!(server.get("/db/_changes?seq_interval=0").await.status, 400);
}

#[tokio::test]
async fn options_that_cannot_be_read() {
    let server = Server::with_db().await;
    for query in ["heartbeat=x", "heartbeat=0", "timeout=x", "limit=x", "feed=odd"] {
        server
            .get(&format!("/db/_changes?{query}"))
            .await
            .is(400, json!({ "error": "bad_request" }));
    }
    server
        .get("/none/_changes")
        .await
        .fails(404, "not_found", "Database does not exist.");
}

#[tokio::test]
async fn long_feeds_are_streamed_whole() {
    let server = Server::with_db().await;
    let docs: Vec<_> = (0..3000)
        .map(|n| json!({ "_id": format!("d{n:05}"), "text": "x".repeat(300) }))
        .collect();
    assert_eq!(
        server
            .post("/db/_bulk_docs", json!({ "docs": docs }))
            .await
            .status,
        201
    );
    let answer = server.get("/db/_changes?include_docs=true").await;
    assert!(answer.headers.get("content-length").is_none());
    let answer = answer.json();
    let seqs = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["doc"]["_id"].as_str().unwrap().to_owned());
    assert!(seqs.clone().is_sorted());
    assert_eq!(seqs.count(), 3000);
}

#[tokio::test]
async fn long_feeds_show_each_document_once_in_either_direction() {
    let server = Server::with_db().await;
    let docs: Vec<_> = (0..1500)
        .map(|n| json!({ "_id": format!("d{n:05}"), "text": "x".repeat(500) }))
        .collect();
    server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    let forward = server.get("/db/_changes").await.json();
    let backward = server.get("/db/_changes?descending=true").await.json();
    let mut backward = ids(&backward);
    backward.reverse();
    assert_eq!(backward, ids(&forward));
}
