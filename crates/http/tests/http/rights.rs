//! What users may do in a database: CouchDB's members and admins, and grants beside them.

use crate::harness::Server;
use serde_json::{Value, json};
use std::time::Duration;

const ADMIN: (&str, &str) = ("root", "s3cret");
const ANNA: (&str, &str) = ("anna", "pw");

/// A server with the user anna, a database, and this for its `_security`.
async fn with_security(security: Value) -> Server {
    let server = Server::with_admin(ADMIN.0, ADMIN.1).await;
    let anna = json!({ "name": ANNA.0, "password": ANNA.1, "type": "user", "roles": ["clerk"] });
    server
        .put("/_users/org.couchdb.user:anna", Some(anna))
        .await
        .is(201, json!({}));
    server.put("/db", None).await.is(201, json!({}));
    for id in ["mine", "theirs"] {
        server
            .put(&format!("/db/{id}"), Some(json!({ "of": id })))
            .await
            .is(201, json!({}));
    }
    server
        .put("/db/_security", Some(security))
        .await
        .is(200, json!({ "ok": true }));
    server
}

/// As anna from here on.
fn anna(mut server: Server) -> Server {
    server.user = Some(ANNA);
    server
}

const NOT_ALLOWED: &str = "You are not allowed to access this db.";
const NOT_ADMIN: &str = "You are not a db or server admin.";

#[tokio::test]
async fn members_and_admins() {
    let new = anna(with_security(json!({ "members": { "names": ["ben"] } })).await);
    new.get("/db/mine").await.fails(403, "forbidden", NOT_ALLOWED);
    let nobody = new.send(new.client.get(format!("{}/db/mine", new.url))).await;
    nobody.fails(401, "unauthorized", "You are not authorized to access this db.");
    assert_eq!(nobody.header("www-authenticate"), "Basic realm=\"Trunkline\"");

    let member = anna(with_security(json!({ "members": { "roles": ["clerk"] } })).await);
    member.get("/db/mine").await.is(200, json!({ "of": "mine" }));
    member.put("/db/new", Some(json!({}))).await.is(201, json!({}));
    member
        .put("/db/_design/x", Some(json!({})))
        .await
        .fails(403, "forbidden", NOT_ADMIN);
    let docs = json!({ "docs": [{ "_id": "a" }, { "_id": "_design/y" }] });
    let bulk = member.post("/db/_bulk_docs", docs).await.json();
    assert_eq!(
        (&bulk[0]["ok"], &bulk[1]["error"]),
        (&json!(true), &json!("forbidden")),
        "{bulk}"
    );
    member
        .put("/db/_security", Some(json!({})))
        .await
        .fails(403, "forbidden", NOT_ADMIN);
    member
        .call("DELETE", "/db", None)
        .await
        .fails(403, "forbidden", "You are not a server admin.");

    let admin = anna(
        with_security(json!({ "admins": { "names": ["anna"] }, "members": { "names": ["ben"] } })).await,
    );
    admin
        .put("/db/_design/x", Some(json!({})))
        .await
        .is(201, json!({}));
    admin
        .put("/db/_security", Some(json!({})))
        .await
        .is(200, json!({}));
    admin.call("DELETE", "/db", None).await.is(403, json!({}));

    let public = anna(with_security(json!({})).await);
    public.get("/db/mine").await.is(200, json!({}));
}

#[tokio::test]
async fn the_last_grant_leaves_nobody_behind() {
    let closed = anna(with_security(json!({ "grants": [] })).await);
    closed.get("/db/mine").await.fails(403, "forbidden", NOT_ALLOWED);
}

#[tokio::test]
async fn who_does_not_read_and_write_all_has_checkpoints_of_its_own() {
    let of_others = json!({ "names": ["anna"], "may": ["read"], "selector": { "of": "mine" } });
    for (may, more) in [
        ("replicate-in", None),
        ("replicate-out", None),
        ("write", None),
        ("write", Some(of_others)),
    ] {
        let grant = json!({ "names": ["anna"], "may": [may] });
        let grants: Vec<Value> = [grant].into_iter().chain(more).collect();
        let mut server = with_security(json!({ "grants": grants })).await;
        let path = "/db/_local/run";
        server
            .put(path, Some(json!({ "of": "root" })))
            .await
            .is(201, json!({}));
        server = anna(server);
        assert_eq!(server.get(path).await.status, 404);
        server
            .put(path, Some(json!({ "of": "anna" })))
            .await
            .is(201, json!({}));
        server.get(path).await.is(200, json!({ "of": "anna" }));
        if may == "replicate-out" {
            let all = server.get("/db/_local_docs?include_docs=true").await.json();
            let rows = all["rows"].as_array().unwrap();
            assert_eq!(rows.len(), 1, "{all}");
            assert_eq!(
                (&rows[0]["id"], &rows[0]["doc"]["of"]),
                (&json!("_local/run"), &json!("anna"))
            );
        }
        server.user = Some(ADMIN);
        server.get(path).await.is(200, json!({ "of": "root" }));
    }
    let both = json!({ "grants": [{ "names": ["anna"], "may": ["write", "replicate-out"] }] });
    let mut server = with_security(both).await;
    let checkpoint = json!({ "of": "root" });
    server.put("/db/_local/run", Some(checkpoint.clone())).await;
    server = anna(server);
    server.get("/db/_local/run").await.is(200, checkpoint);
}

#[tokio::test]
async fn rights_one_by_one() {
    let granted = |may: Value| json!({ "grants": [{ "roles": ["clerk"], "may": may }] });
    let reader = anna(with_security(granted(json!(["read"]))).await);
    reader.get("/db/mine").await.is(200, json!({}));
    let needs = "This needs the right to write or replicate-in or configure in this database.";
    reader
        .put("/db/new", Some(json!({})))
        .await
        .fails(403, "forbidden", needs);

    let writer = anna(with_security(granted(json!(["write"]))).await);
    writer.put("/db/new", Some(json!({}))).await.is(201, json!({}));
    writer
        .get("/db/mine")
        .await
        .is(403, json!({ "error": "forbidden" }));
    let brought = json!({ "new_edits": false, "docs": [{ "_id": "b", "_rev": "1-abc" }] });
    let refused = writer.post("/db/_bulk_docs", brought.clone()).await.json();
    let needs = "This needs the right to replicate-in in this database.";
    assert_eq!(
        (&refused[0]["error"], &refused[0]["reason"]),
        (&json!("forbidden"), &json!(needs))
    );

    let bringer = anna(with_security(granted(json!(["replicate-in"]))).await);
    assert_eq!(bringer.post("/db/_bulk_docs", brought).await.json(), json!([]));
    bringer.put("/db/new", Some(json!({}))).await.is(403, json!({}));

    let keeper = anna(with_security(granted(json!(["configure"]))).await);
    keeper
        .put("/db/_design/x", Some(json!({})))
        .await
        .is(201, json!({}));
    keeper.get("/db/mine").await.is(403, json!({}));
}

#[tokio::test]
async fn attachments_are_changed_by_who_writes_and_in_what_is_seen() {
    let of = |may: &str| json!({ "grants": [{ "roles": ["clerk"], "may": [may] }] });
    for (may, status, error, reason) in [
        (
            "replicate-in",
            403,
            "forbidden",
            "This needs the right to write in this database.",
        ),
        // As of a revision that is not there: CouchDB's words and status.
        ("write", 409, "not_found", "missing_rev"),
    ] {
        let mut server = with_security(of(may)).await;
        server.user = Some(ADMIN);
        let rev = server.get("/db/mine").await.rev_of_doc();
        server = anna(server);
        for path in [
            format!("mine/a?rev={rev}"),
            "mine/a?rev=1-0".into(),
            "none/a?rev=1-0".into(),
        ] {
            for method in ["PUT", "DELETE"] {
                let body = (method == "PUT").then(|| json!({}));
                let answer = server.call(method, &format!("/db/{path}"), body).await;
                answer.fails(status, error, reason);
            }
        }
    }
    // Who configures sees the design documents that he changes.
    let mut server = with_security(of("configure")).await;
    server.user = Some(ADMIN);
    let made = server.put("/db/_design/x", Some(json!({}))).await.json();
    let path = format!("/db/_design/x/a?rev={}", made["rev"].as_str().unwrap());
    server = anna(server);
    server.put(&path, Some(json!({}))).await.is(201, json!({}));
}

#[tokio::test]
async fn who_is_bound_writes_what_is_his() {
    let selector = json!({ "of": "mine" });
    let bound = json!({ "grants": [{ "names": ["anna"], "may": ["read", "write"], "selector": selector }] });
    let server = anna(with_security(bound).await);
    let rev = server.get("/db/mine").await.rev_of_doc();
    server.get("/db/theirs").await.fails(404, "not_found", "missing");
    server
        .put("/db/more", Some(json!({ "of": "mine" })))
        .await
        .is(201, json!({}));
    for (id, doc) in [
        ("other", json!({ "of": "theirs" })),
        ("theirs", json!({ "of": "mine" })),
        ("mine", json!({ "_rev": rev })),
    ] {
        server
            .put(&format!("/db/{id}"), Some(doc))
            .await
            .is(403, json!({ "error": "forbidden" }));
    }
    server
        .call("DELETE", &format!("/db/mine?rev={rev}"), None)
        .await
        .is(200, json!({ "ok": true }));
    let all = server.get("/db/_all_docs").await.json();
    assert_eq!(
        (all["rows"].as_array().unwrap().len(), &all["rows"][0]["id"]),
        (1, &json!("more")),
        "{all}"
    );
}

#[tokio::test]
async fn a_feed_ends_when_its_rights_do() {
    let mut server = with_security(json!({ "members": { "names": ["anna"] } })).await;
    server.user = Some(ANNA);
    let feed = server.request("GET", "/db/_changes?feed=continuous&heartbeat=20");
    let mut feed = feed.send().await.unwrap();
    assert!(feed.chunk().await.unwrap().is_some());
    server.user = Some(ADMIN);
    server
        .put("/db/_security", Some(json!({ "members": { "names": ["ben"] } })))
        .await
        .is(200, json!({}));
    let ended = async { while let Ok(Some(_)) = feed.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .unwrap();
    server.put("/db/later", Some(json!({}))).await.is(201, json!({}));
}

#[tokio::test]
async fn a_feed_ends_with_its_user() {
    let mut server = with_security(json!({ "members": { "names": ["anna"] } })).await;
    let id = "/_users/org.couchdb.user:anna";
    let rev = server.get(id).await.rev_of_doc();
    server.user = Some(ANNA);
    let feed = server.request("GET", "/db/_changes?feed=continuous&heartbeat=20");
    let mut feed = feed.send().await.unwrap();
    assert!(feed.chunk().await.unwrap().is_some());
    server.user = Some(ADMIN);
    // Another user's coming changes nothing for anna.
    let ben = json!({ "name": "ben", "password": "pw", "type": "user", "roles": [] });
    server
        .put("/_users/org.couchdb.user:ben", Some(ben))
        .await
        .is(201, json!({}));
    for _ in 0..5 {
        assert!(feed.chunk().await.unwrap().is_some());
    }
    server
        .call("DELETE", &format!("{id}?rev={rev}"), None)
        .await
        .is(200, json!({}));
    let ended = async { while let Ok(Some(_)) = feed.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .unwrap();
}

#[tokio::test]
async fn replications_are_for_administrators_of_the_server() {
    let server = with_security(json!({})).await;
    for name in ["_replicator", "acme%2F_replicator"] {
        let _ = server.put(&format!("/{name}"), None).await;
        let open = json!({ "members": { "names": ["anna"] } });
        server
            .put(&format!("/{name}/_security"), Some(open))
            .await
            .is(200, json!({}));
    }
    let server = anna(server);
    let job = json!({ "source": "_users", "target": "http://127.0.0.1:9/x" });
    for name in ["_replicator", "acme%2F_replicator"] {
        for answer in [
            server.put(&format!("/{name}/job"), Some(job.clone())).await,
            server.get(&format!("/{name}/_all_docs")).await,
        ] {
            answer.fails(403, "forbidden", "You are not a server admin.");
        }
    }
}
