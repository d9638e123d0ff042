//! Resources of the server itself.

use crate::harness::Server;
use serde_json::json;

#[tokio::test]
async fn welcome_names_version_uuid_and_vendor() {
    let server = Server::start().await;
    let answer = server.get("/").await;
    answer.is(200, json!({ "couchdb": "Welcome", "version": "3.5.2" }));
    let welcome = answer.json();
    assert_eq!(welcome["uuid"].as_str().unwrap().len(), 32);
    assert_eq!(welcome["vendor"]["name"], "Trunkline");
    let keys: Vec<&str> = welcome.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["couchdb", "version", "uuid", "features", "vendor"]);
    assert_eq!(server.get("/").await.json()["uuid"], welcome["uuid"]);
    for name in ["server", "date", "x-couch-request-id"] {
        assert!(!answer.header(name).is_empty());
    }
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "must-revalidate");
}

#[tokio::test]
async fn fixed_answers() {
    let server = Server::start().await;
    server
        .get("/_up")
        .await
        .is(200, json!({ "status": "ok", "seeds": {} }));
    server
        .get("/_membership")
        .await
        .is(200, json!({ "all_nodes": ["nonode@nohost"] }));
    server.get("/_active_tasks").await;
    assert_eq!(server.get("/_active_tasks").await.json(), json!([]));
    server.get("/_session").await.is(
        200,
        json!({ "ok": true, "userCtx": { "name": null, "roles": ["_admin"] } }),
    );
    let stranger = json!({ "name": "anna", "password": "x" });
    assert_eq!(server.post("/_session", stranger).await.status, 404);
    assert_eq!(server.get("/favicon.ico").await.status, 204);
    assert_eq!(server.call("HEAD", "/", None).await.status, 200);
}

#[tokio::test]
async fn request_ids_are_kept_or_made() {
    let server = Server::start().await;
    let own = server.get_with("/", "x-couch-request-id", "mine-1").await;
    assert_eq!(own.header("x-couch-request-id"), "mine-1");
    let bad = server.get_with("/", "x-couch-request-id", "a b").await;
    assert_ne!(bad.header("x-couch-request-id"), "a b");
}

#[tokio::test]
async fn uuids_are_ordered_and_counted() {
    let server = Server::start().await;
    let answer = server.get("/_uuids?count=100").await;
    let uuids = answer.json()["uuids"].as_array().unwrap().clone();
    assert_eq!(uuids.len(), 100);
    assert!(uuids.iter().all(|uuid| uuid.as_str().unwrap().len() == 32));
    assert!(uuids.is_sorted_by_key(|uuid| uuid.as_str().unwrap().to_owned()));
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(
        server.get("/_uuids").await.json()["uuids"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    server
        .get("/_uuids?count=x")
        .await
        .fails(400, "bad_request", "count is not an integer");
    server
        .get("/_uuids?count=1001")
        .await
        .fails(400, "bad_request", "count parameter too large");
    server
        .get("/_uuids?count=-1")
        .await
        .fails(400, "bad_request", "invalid count");
}

#[tokio::test]
async fn methods_that_are_not_there_are_named() {
    let server = Server::with_db().await;
    for (method, path, allowed) in [
        ("POST", "/", "GET,HEAD"),
        ("PUT", "/_all_dbs", "GET,HEAD"),
        ("GET", "/_replicate", "POST"),
        ("POST", "/_uuids", "GET,HEAD"),
        ("PATCH", "/db", "DELETE,GET,HEAD,POST,PUT"),
        ("DELETE", "/db/_all_docs", "GET,HEAD,POST"),
        ("GET", "/db/_bulk_docs", "POST"),
        ("GET", "/db/_revs_diff", "POST"),
        ("POST", "/db/_revs_limit", "GET,HEAD,PUT"),
        ("PATCH", "/db/doc", "COPY,DELETE,GET,HEAD,POST,PUT"),
        ("POST", "/db/doc/att", "DELETE,GET,HEAD,PUT"),
    ] {
        let answer = server.call(method, path, None).await;
        answer.fails(405, "method_not_allowed", &format!("Only {allowed} allowed"));
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn content_types_are_demanded_where_couchdb_does() {
    let server = Server::with_db().await;
    for path in [
        "/db",
        "/db/_all_docs",
        "/db/_bulk_docs",
        "/db/_bulk_get",
        "/db/_changes",
        "/db/_compact",
        "/db/_ensure_full_commit",
        "/db/_missing_revs",
        "/db/_purge",
        "/db/_revs_diff",
        "/_replicate",
    ] {
        let reason = "Content-Type must be application/json";
        let bare = server.send(server.request("POST", path).body("{}")).await;
        bare.fails(415, "bad_content_type", reason);
        let form = server
            .request("POST", path)
            .header("content-type", "text/plain")
            .body("{}");
        server.send(form).await.fails(415, "bad_content_type", reason);
    }
}

#[tokio::test]
async fn bodies_that_are_not_json() {
    let server = Server::with_db().await;
    for (method, path) in [
        ("POST", "/db"),
        ("PUT", "/db/doc"),
        ("POST", "/db/_bulk_docs"),
        ("PUT", "/db/_security"),
    ] {
        let request = server
            .request(method, path)
            .header("content-type", "application/json")
            .body("{nope");
        server
            .send(request)
            .await
            .fails(400, "bad_request", "invalid UTF-8 JSON");
    }
}

#[tokio::test]
async fn replications_that_cannot_start() {
    let server = Server::start().await;
    assert_eq!(
        server.post("/_replicate", json!({ "target": "b" })).await.status,
        400
    );
    assert_eq!(
        server
            .post("/_replicate", json!({ "cancel": true, "replication_id": "x" }))
            .await
            .status,
        404
    );
    let filter = json!({ "source": "a", "target": "b", "filter": "x/y" });
    assert_eq!(server.post("/_replicate", filter).await.status, 404);
}

#[tokio::test]
async fn an_open_server_is_not_put_on_the_network() {
    let dir = tempfile::tempdir().unwrap();
    let store = trunkline_store::Store::open(dir.path()).unwrap();
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let config = trunkline_http::Config::default();
    let served = trunkline_http::serve(listener, store, config, std::future::pending()).await;
    let refused = served.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(refused.to_string().contains("no administrator"), "{refused}");
}
