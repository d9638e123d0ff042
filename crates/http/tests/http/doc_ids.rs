//! `filter=_doc_ids`: documents are looked up, and the feed is the same as if all rows had been read.

use crate::harness::Server;
use serde_json::{Value, json};

/// A database of many documents, some of which were edited twice or deleted.
async fn filled() -> Server {
    let server = Server::with_db().await;
    let docs: Vec<_> = (0..2000)
        .map(|n| json!({ "_id": format!("d{n:04}"), "text": "x".repeat(400) }))
        .collect();
    server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    for (id, deleted) in [("d0003", false), ("d1000", true), ("d0700", false)] {
        let rev = server.get(&format!("/db/{id}")).await.json()["_rev"].clone();
        let doc = json!({ "_id": id, "_rev": rev, "_deleted": deleted, "edited": true });
        server.post("/db/_bulk_docs", json!({ "docs": [doc] })).await;
    }
    let conflict = json!({ "_rev": "1-ff", "at": "another place" });
    let answer = server.put("/db/d0005?new_edits=false", Some(conflict)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    server
}

/// The wanted rows of the feed without filter.
async fn expected(server: &Server, options: &str, wanted: &[String]) -> Vec<Value> {
    let all = server.get(&format!("/db/_changes?{options}")).await.json();
    let rows = all["results"].as_array().unwrap().iter();
    let id = |row: &&Value| wanted.iter().any(|id| row["id"] == **id);
    rows.filter(id).cloned().collect()
}

/// The rows of a feed page by page, to the same end.
async fn paged(server: &Server, path: &str, ids: &[String], newest: &Value) -> Vec<Value> {
    let (mut since, mut paged) = (json!(0), Vec::new());
    loop {
        let path = format!("{path}&limit=100&since={}", since.as_str().unwrap_or("0"));
        let page = server.post(&path, json!({ "doc_ids": ids })).await.json();
        let rows = page["results"].as_array().unwrap().clone();
        since = page["last_seq"].clone();
        if rows.is_empty() {
            assert_eq!((&since, &page["pending"]), (newest, &json!(0)));
            return paged;
        }
        if rows.len() == 100 {
            assert_eq!(since, rows[99]["seq"]);
        }
        paged.extend(rows);
    }
}

#[tokio::test]
async fn the_same_rows_as_a_walk_gives() {
    let server = filled().await;
    let some: Vec<String> = [
        "d0003",
        "d0005",
        "d0700",
        "d1000",
        "d1999",
        "none",
        "_design/none",
    ]
    .map(str::to_owned)
    .to_vec();
    // More rows than fit one chunk when their documents come along.
    let many: Vec<String> = (0..1900).step_by(2).map(|n| format!("d{n:04}")).collect();
    let newest = server.get("/db").await.json()["update_seq"].clone();
    for ids in [&some, &many] {
        for options in [
            "",
            "style=all_docs",
            "include_docs=true&conflicts=true",
            "descending=true",
            "descending=true&include_docs=true",
            "since=1500",
            "until=1500",
            "since=3&until=900&include_docs=true",
        ] {
            let expected = expected(&server, options, ids).await;
            let path = format!("/db/_changes?filter=_doc_ids&{options}");
            let posted = server.post(&path, json!({ "doc_ids": ids })).await.json();
            assert_eq!(posted["results"], json!(expected), "{options}");
            if !options.contains("until") && !options.contains("descending") {
                assert_eq!(
                    (&posted["last_seq"], &posted["pending"]),
                    (&newest, &json!(0)),
                    "{options}"
                );
            }
            if options == "style=all_docs" {
                assert_eq!(paged(&server, &path, ids, &newest).await, expected);
            }
        }
        if ids.len() < 10 {
            let got = server
                .get(&format!("/db/_changes?filter=_doc_ids&doc_ids={}", json!(ids)))
                .await
                .json();
            assert_eq!(got["results"], json!(expected(&server, "", ids).await));
        }
    }
}

#[tokio::test]
async fn longpolls_wait_behind_what_was_looked_up() {
    let server = filled().await;
    let path = "/db/_changes?filter=_doc_ids&doc_ids=[\"d0001\",\"new\"]&feed=";
    let at_once = server.get(&format!("{path}longpoll")).await.json();
    assert_eq!(at_once["results"][0]["id"], "d0001");
    let since = at_once["last_seq"].as_str().unwrap();
    let longpoll = format!("{path}longpoll&since={since}");
    let (waited, _) = tokio::join!(server.get(&longpoll), async {
        server.put("/db/other", Some(json!({}))).await;
        server.put("/db/new", Some(json!({}))).await;
    });
    assert_eq!(waited.json()["results"][0]["id"], "new");
}

#[tokio::test]
async fn too_many_ids_are_refused() {
    let server = Server::with_db().await;
    let ids: Vec<String> = (0..=100_000).map(|n| n.to_string()).collect();
    server
        .post("/db/_changes?filter=_doc_ids", json!({ "doc_ids": ids }))
        .await
        .is(413, json!({ "error": "too_large" }));
}
