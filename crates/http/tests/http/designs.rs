//! Design documents by whichever path, and through whichever door.

use crate::harness::Server;
use crate::multipart::put;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_slash_of_an_id_may_be_escaped() {
    let server = Server::with_db().await;
    let design = json!({
        "views": { "v": { "map": "function (doc) { emit(doc._id, 1); }", "reduce": "_count" } },
        "updates": { "u": "function (doc, req) { return [null, 'updated']; }" },
    });
    server.put("/db/a", Some(json!({}))).await.is(201, json!({}));
    for id in ["x", "x%2Fy"] {
        let (plain, escaped) = (format!("/db/_design/{id}"), format!("/db/_design%2f{id}"));
        let rev = server.put(&escaped, Some(design.clone())).await.rev();
        server.get(&plain).await.is(200, json!({ "_rev": rev }));
        for rest in ["_view/v", "_view/v?reduce=false&limit=1", "_info"] {
            let found = server.get(&format!("{plain}/{rest}")).await;
            assert_eq!(found.status, 200, "{}", found.text());
            let other = server.get(&format!("{escaped}/{rest}")).await;
            assert_eq!((other.status, other.text()), (200, found.text()));
        }
        let posted = server
            .post(
                &format!("{escaped}/_view/v"),
                json!({ "keys": ["a"], "reduce": false }),
            )
            .await;
        posted.is(200, json!({ "total_rows": 1 }));
        let queries = json!({ "queries": [{}] });
        let answered = server.post(&format!("{escaped}/_view/v/queries"), queries).await;
        assert_eq!(answered.json()["results"][0]["rows"][0]["value"], 1);
        let updated = server
            .request("PUT", &format!("{escaped}/_update/u/a"))
            .body("{}");
        assert_eq!(server.send(updated).await.text(), "updated");
        let attached = server
            .request("PUT", &format!("{escaped}/page.txt?rev={rev}"))
            .body("hello");
        server.send(attached).await.is(201, json!({}));
        assert_eq!(server.get(&format!("{plain}/page.txt")).await.text(), "hello");
    }
}

#[tokio::test]
async fn what_does_not_compile_does_not_come_in() {
    let server = Server::with_db().await;
    let view = |map: &str| json!({ "views": { "v": { "map": map } } });
    let mut broken = view("function (doc) { emit(; }");
    // It is nothing but a document under another name.
    let copied = server.put("/db/plain", Some(broken.clone())).await;
    copied.is(201, json!({}));
    let copy = Method::from_bytes(b"COPY").unwrap();
    let copy = server.client.request(copy, format!("{}/db/plain", server.url));
    let answer = server.send(copy.header("destination", "_design/x")).await;
    answer.is(400, json!({ "error": "compilation_error" }));
    let mut sound = view("function (doc) { emit(doc._id); }");
    for doc in [&mut broken, &mut sound] {
        doc["_attachments"] = json!({ "a": { "follows": true, "content_type": "text/plain", "length": 5 } });
    }
    let answer = put(&server, "/db/_design/x", &broken, &[b"hello"]).await;
    answer.is(400, json!({ "error": "compilation_error" }));
    server
        .get("/db/_design/x")
        .await
        .fails(404, "not_found", "missing");
    let answer = put(&server, "/db/_design/x", &sound, &[b"hello"]).await;
    answer.is(201, json!({}));
    // From a replication it is kept.
    broken["_rev"] = json!("1-a");
    let answer = put(&server, "/db/_design/y?new_edits=false", &broken, &[b"hello"]).await;
    answer.is(201, json!({}));
    assert_eq!(server.get("/db/_design/y/a").await.text(), "hello");
}
