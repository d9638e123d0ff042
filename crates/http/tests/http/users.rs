//! Users of the database `_users`: their passwords, and what is forgotten when one changes.

use crate::auth::{get_as, quick, with};
use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use trunkline_http::{Authentication, Config, Passwords, Secret};

const ANNA: &str = "/_users/org.couchdb.user:anna";

async fn as_root(server: &Server, method: &str, path: &str, body: Option<Value>) -> Answer {
    let mut request = server.request(method, path).basic_auth("root", Some("toor"));
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    server.send(request).await
}

fn user(name: &str, password: &str) -> Value {
    json!({ "type": "user", "name": name, "roles": ["reader"], "password": password })
}

async fn with_anna() -> Server {
    let server = with(Authentication::default()).await;
    as_root(&server, "PUT", ANNA, Some(user("anna", "one")))
        .await
        .is(201, json!({ "ok": true }));
    server
}

async fn roles(server: &Server, name: &str, password: &str) -> Option<Value> {
    let answer = get_as(server, "/_session", name, password).await;
    (answer.status == 200).then(|| answer.json()["userCtx"]["roles"].clone())
}

#[tokio::test]
async fn the_database_is_there_from_the_start() {
    let server = with(Authentication::default()).await;
    let all = as_root(&server, "GET", "/_all_dbs", None).await.json();
    assert_eq!(all, json!(["_users"]));
    // Nobody needs it where everyone is an administrator.
    let open = Server::start().await;
    assert_eq!(open.get("/_all_dbs").await.json(), json!([]));
}

#[tokio::test]
async fn passwords_are_derived_as_couchdb_does() {
    let server = with_anna().await;
    let doc = as_root(&server, "GET", ANNA, None).await.json();
    assert_eq!(doc.get("password"), None);
    assert_eq!(doc["password_scheme"], "pbkdf2");
    assert_eq!(doc["pbkdf2_prf"], "sha256");
    assert_eq!(doc["iterations"], 10);
    assert_eq!(doc["derived_key"].as_str().unwrap().len(), 64);
    assert_eq!(doc["roles"], json!(["reader"]));
    assert_eq!(roles(&server, "anna", "one").await, Some(json!(["reader"])));
    assert_eq!(roles(&server, "anna", "two").await, None);
    assert_eq!(roles(&server, "ann", "one").await, None);
}

#[tokio::test]
async fn in_bulk_and_with_attachments() {
    let server = with_anna().await;
    let docs: Vec<_> = ["ben", "cy"]
        .map(|name| {
            let mut doc = user(name, name);
            doc["_id"] = format!("org.couchdb.user:{name}").into();
            doc
        })
        .into();
    as_root(
        &server,
        "POST",
        "/_users/_bulk_docs",
        Some(json!({ "docs": docs })),
    )
    .await;
    let mut replicated = user("dan", "dan");
    replicated["_id"] = "org.couchdb.user:dan".into();
    replicated["_rev"] = "1-abc".into();
    let body = json!({ "docs": [replicated], "new_edits": false });
    as_root(&server, "POST", "/_users/_bulk_docs", Some(body)).await;
    let mut attached = user("eve", "eve");
    attached["_attachments"] = json!({ "a": { "data": "" } });
    as_root(&server, "PUT", "/_users/org.couchdb.user:eve", Some(attached)).await;
    for name in ["ben", "cy", "dan", "eve"] {
        let path = format!("/_users/org.couchdb.user:{name}");
        let doc = as_root(&server, "GET", &path, None).await.json();
        assert_eq!(doc.get("password"), None, "{doc}");
        assert_eq!(
            roles(&server, name, name).await,
            Some(json!(["reader"])),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_changes_is_forgotten() {
    let server = with_anna().await;
    let begun = server
        .post("/_session", json!({ "name": "anna", "password": "one" }))
        .await;
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let name = async || server.get_with("/_session", "cookie", &cookie).await.json()["userCtx"].clone();
    assert_eq!(name().await, json!({ "name": "anna", "roles": ["reader"] }));
    assert_eq!(roles(&server, "anna", "one").await, Some(json!(["reader"])));

    // Other roles: at once, and the session goes on.
    let mut doc = as_root(&server, "GET", ANNA, None).await.json();
    doc["roles"] = json!(["writer"]);
    let rev = as_root(&server, "PUT", ANNA, Some(doc.clone())).await.rev();
    assert_eq!(name().await, json!({ "name": "anna", "roles": ["writer"] }));
    assert_eq!(roles(&server, "anna", "one").await, Some(json!(["writer"])));

    // Another password ends it.
    doc["_rev"] = rev.into();
    doc["password"] = "two".into();
    let rev = as_root(&server, "PUT", ANNA, Some(doc)).await.rev();
    assert_eq!(name().await, json!({ "name": null, "roles": [] }));
    assert_eq!(roles(&server, "anna", "one").await, None);
    assert_eq!(roles(&server, "anna", "two").await, Some(json!(["writer"])));

    // And so does deleting the user.
    as_root(&server, "DELETE", &format!("{ANNA}?rev={rev}"), None).await;
    assert_eq!(roles(&server, "anna", "two").await, None);
}

#[tokio::test]
async fn another_database_of_that_name_has_other_users() {
    let server = with_anna().await;
    assert!(roles(&server, "anna", "one").await.is_some());
    as_root(&server, "DELETE", "/_users", None).await;
    assert_eq!(roles(&server, "anna", "one").await, None);
    let _ = as_root(&server, "PUT", "/_users", None).await;
    as_root(&server, "PUT", ANNA, Some(user("anna", "other"))).await;
    assert_eq!(roles(&server, "anna", "one").await, None);
    assert!(roles(&server, "anna", "other").await.is_some());
}

#[tokio::test]
async fn no_document_takes_an_administrators_place() {
    let server = with_anna().await;
    let path = "/_users/org.couchdb.user:root";
    as_root(&server, "PUT", path, Some(user("root", "mine"))).await;
    assert_eq!(roles(&server, "root", "mine").await, None);
    assert_eq!(roles(&server, "root", "toor").await, Some(json!(["_admin"])));
}

#[tokio::test]
async fn rules_for_new_passwords() {
    let server = Server::with(Config {
        admins: [("root".to_owned(), Secret::new("toor"))].into(),
        authentication: Authentication {
            passwords: Passwords {
                chars_min: 8,
                ..quick()
            },
            ..Authentication::default()
        },
        ..Config::default()
    })
    .await;
    let _ = as_root(&server, "PUT", "/_users", None).await;
    as_root(&server, "PUT", ANNA, Some(user("anna", "short")))
        .await
        .fails(
            400,
            "bad_request",
            "Password does not conform to requirements. It must have at least 8 characters.",
        );
    as_root(&server, "PUT", ANNA, Some(user("anna", "long enough")))
        .await
        .is(201, json!({}));
    let mut odd = user("ben", "");
    odd["password"] = json!(12345678);
    let refused = as_root(&server, "PUT", "/_users/org.couchdb.user:ben", Some(odd)).await;
    refused.fails(403, "forbidden", "Password value is invalid.");
}
