//! The indexes of views: kept up to date, shared by those who wait, replaced when their design document changes.

use crate::harness::Server;
use crate::views::{DOCS, design, filled, view};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Asks until the answer is as it should be.
async fn until(server: &Server, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let answer = server.get(path).await.json();
        if is(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} stays as it was: {}", server.get(path).await.text());
}

fn rows(answer: &Value) -> usize {
    answer["rows"].as_array().unwrap().len()
}

/// The files of the indexes of `db`: those that are whole, and the others.
fn files(server: &Server) -> (usize, usize) {
    let mut folders = vec![PathBuf::from(server.dir.path())];
    let (mut whole, mut others) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if folder.ends_with("indexes") {
                match path.extension() {
                    None => whole += 1,
                    Some(_) => others += 1,
                }
            }
        }
    }
    (whole, others)
}

async fn rev_of(server: &Server, id: &str) -> String {
    let doc = server.get(&format!("/db/{id}")).await.json();
    doc["_rev"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_written_is_seen() {
    let server = filled().await;
    assert_eq!(rows(&view(&server, "by_n").await), DOCS);
    let rev = rev_of(&server, "d007").await;
    server.put("/db/new", Some(json!({ "n": -1 }))).await;
    let path = format!("/db/d007?rev={rev}");
    server.call("DELETE", &path, None).await.is(200, json!({}));
    let answer = view(&server, "by_n").await;
    assert_eq!(rows(&answer), DOCS);
    let first = json!({ "id": "new", "key": -1, "value": null });
    assert_eq!(answer["rows"][0], first);
    assert!(!answer.to_string().contains("d007"));
}

#[tokio::test]
async fn many_that_wait_for_one_index() {
    let server = filled().await;
    let ask = |n: usize| {
        let server = &server;
        async move { rows(&view(server, &format!("by_n?limit={n}")).await) }
    };
    let asked: Vec<usize> = (0..100).map(|n| n % 7).collect();
    let answers = futures_util::future::join_all(asked.iter().map(|n| ask(*n))).await;
    assert_eq!(answers, asked);
}

#[tokio::test]
async fn tags() {
    let server = filled().await;
    let path = "/db/_design/x/_view/by_n?limit=2";
    let first = server.get(path).await;
    let tag = first.header("etag").to_owned();
    assert_eq!(server.get(path).await.header("etag"), tag);
    assert_eq!(server.get_with(path, "if-none-match", &tag).await.status, 304);
    let other = server.get("/db/_design/x/_view/by_n?limit=3").await;
    assert_ne!(other.header("etag"), tag);
    server.put("/db/new", Some(json!({ "n": 99 }))).await;
    let changed = server.get_with(path, "if-none-match", &tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn answers_that_do_not_wait() {
    let server = filled().await;
    let quiet = json!({ "autoupdate": false, "views": design("")["views"] });
    let rev = rev_of(&server, "_design/x").await;
    server.put(&format!("/db/_design/x?rev={rev}"), Some(quiet)).await;
    let nothing = json!({ "total_rows": 0, "offset": 0, "rows": [] });
    assert_eq!(view(&server, "by_n?update=false").await, nothing);
    assert_eq!(view(&server, "by_n?stale=ok").await, nothing);
    assert_eq!(view(&server, "typed?update=false").await, json!({ "rows": [] }));
    assert_eq!(rows(&view(&server, "by_n").await), DOCS);
    server.put("/db/new", Some(json!({}))).await;
    assert_eq!(rows(&view(&server, "by_n?update=false").await), DOCS);
    assert_eq!(rows(&view(&server, "by_n?update=lazy").await), DOCS);
    let path = "/db/_design/x/_view/by_n?stale=update_after";
    until(&server, path, |answer| rows(answer) == DOCS + 1).await;
}

#[tokio::test]
async fn a_changed_design_document_answers_from_what_it_was() {
    let server = filled().await;
    assert_eq!(rows(&view(&server, "by_n").await), DOCS);
    let rev = rev_of(&server, "_design/x").await;
    let mut changed = design("changed");
    changed["autoupdate"] = json!(false);
    changed["_rev"] = json!(rev);
    server
        .put("/db/_design/x", Some(changed))
        .await
        .is(201, json!({}));
    server.put("/db/new", Some(json!({}))).await;
    assert_eq!(rows(&view(&server, "by_n?update=false").await), DOCS);
    let clean = || server.post("/db/_view_cleanup", json!({}));
    clean().await.is(202, json!({ "ok": true }));
    assert_eq!(rows(&view(&server, "by_n?update=false").await), DOCS);
    assert_eq!(rows(&view(&server, "by_n").await), DOCS + 1);
    assert_eq!(files(&server), (2, 1));
    clean().await.is(202, json!({}));
    assert_eq!(files(&server), (1, 1));
    assert_eq!(rows(&view(&server, "by_n?update=false").await), DOCS + 1);
    let path = format!("/db/_design/x?rev={}", rev_of(&server, "_design/x").await);
    server.call("DELETE", &path, None).await.is(200, json!({}));
    server
        .get("/db/_design/x/_view/by_n")
        .await
        .fails(404, "not_found", "deleted");
    clean().await.is(202, json!({}));
    assert_eq!(files(&server), (0, 0));
}

#[tokio::test]
async fn indexes_follow_writes_by_themselves() {
    let server = filled().await;
    let path = "/db/_design/x/_view/by_n?update=false";
    until(&server, path, |answer| rows(answer) == DOCS).await;
    server.put("/db/new", Some(json!({}))).await;
    until(&server, path, |answer| rows(answer) == DOCS + 1).await;
    let info = server.get("/db/_design/x/_info").await.json();
    assert_eq!(info["view_index"]["updates_pending"]["total"], 0);
}

#[tokio::test]
async fn what_there_is_to_know_of_an_index() {
    let server = filled().await;
    view(&server, "by_n").await;
    let info = server.get("/db/_design/x/_info").await.json();
    assert_eq!(info["name"], "x");
    let index = &info["view_index"];
    assert_eq!(index["language"], "javascript");
    assert_eq!(index["signature"].as_str().unwrap().len(), 32);
    assert_eq!(index["update_seq"], DOCS + 1);
    assert_eq!(index["updater_running"], false);
    assert!(index["sizes"]["file"].as_u64() > index["sizes"]["active"].as_u64());
    assert!(index["sizes"]["active"].as_u64() > Some(1000));
    server
        .get("/db/_design/y/_info")
        .await
        .fails(404, "not_found", "missing");
    let compact = server.post("/db/_compact/x", json!({})).await;
    compact.is(202, json!({ "ok": true }));
    until(&server, "/db/_design/x/_info", |info| {
        info["view_index"]["compact_running"] == false
    })
    .await;
    assert_eq!(rows(&view(&server, "by_n").await), DOCS);
}
