//! Documents that have ended, and customers who want their ids.

use crate::customers::{ann, server};
use crate::harness::{Answer, Server};
use serde_json::{Value, json};

const NOT_YOURS: &str = "You may not change this document.";

/// Ends a document of the database, as root; answers its revisions, newest first.
async fn ended(server: &Server, id: &str, mut tombstone: Value) -> Vec<String> {
    let path = format!("/calls/{id}");
    let first = server.get(&path).await.rev_of_doc();
    tombstone["_rev"] = first.clone().into();
    tombstone["_deleted"] = true.into();
    let second = server.put(&path, Some(tombstone)).await.json()["rev"].clone();
    vec![second.as_str().unwrap().to_owned(), first]
}

/// Brings a revision with its parent, in ann's name.
async fn bring(server: &Server, id: &str, revs: [&str; 2], mut doc: Value) -> Value {
    let digest = |rev: &str| rev.split_once('-').unwrap().1.to_owned();
    doc["_id"] = id.into();
    doc["_revisions"] = json!({ "start": 2, "ids": revs.map(digest) });
    let docs = json!({ "new_edits": false, "docs": [doc] });
    let answer = ann(server, "POST", "/calls/_bulk_docs", Some(docs)).await.json();
    match answer.get(0) {
        Some(refused) => json!([refused["error"], refused["reason"]]),
        None => answer,
    }
}

async fn put(server: &Server, id: &str, doc: Value) -> Answer {
    ann(server, "PUT", &format!("/calls/{id}"), Some(doc)).await
}

async fn revisions(server: &Server, id: &str) -> Value {
    let path = format!("/calls/{id}?revs=true");
    ann(server, "GET", &path, None).await.json()["_revisions"].clone()
}

#[tokio::test]
async fn she_takes_over_no_tombstone_that_says_whose_it_is() {
    let server = server().await;
    let revs = ended(&server, "e1", json!({ "account": "emca" })).await;
    let (hers, others) = (json!({ "account": "acme" }), json!({ "account": "emca" }));
    for rev in [None, Some(revs[0].as_str()), Some("2-0"), Some("1-0")] {
        let mut doc = hers.clone();
        if let Some(rev) = rev {
            doc["_rev"] = rev.into();
        }
        put(&server, "e1", doc).await.fails(403, "forbidden", NOT_YOURS);
    }
    for doc in [hers, others, json!({ "_deleted": true })] {
        for parents in [[revs[0].as_str(), &revs[1]], ["2-0", "1-0"]] {
            let told = bring(&server, "e1", parents, doc.clone()).await;
            assert_eq!(told, json!(["forbidden", NOT_YOURS]), "{parents:?} {doc}");
        }
    }
    let end = server.get(&format!("/calls/e1?rev={}", revs[0])).await;
    end.is(200, json!({ "_deleted": true, "account": "emca" }));
}

#[tokio::test]
async fn she_learns_nothing_of_what_was_before_a_tombstone_without_members() {
    let server = server().await;
    let revs = ended(&server, "e2", json!({})).await;
    for parents in [[revs[0].as_str(), &revs[1]], ["2-0", "1-0"]] {
        let told = bring(&server, "e2", parents, json!({ "account": "emca" })).await;
        assert_eq!(told[0], "forbidden", "{parents:?} {told}");
        assert_ne!(told[1], NOT_YOURS);
        let told = bring(&server, "e2", parents, json!({ "_deleted": true })).await;
        assert_eq!(told, json!([]));
    }
    // The id is free. What she makes of it is told by what she wrote alone, above what was there.
    let hers = json!({ "account": "acme", "n": 1 });
    let fresh = put(&server, "fresh", hers.clone()).await.json()["rev"].clone();
    let digest = fresh.as_str().unwrap().split_once('-').unwrap().1.to_owned();
    put(&server, "e2", hers)
        .await
        .is(201, json!({ "rev": format!("3-{digest}") }));
    assert_eq!(
        revisions(&server, "e2").await,
        json!({ "start": 3, "ids": [digest] })
    );
    let all = "/calls/e2?open_revs=all&revs=true";
    let all = server.request("GET", all).header("accept", "application/json");
    let answer = server.send(all).await;
    let ids = answer.text();
    assert!(
        ids.contains(revs[0].split_once('-').unwrap().1),
        "what ended is kept: {ids}"
    );
    let hers = ann(&server, "GET", "/calls/_changes?style=all_docs", None).await;
    assert!(!hers.text().contains(&revs[0]), "{}", hers.text());
}

#[tokio::test]
async fn her_own_come_back() {
    let server = server().await;
    let doc = json!({ "account": "acme" });
    for (id, tombstone) in [("a1", json!({ "account": "acme" })), ("a2", json!({}))] {
        let path = format!("/calls/{id}");
        let mut tombstone = tombstone.clone();
        tombstone["_rev"] = ann(&server, "GET", &path, None).await.rev_of_doc().into();
        tombstone["_deleted"] = true.into();
        put(&server, id, tombstone).await.is(200, json!({}));
        let back = put(&server, id, doc.clone()).await;
        back.is(201, json!({}));
        assert_eq!(revisions(&server, id).await["start"], 3);
    }
    // By a replica of hers: its tombstone, again, and what she made of it there.
    put(&server, "a3", doc.clone()).await.is(201, json!({}));
    let first = ann(&server, "GET", "/calls/a3", None).await.rev_of_doc();
    let end = json!({ "_deleted": true });
    for _ in 0..2 {
        assert_eq!(
            bring(&server, "a3", ["2-bb", &first], end.clone()).await,
            json!([])
        );
    }
    let ids = json!(["cc", "bb", first.split_once('-').unwrap().1]);
    let revs = json!({ "start": 3, "ids": ids });
    let next = json!({ "_id": "a3", "account": "acme", "_revisions": revs });
    let docs = json!({ "new_edits": false, "docs": [next] });
    let told = ann(&server, "POST", "/calls/_bulk_docs", Some(docs)).await.json();
    assert_eq!(told, json!([]));
    assert_eq!(revisions(&server, "a3").await, revs);
}

#[tokio::test]
async fn who_is_bound_to_a_feed_gets_ids_back_that_ended_in_it_and_no_others() {
    let server = server().await;
    let design = json!({ "feeds": { "acme": { "selector": { "account": "acme" } } } });
    server
        .put("/calls/_design/feeds", Some(design))
        .await
        .is(201, json!({}));
    server
        .get("/calls/_changes?feed_name=feeds/acme")
        .await
        .is(200, json!({}));
    let may = json!(["read", "write", "replicate-in", "replicate-out"]);
    let grant = json!({ "roles": ["acme"], "may": may, "feed": "feeds/acme" });
    server
        .put("/calls/_security", Some(json!({ "grants": [grant] })))
        .await
        .is(200, json!({}));
    let doc = json!({ "account": "acme" });
    for (id, tombstone) in [("a1", json!({})), ("a2", json!({ "account": "acme" }))] {
        ended(&server, id, tombstone).await;
        put(&server, id, doc.clone()).await.is(201, json!({}));
        let revs = revisions(&server, id).await;
        assert_eq!(revs["ids"].as_array().unwrap().len(), 3, "{revs}");
    }
    ended(&server, "e1", json!({})).await;
    ended(&server, "e2", json!({ "account": "emca" })).await;
    for id in ["e1", "e2"] {
        put(&server, id, doc.clone())
            .await
            .fails(403, "forbidden", NOT_YOURS);
    }
}
