//! Partitioned databases: how they are made, and what they tell of a partition.

use crate::harness::Server;
use serde_json::{Value, json};

/// Of documents `p:000`.. alternately in the partitions `foo`, `foo-2` and `bar`.
pub(crate) const DOCS: usize = 30;

pub(crate) async fn partitioned() -> Server {
    let server = Server::start().await;
    server
        .put("/db?partitioned=true", None)
        .await
        .is(201, json!({ "ok": true }));
    let docs: Vec<Value> = (0..DOCS).map(document).collect();
    let answer = server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    answer.is(201, json!({}));
    server
}

pub(crate) fn document(n: usize) -> Value {
    let partition = ["foo", "foo-2", "bar"][n % 3];
    let kind = ["a", "b"][n % 2];
    json!({ "_id": format!("{partition}:{n:03}"), "n": n / 6, "kind": kind })
}

#[tokio::test]
async fn a_database_is_partitioned_from_the_start_or_never() {
    let server = partitioned().await;
    server
        .get("/db")
        .await
        .is(200, json!({ "props": { "partitioned": true } }));
    for name in ["plain", "said?partitioned=false"] {
        server.put(&format!("/{name}"), None).await.is(201, json!({}));
    }
    server.get("/plain").await.is(200, json!({ "props": {} }));
    server
        .put("/x?partitioned=tru", None)
        .await
        .fails(400, "bad_request", "Invalid `partitioned` parameter");
    for name in ["_replicator", "_users", "a%2F_users"] {
        server
            .put(&format!("/{name}?partitioned=true"), None)
            .await
            .fails(400, "bad_request", "Cannot partition a system database");
    }
    for path in ["foo", "foo/_all_docs", "foo/_index", "foo/x"] {
        server.get(&format!("/plain/_partition/{path}")).await.fails(
            400,
            "bad_request",
            "database is not partitioned",
        );
    }
    server.get("/plain/_all_docs?partition=foo").await.fails(
        400,
        "query_parse_error",
        "`partition` parameter is not supported on this db",
    );
}

#[tokio::test]
async fn what_a_partition_holds() {
    let server = partitioned().await;
    let info = server.get("/db/_partition/foo").await;
    info.is(
        200,
        json!({ "db_name": "db", "partition": "foo", "doc_count": 10, "doc_del_count": 0 }),
    );
    assert!(info.json()["sizes"]["external"].as_u64().unwrap() > 100);
    let rev = server.get("/db/foo:003").await.json()["_rev"]
        .as_str()
        .unwrap()
        .to_owned();
    let deletion = json!({ "_rev": rev, "_deleted": true });
    server.put("/db/foo:003", Some(deletion)).await.is(200, json!({}));
    let info = server.get("/db/_partition/foo").await;
    info.is(200, json!({ "doc_count": 9, "doc_del_count": 1 }));
    let none = server.get("/db/_partition/none").await;
    none.is(
        200,
        json!({ "doc_count": 0, "sizes": { "active": 0, "external": 0 } }),
    );
    for (path, error, reason) in [
        ("_partition", "bad_request", "invalid_partition_req"),
        (
            "_partition/_x",
            "illegal_partition",
            "Partition must not start with an underscore",
        ),
        (
            "_partition/a:b",
            "illegal_partition",
            "Partition must not contain a colon",
        ),
        (
            "_partition/foo/_all_docs?partition=bar",
            "bad_request",
            "Conflicting value for `partition` in query string",
        ),
    ] {
        server.get(&format!("/db/{path}")).await.fails(400, error, reason);
    }
    assert_eq!(server.post("/db/_partition/foo", json!({})).await.status, 405);
    server
        .get("/db/_partition/foo/_changes")
        .await
        .fails(404, "not_found", "missing");
}
