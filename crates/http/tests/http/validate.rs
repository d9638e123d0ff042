//! `validate_doc_update`: what design documents let pass, from clients and from peers.

use crate::harness::Server;
use serde_json::{Value, json};

const RULES: &str = "function (newDoc, oldDoc, userCtx, secObj) {
    if (newDoc.echo) throw {forbidden: JSON.stringify([newDoc, oldDoc, userCtx, secObj.members.roles])};
    if (newDoc.kind === 'secret') throw {unauthorized: 'who are you?'};
    if (newDoc.kind === 'odd') throw {odd: 'said so'};
    if (newDoc.kind === 'bug') newDoc.a.b.c;
    if (newDoc.kind === 'loop') while (true) {}
    if (oldDoc && oldDoc.locked && !newDoc.unlock) throw {forbidden: oldDoc._id + ' is locked'};
}";

async fn server() -> Server {
    let server = Server::with_db().await;
    let design = json!({ "validate_doc_update": RULES });
    server
        .put("/db/_design/rules", Some(design))
        .await
        .is(201, json!({}));
    server
}

#[tokio::test]
async fn clients_are_told_in_couchdbs_words() {
    let server = server().await;
    let put = async |kind: &str| server.put("/db/a", Some(json!({ "kind": kind }))).await;
    put("secret").await.fails(401, "unauthorized", "who are you?");
    put("odd").await.fails(500, "unknown_error", "said so");
    put("bug").await.is(500, json!({ "error": "TypeError" }));
    let loops = put("loop").await;
    loops.is(
        500,
        json!({ "reason": "the function took too long and was ended" }),
    );
    server.get("/db/a").await.is(404, json!({}));
    let rev = put("fine").await.is(201, json!({})).rev();
    let locked = json!({ "_rev": rev, "locked": true });
    let rev = server.put("/db/a", Some(locked)).await.rev();
    let edit = json!({ "_rev": rev, "x": 1 });
    let refused = server.put("/db/a", Some(edit)).await;
    refused.fails(403, "forbidden", "a is locked");
    let refused = server.call("DELETE", &format!("/db/a?rev={rev}"), None).await;
    refused.fails(403, "forbidden", "a is locked");
    let edit = json!({ "_rev": rev, "unlock": true });
    let rev = server.put("/db/a", Some(edit)).await.is(201, json!({})).rev();
    let deleted = server.call("DELETE", &format!("/db/a?rev={rev}"), None).await;
    assert_eq!(deleted.status, 200);
    // Local and design documents are none of its business.
    let echo = json!({ "echo": true });
    for path in ["/db/_local/x", "/db/_design/x"] {
        server.put(path, Some(echo.clone())).await.is(201, json!({}));
    }
}

#[tokio::test]
async fn functions_see_both_documents_and_who_asks() {
    let server = server().await;
    let rev = server.put("/db/a", Some(json!({ "old": 1 }))).await.rev();
    let refused = server.put("/db/a", Some(json!({ "_rev": rev, "echo": 1 }))).await;
    let reason = refused.is(403, json!({})).json()["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    let seen: Value = serde_json::from_str(&reason).unwrap();
    let new = &seen[0];
    assert_eq!((&new["_id"], &new["echo"]), (&json!("a"), &json!(1)));
    let new_rev = new["_rev"].as_str().unwrap();
    assert!(new_rev.starts_with("2-"), "{new}");
    let ids = json!([new_rev.split_once('-').unwrap().1, rev.split_once('-').unwrap().1]);
    assert_eq!(new["_revisions"], json!({ "start": 2, "ids": ids }));
    assert_eq!(seen[1], json!({ "_id": "a", "_rev": rev, "old": 1 }));
    assert_eq!(seen[2], json!({ "db": "db", "name": null, "roles": ["_admin"] }));
    assert_eq!(seen[3], json!(["_admin"]));
    let security = json!({ "members": { "roles": ["staff"] }, "admins": {} });
    server.put("/db/_security", Some(security)).await;
    let refused = server.put("/db/b", Some(json!({ "echo": 1 }))).await.json();
    let seen: Value = serde_json::from_str(refused["reason"].as_str().unwrap()).unwrap();
    assert_eq!((&seen[1], &seen[3]), (&Value::Null, &json!(["staff"])));
}

#[tokio::test]
async fn others_of_a_batch_are_written() {
    let server = server().await;
    let docs = json!({ "docs": [{ "_id": "a" }, { "_id": "b", "kind": "secret" }, { "_id": "c" }] });
    let rows = server.post("/db/_bulk_docs", docs).await.json();
    let refusal = json!({ "id": "b", "error": "unauthorized", "reason": "who are you?" });
    assert_eq!(
        (&rows[0]["ok"], &rows[1], &rows[2]["ok"]),
        (&json!(true), &refusal, &json!(true))
    );
    let docs = json!({ "new_edits": false, "docs": [
        { "_id": "d", "_rev": "1-aa" }, { "_id": "e", "_rev": "1-bb", "kind": "secret" } ] });
    let rows = server.post("/db/_bulk_docs", docs).await.json();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(
        (&rows[0]["id"], &rows[0]["error"]),
        (&json!("e"), &json!("unauthorized"))
    );
    server.get("/db/d").await.is(200, json!({ "_rev": "1-aa" }));
    server.get("/db/e").await.is(404, json!({}));
}

#[tokio::test]
async fn every_design_document_is_asked_and_selectors_are_rules_too() {
    let server = server().await;
    let selector = json!({ "validate_doc_update": { "kind": { "$exists": true } } });
    let rev = server.put("/db/_design/kinds", Some(selector)).await.rev();
    let refused = server.put("/db/a", Some(json!({ "x": 1 }))).await;
    let reason = "The document does not match validate_doc_update of _design/kinds.";
    refused.fails(403, "forbidden", reason);
    let secret = server.put("/db/a", Some(json!({ "kind": "secret" }))).await;
    secret.is(401, json!({}));
    server
        .put("/db/a", Some(json!({ "kind": "x" })))
        .await
        .is(201, json!({}));
    // Gone with its design document.
    let path = format!("/db/_design/kinds?rev={rev}");
    server.call("DELETE", &path, None).await.is(200, json!({}));
    server
        .put("/db/b", Some(json!({ "x": 1 })))
        .await
        .is(201, json!({}));
    let broken = json!({ "validate_doc_update": "function (" });
    server
        .put("/db/_design/broken", Some(broken))
        .await
        .is(201, json!({}));
    let refused = server.put("/db/c", Some(json!({}))).await;
    assert_eq!(refused.status, 500, "{}", refused.text());
}

#[tokio::test]
async fn replications_go_on_without_what_is_refused() {
    let source = Server::with_db().await;
    for (id, kind) in [("a", "x"), ("b", "secret"), ("c", "y")] {
        source
            .put(&format!("/db/{id}"), Some(json!({ "kind": kind })))
            .await;
    }
    let target = server().await;
    for source in [format!("{}/db", source.url), "copy".to_owned()] {
        if source == "copy" {
            target.put("/copy", None).await;
            for (id, kind) in [("new", "secret"), ("other", "x")] {
                let doc = json!({ "kind": kind });
                target
                    .put(&format!("/copy/{id}"), Some(doc))
                    .await
                    .is(201, json!({}));
            }
        }
        let job = json!({ "source": source, "target": "db" });
        let answer = target.post("/_replicate", job).await;
        let session = &answer.is(200, json!({ "ok": true })).json()["history"][0];
        assert_eq!(session["doc_write_failures"], json!(1), "{session}");
    }
    target.get("/db/a").await.is(200, json!({}));
    target.get("/db/b").await.is(404, json!({}));
    target.get("/db/c").await.is(200, json!({}));
    target.get("/db/new").await.is(404, json!({}));
    target.get("/db/other").await.is(200, json!({}));
}
