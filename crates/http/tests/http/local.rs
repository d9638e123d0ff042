//! Local documents, which replications keep their checkpoints in.

use crate::harness::Server;
use serde_json::json;

#[tokio::test]
async fn local_documents_live_apart() {
    let server = Server::with_db().await;
    let made = server.put("/db/_local/x", Some(json!({ "a": 1 }))).await;
    made.is(201, json!({ "ok": true, "id": "_local/x", "rev": "0-1" }));
    server
        .get("/db/_local/x")
        .await
        .is(200, json!({ "_id": "_local/x", "_rev": "0-1", "a": 1 }));
    // A checkpoint is written blindly: any number counts, and `_revisions` is tolerated.
    let stale = json!({ "_rev": "0-7", "_revisions": { "start": 0, "ids": ["7"] }, "a": 2 });
    server
        .put("/db/_local%2Fx", Some(stale))
        .await
        .is(201, json!({ "rev": "0-8" }));
    server
        .get("/db/_local/x")
        .await
        .is(200, json!({ "_rev": "0-8", "a": 2 }));
    assert_eq!(
        server
            .put("/db/_local/x", Some(json!({ "_rev": "nope" })))
            .await
            .status,
        400
    );
    server
        .put("/db/_local/Tl02K==", Some(json!({})))
        .await
        .is(201, json!({ "rev": "0-1" }));
    server.get("/db/_local/Tl02K%3D%3D").await.is(200, json!({}));

    assert_eq!(server.get("/db").await.json()["doc_count"], 0);
    assert_eq!(server.get("/db/_changes").await.json()["results"], json!([]));
    let all = server.get("/db/_local_docs").await.json();
    let ids: Vec<_> = all["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].clone())
        .collect();
    assert_eq!(ids, ["_local/Tl02K==", "_local/x"]);
    let one = server
        .post(
            "/db/_local_docs?include_docs=true",
            json!({ "keys": ["_local/x", "_local/no"] }),
        )
        .await;
    assert_eq!(one.json()["rows"][0]["doc"]["a"], 2);
    assert_eq!(
        one.json()["rows"][1],
        json!({ "key": "_local/no", "error": "not_found" })
    );

    server
        .call("DELETE", "/db/_local/x", None)
        .await
        .is(200, json!({ "ok": true, "rev": "0-0" }));
    server
        .get("/db/_local/x")
        .await
        .fails(404, "not_found", "missing");
    server
        .call("DELETE", "/db/_local/x", None)
        .await
        .fails(404, "not_found", "missing");
    assert_eq!(server.put("/db/_local/x/att", Some(json!({}))).await.status, 400);
}
