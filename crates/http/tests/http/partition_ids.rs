//! Which ids a partitioned database takes.

use crate::partitions::partitioned;
use serde_json::json;

#[tokio::test]
async fn ids_name_a_partition() {
    let server = partitioned().await;
    for (id, error, reason) in [
        ("foo", "illegal_docid", "Doc id must be of form partition:id"),
        ("foo:", "illegal_docid", "Document id must not be empty"),
        (":foo", "illegal_partition", "Partition must not be empty"),
        (
            "_foo:a",
            "illegal_docid",
            "Only reserved document ids may start with underscore.",
        ),
        (
            "foo:_a",
            "illegal_docid",
            "Only reserved document ids may start with underscore.",
        ),
    ] {
        let doc = json!({ "_id": id, "_rev": "1-a" });
        server
            .put(&format!("/db/{id}"), Some(json!({})))
            .await
            .fails(400, error, reason);
        server
            .post("/db", json!({ "_id": id }))
            .await
            .fails(400, error, reason);
        for new_edits in [true, false] {
            let docs = json!({ "docs": [{ "_id": "foo:x", "_rev": "1-a" }, doc], "new_edits": new_edits });
            server
                .post("/db/_bulk_docs", docs)
                .await
                .fails(400, error, reason);
        }
        let brought = server.put(&format!("/db/{id}?new_edits=false"), Some(doc)).await;
        brought.fails(400, error, reason);
    }
    let reason = "Doc id must be of form partition:id";
    server
        .post("/db", json!({}))
        .await
        .fails(400, "illegal_docid", reason);
    server.get("/db/foo").await.fails(400, "illegal_docid", reason);
    server
        .get("/db/foo?revs=true")
        .await
        .fails(400, "illegal_docid", reason);
    let purge = json!({ "foo": ["1-a"] });
    server
        .post("/db/_purge", purge)
        .await
        .fails(400, "illegal_docid", reason);
    server.get("/db/foo:x").await.fails(404, "not_found", "missing");
    for id in ["foo:a:b", "foo:_design%2Fx", "_design/x", "_local/x"] {
        server
            .put(&format!("/db/{id}"), Some(json!({})))
            .await
            .is(201, json!({}));
    }
}
