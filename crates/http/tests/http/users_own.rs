//! The database `_users` as users and administrators of databases see it.

use crate::auth::{quick, with};
use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use trunkline_http::{Authentication, Passwords};

const ANNA: &str = "/_users/org.couchdb.user:anna";
const BEN: &str = "/_users/org.couchdb.user:ben";

/// By somebody whose password is the name; root's is another.
async fn call(server: &Server, name: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let password = if name == "root" { "toor" } else { name };
    let mut request = server.request(method, path).basic_auth(name, Some(password));
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    server.send(request).await
}

async fn with_users(authentication: Authentication) -> Server {
    let server = with(authentication).await;
    for name in ["anna", "ben"] {
        let doc = json!({ "type": "user", "name": name, "roles": ["r"], "password": name, "mail": "m" });
        let path = format!("/_users/org.couchdb.user:{name}");
        call(&server, "root", "PUT", &path, Some(doc))
            .await
            .is(201, json!({}));
    }
    server
}

#[tokio::test]
async fn each_sees_the_own_document_and_no_other() {
    let server = with_users(Authentication::default()).await;
    call(&server, "anna", "GET", ANNA, None)
        .await
        .is(200, json!({ "name": "anna" }));
    call(&server, "anna", "GET", BEN, None)
        .await
        .fails(404, "not_found", "missing");
    assert_eq!(server.get(ANNA).await.status, 401);
    for path in [
        "/_users/_all_docs?include_docs=true",
        "/_users/_changes?include_docs=true",
        "/_users/org.couchdb.user:ben?rev=1-0&open_revs=all",
        "/_users/_design/x",
    ] {
        let answer = call(&server, "anna", "GET", path, None).await;
        assert!(
            !answer.text().contains("derived_key\":") || !answer.text().contains("\"name\":\"ben\""),
            "{path}"
        );
        assert!(
            !answer.text().contains("user:ben") || answer.status >= 400,
            "{path}: {}",
            answer.text()
        );
    }
    let found = call(
        &server,
        "anna",
        "POST",
        "/_users/_find",
        Some(json!({ "selector": {} })),
    )
    .await;
    assert!(!found.text().contains("ben"), "{}", found.text());
    let got = json!({ "docs": [{ "id": "org.couchdb.user:ben" }] });
    let got = call(&server, "anna", "POST", "/_users/_bulk_get", Some(got)).await;
    assert!(!got.text().contains("derived_key"), "{}", got.text());
    call(&server, "root", "GET", BEN, None)
        .await
        .is(200, json!({ "name": "ben" }));
}

#[tokio::test]
async fn each_changes_the_own_document_but_no_roles() {
    let server = with_users(Authentication::default()).await;
    let doc = call(&server, "anna", "GET", ANNA, None).await.json();
    let mut promoted = doc.clone();
    promoted["roles"] = json!(["r", "boss"]);
    call(&server, "anna", "PUT", ANNA, Some(promoted.clone()))
        .await
        .fails(403, "forbidden", "Only _admin may edit roles");
    promoted["password"] = json!("new");
    call(&server, "anna", "PUT", ANNA, Some(promoted))
        .await
        .is(403, json!({ "error": "forbidden" }));
    let planted = json!({ "type": "user", "name": "ben", "roles": [], "password": "mine" });
    let refused = call(&server, "anna", "PUT", BEN, Some(planted.clone())).await;
    assert!(matches!(refused.status, 403 | 404), "{}", refused.text());
    let mut bulk = planted;
    bulk["_id"] = json!("org.couchdb.user:ben");
    bulk["_rev"] = json!("9-f");
    let bulk = json!({ "docs": [bulk], "new_edits": false });
    call(&server, "anna", "POST", "/_users/_bulk_docs", Some(bulk)).await;
    assert_eq!(
        call(&server, "ben", "GET", BEN, None).await.status,
        200,
        "ben's password is his"
    );

    let mut changed = doc;
    changed["mail"] = json!("other");
    changed["password"] = json!("new");
    call(&server, "anna", "PUT", ANNA, Some(changed))
        .await
        .is(201, json!({ "ok": true }));
    assert_eq!(call(&server, "anna", "GET", ANNA, None).await.status, 401);
    let by_new = server.request("GET", ANNA).basic_auth("anna", Some("new"));
    server.send(by_new).await.is(200, json!({ "mail": "other" }));
}

#[tokio::test]
async fn administrators_keep_the_rules_too() {
    let server = with_users(Authentication::default()).await;
    let put = async |doc: Value| call(&server, "root", "PUT", "/_users/org.couchdb.user:cy", Some(doc)).await;
    put(json!({ "type": "user", "name": "cy", "roles": ["_admin"], "password": "x" }))
        .await
        .fails(
            403,
            "forbidden",
            "No system roles (starting with underscore) in users db.",
        );
    put(json!({ "type": "user", "name": "other", "roles": [] }))
        .await
        .fails(
            403,
            "forbidden",
            "Doc ID must be of the form org.couchdb.user:name",
        );
    let stranger = call(&server, "root", "PUT", "/_users/anything", Some(json!({}))).await;
    assert_eq!(stranger.status, 403);
}

#[tokio::test]
async fn public_fields() {
    let listed = ["name", "mail", "derived_key"].map(str::to_owned);
    let server = with_users(Authentication {
        passwords: Passwords {
            public_fields: listed.into(),
            ..quick()
        },
        ..Authentication::default()
    })
    .await;
    let ben = call(&server, "anna", "GET", BEN, None).await.json();
    assert_eq!((&ben["name"], &ben["mail"]), (&json!("ben"), &json!("m")));
    assert_eq!((ben.get("roles"), ben.get("derived_key")), (None, None));
    call(&server, "anna", "GET", ANNA, None)
        .await
        .is(200, json!({ "roles": ["r"] }));
    assert_eq!(server.get(BEN).await.status, 401);
}
