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

/// A document of the user of that name.
type Doc<'a> = &'a dyn Fn(&str) -> Option<Value>;

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
    call(&server, "anna", "PUT", ANNA, Some(promoted)).await.fails(
        403,
        "forbidden",
        "Only _admin may edit roles",
    );
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
async fn nobody_learns_which_users_there_are() {
    let server = with_users(Authentication::default()).await;
    let same = async |method: &str, rest: &str, doc: &dyn Fn(&str) -> Option<Value>| {
        let told = async |name: &str| {
            let path = format!("/_users/org.couchdb.user:{name}{rest}");
            let answer = call(&server, "anna", method, &path, doc(name)).await;
            (answer.status, answer.text().to_owned())
        };
        let (there, absent) = (told("ben").await, told("xyz").await);
        assert_eq!(there, absent, "{method} {rest}");
        assert!(matches!(there.0, 403 | 404), "{method} {rest}: {there:?}");
    };
    let user = |name: &str| Some(json!({ "type": "user", "name": name, "roles": [] }));
    let with_roles = |name: &str| Some(json!({ "type": "user", "name": name, "roles": ["r"] }));
    for rest in ["", "?rev=1-a", "?rev=9-00000000000000000000000000000000"] {
        for method in ["GET", "DELETE", "PUT"] {
            let none: &dyn Fn(&str) -> Option<Value> = &|_| None;
            let docs: &[Doc<'_>] = match method {
                "PUT" => &[&user, &with_roles],
                _ => &[none],
            };
            for doc in docs {
                same(method, rest, doc).await;
            }
        }
    }
    let bulk = ["ben", "anna", "xyz"].map(|name| {
        json!({ "_id": format!("org.couchdb.user:{name}"), "_rev": "1-a", "type": "user", "name": name, "roles": ["r"] })
    });
    let bulk = call(
        &server,
        "anna",
        "POST",
        "/_users/_bulk_docs",
        Some(json!({ "docs": bulk })),
    )
    .await;
    let errors: Vec<_> = bulk
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["error"].clone())
        .collect();
    assert_eq!(errors, ["forbidden", "conflict", "forbidden"], "{}", bulk.text());
}

#[tokio::test]
async fn one_password_at_once() {
    let server = with_users(Authentication::default()).await;
    let doc = json!({ "_id": "org.couchdb.user:anna", "type": "user", "name": "anna", "roles": ["r"], "password": "x" });
    let copies = |times| json!({ "docs": vec![doc.clone(); times], "new_edits": true });
    let reason = "Only _admin may set several passwords at once.";
    call(&server, "anna", "POST", "/_users/_bulk_docs", Some(copies(2)))
        .await
        .fails(403, "forbidden", reason);
    let one = call(&server, "anna", "POST", "/_users/_bulk_docs", Some(copies(1))).await;
    assert_eq!(one.status, 201, "{}", one.text());
    let many = call(&server, "root", "POST", "/_users/_bulk_docs", Some(copies(2))).await;
    assert_eq!(many.status, 201, "{}", many.text());
    let most = call(&server, "root", "POST", "/_users/_bulk_docs", Some(copies(101))).await;
    let reason = "A request may set 100 passwords. Send the others in further ones.";
    most.fails(403, "forbidden", reason);
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
