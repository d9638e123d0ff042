//! Databases: making, describing, listing and deleting them; their settings.

use crate::harness::Server;
use serde_json::{Value, json};

#[tokio::test]
async fn a_database_is_made_described_and_deleted() {
    let server = Server::start().await;
    let made = server.put("/db", None).await;
    made.is(201, json!({ "ok": true }));
    assert!(made.header("location").ends_with("/db"));
    let again = server.put("/db", None).await;
    again.fails(
        412,
        "file_exists",
        "The database could not be created, the file already exists.",
    );

    for path in ["/db", "/db/"] {
        let answer = server.get(path).await;
        answer.is(
            200,
            json!({ "db_name": "db", "doc_count": 0, "doc_del_count": 0, "compact_running": false }),
        );
        let info = answer.json();
        assert!(info["instance_start_time"].is_string());
        assert!(info["update_seq"].as_str().unwrap().starts_with("0-"), "{info}");
        assert!(info["sizes"]["file"].as_u64().unwrap() > 0, "{info}");
    }
    assert_eq!(server.call("HEAD", "/db", None).await.status, 200);

    let faulty = server.call("DELETE", "/db?rev=1-a", None).await;
    assert_eq!(faulty.status, 400);
    server
        .call("DELETE", "/db", None)
        .await
        .is(200, json!({ "ok": true }));
    for method in ["GET", "DELETE"] {
        server
            .call(method, "/db", None)
            .await
            .fails(404, "not_found", "Database does not exist.");
    }
    assert_eq!(server.call("HEAD", "/db", None).await.status, 404);
    server
        .get("/db/doc")
        .await
        .fails(404, "not_found", "Database does not exist.");
}

#[tokio::test]
async fn a_database_made_anew_tells_it_apart() {
    let server = Server::with_db().await;
    let commit = server.post("/db/_ensure_full_commit", json!({})).await;
    commit.is(201, json!({ "ok": true }));
    let before = commit.json()["instance_start_time"].clone();
    assert_eq!(server.get("/db").await.json()["instance_start_time"], before);
    server.call("DELETE", "/db", None).await;
    server.put("/db", None).await;
    assert_ne!(server.get("/db").await.json()["instance_start_time"], before);
}

#[tokio::test]
async fn names() {
    let server = Server::start().await;
    for name in ["account%2Ff1%2F2024-01", "a%2Bb", "a+c", "x_$()-"] {
        assert_eq!(server.put(&format!("/{name}"), None).await.status, 201, "{name}");
        assert_eq!(
            server.put(&format!("/{name}/doc"), Some(json!({}))).await.status,
            201,
            "{name}"
        );
        assert_eq!(server.get(&format!("/{name}/doc")).await.status, 200, "{name}");
    }
    let all = server.get("/_all_dbs").await.json();
    assert_eq!(all, json!(["a+b", "a+c", "account/f1/2024-01", "x_$()-"]));
    for name in ["Upper", "1a", "a.b", "_other", "a%20b"] {
        let answer = server.put(&format!("/{name}"), None).await;
        answer.is(400, json!({ "error": "illegal_database_name" }));
        assert!(answer.json()["reason"].as_str().unwrap().starts_with("Name: '"));
        server
            .get(&format!("/{name}"))
            .await
            .fails(404, "not_found", "Database does not exist.");
    }
    let long = format!("/{}", "a".repeat(239));
    server
        .put(&long, None)
        .await
        .is(400, json!({ "error": "database_name_too_long" }));
}

#[tokio::test]
async fn ranges_of_names() {
    let server = Server::start().await;
    for name in ["a", "b", "c", "d"] {
        server.put(&format!("/{name}"), None).await;
    }
    for (query, expected) in [
        ("", json!(["a", "b", "c", "d"])),
        ("startkey=\"b\"", json!(["b", "c", "d"])),
        ("start_key=\"b\"&end_key=\"c\"", json!(["b", "c"])),
        (
            "startkey=\"b\"&endkey=\"d\"&inclusive_end=false",
            json!(["b", "c"]),
        ),
        ("descending=true", json!(["d", "c", "b", "a"])),
        ("descending=true&startkey=\"c\"&endkey=\"b\"", json!(["c", "b"])),
        ("limit=2&skip=1", json!(["b", "c"])),
        ("limit=0", json!([])),
    ] {
        assert_eq!(
            server.get(&format!("/_all_dbs?{query}")).await.json(),
            expected,
            "{query}"
        );
    }
    server
        .get("/_all_dbs?startkey=b")
        .await
        .fails(400, "bad_request", "invalid UTF-8 JSON");
    server
        .get("/_all_dbs?limit=x")
        .await
        .fails(400, "query_parse_error", "Invalid value for integer: \"x\"");
    let descending = server.get("/_all_dbs?descending=maybe").await;
    descending.fails(400, "query_parse_error", "Invalid boolean parameter: \"maybe\"");
}

#[tokio::test]
async fn infos_of_many() {
    let server = Server::start().await;
    for name in ["a", "b"] {
        server.put(&format!("/{name}"), None).await;
    }
    let some = server
        .post("/_dbs_info", json!({ "keys": ["b", "none", "a"] }))
        .await
        .json();
    let keys: Vec<&Value> = some.as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, ["b", "none", "a"]);
    assert_eq!(some[0]["info"]["db_name"], "b");
    assert_eq!(some[1], json!({ "key": "none", "error": "not_found" }));
    assert_eq!(
        server
            .get("/_dbs_info?startkey=\"b\"")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    server.put("/a-bad", None).await;
    let file = server.dir.path().join("databases/a-bad/documents.redb");
    std::fs::write(file, "no redb").unwrap();
    let some = server.get("/_dbs_info").await.json();
    assert_eq!(
        some[1],
        json!({ "key": "a-bad", "error": "internal_server_error" })
    );
    assert_eq!(some[2]["info"]["db_name"], "b");
    server
        .post("/_dbs_info", json!({}))
        .await
        .fails(400, "bad_request", "`keys` member must exist.");
}

#[tokio::test]
async fn settings_are_kept() {
    let server = Server::with_db().await;
    assert_eq!(server.get("/db/_revs_limit").await.text(), "1000\n");
    server
        .put("/db/_revs_limit", Some(json!(5)))
        .await
        .is(200, json!({ "ok": true }));
    assert_eq!(server.get("/db/_revs_limit").await.text(), "5\n");
    assert_eq!(server.put("/db/_revs_limit", Some(json!(0))).await.status, 400);
    assert_eq!(server.get("/db/_purged_infos_limit").await.text(), "1000\n");
    server
        .put("/db/_purged_infos_limit", Some(json!(7)))
        .await
        .is(200, json!({ "ok": true }));
    assert_eq!(server.get("/db/_purged_infos_limit").await.text(), "7\n");

    let security = server.get("/db/_security").await.json();
    assert_eq!(security["members"]["roles"], json!(["_admin"]));
    let own = json!({ "admins": { "names": ["bob"], "roles": [] }, "members": { "names": ["a"] }, "x": 1 });
    server
        .put("/db/_security", Some(own.clone()))
        .await
        .is(200, json!({ "ok": true }));
    assert_eq!(server.get("/db/_security").await.json(), own);
    let bad = server
        .put("/db/_security", Some(json!({ "admins": { "names": [1] } })))
        .await;
    bad.fails(400, "bad_request", "names must be a JSON list of strings");
}

#[tokio::test]
async fn maintenance_and_what_is_not_there() {
    let server = Server::with_db().await;
    server
        .post("/db/_compact", json!({}))
        .await
        .is(202, json!({ "ok": true }));
    server
        .post("/db/_view_cleanup", json!({}))
        .await
        .is(202, json!({ "ok": true }));
    let nowhere = server.post("/none/_find", json!({ "selector": {} })).await;
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn purged_documents_are_gone_and_remembered() {
    let server = Server::with_db().await;
    let rev = server.put("/db/doc", Some(json!({ "a": 1 }))).await.rev();
    let purged = server.post("/db/_purge", json!({ "doc": [rev, "9-aa"] })).await;
    purged.is(201, json!({ "purge_seq": null, "purged": { "doc": [rev] } }));
    server.get("/db/doc").await.fails(404, "not_found", "missing");
    let infos = server.get("/db/_purged_infos").await.json();
    assert_eq!(infos, json!({ "purged_infos": [{ "id": "doc", "revs": [rev] }] }));
    assert_eq!(server.get("/db").await.json()["doc_count"], 0);
}

#[tokio::test]
async fn updates_of_databases() {
    let server = Server::start().await;
    server.put("/a", None).await;
    let first = server.get("/_db_updates").await.json();
    assert_eq!(first["results"][0]["db_name"], "a");
    assert_eq!(first["results"][0]["type"], "created");
    let since = first["last_seq"].as_str().unwrap().to_owned();
    assert_eq!(
        server.get(&format!("/_db_updates?since={since}")).await.json()["results"],
        json!([])
    );
    let path = format!("/_db_updates?feed=longpoll&since={since}");
    let (news, _) = tokio::join!(server.get(&path), server.put("/a/doc", Some(json!({}))));
    assert_eq!(news.json()["results"][0]["type"], "updated");
}

#[tokio::test]
async fn a_mirror_takes_what_is_replicated_and_refuses_edits() {
    let server = Server::start().await;
    server.put("/db", None).await;
    assert_eq!(server.get("/db/_mirror").await.text(), "false\n");
    assert_eq!(server.put("/db/_mirror", Some(json!("yes"))).await.status, 400);
    assert_eq!(server.put("/db/_mirror", Some(json!(true))).await.status, 200);
    let refused = server.put("/db/doc", Some(json!({}))).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("mirror"), "{}", refused.text());
    let refused = server
        .post("/db/_bulk_docs", json!({"docs": [{"_id": "doc"}]}))
        .await;
    assert!(refused.text().contains("forbidden"), "{}", refused.text());
    let replicated = json!({"new_edits": false, "docs": [{"_id": "doc", "_rev": "1-a"}]});
    assert_eq!(server.post("/db/_bulk_docs", replicated).await.text(), "[]\n");
    assert_eq!(server.get("/db/doc").await.status, 200);
    assert_eq!(server.put("/db/_local/mine", Some(json!({}))).await.status, 201);
    assert_eq!(server.put("/db/_mirror", Some(json!(false))).await.status, 200);
    assert_eq!(server.put("/db/other", Some(json!({}))).await.status, 201);
}
