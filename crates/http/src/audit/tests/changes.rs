//! Changes of settings, and refusals wherever they are decided: each once, with who and from where.

use super::log::Log;
use crate::app::App;
use crate::auth::hash_admin;
use crate::config::{Config, Passwords, Secret};
use crate::front::Front;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use trunkline_store::Store;

/// A server with the administrator root, asked from one address.
pub(super) struct Server {
    pub(super) app: App,
    front: Front,
    pub(super) log: Log,
    _dir: tempfile::TempDir,
}

impl Server {
    pub(super) fn new(address: &'static str) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        let passwords = &mut config.authentication.passwords;
        (passwords.iterations, passwords.chars_min) = (10, 4);
        let quick = Passwords {
            iterations: 10,
            ..Passwords::default()
        };
        config.admins = [("root".to_owned(), Secret::new(hash_admin(&quick, "root")))].into();
        let app = App::new(Store::open(dir.path()).unwrap().into(), config.into(), Vec::new());
        Server {
            front: Front::new(app.clone()),
            app,
            log: Log::of(address),
            _dir: dir,
        }
    }

    /// By a user whose password is the name.
    pub(super) async fn ask(&self, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        use base64::Engine as _;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{user}"));
        let request = Request::builder().method(method).uri(path).header("host", "node");
        let request = request
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/json")
            .extension(self.log.peer());
        let answer = self
            .front
            .answer(request.body(Body::from(body.to_string())).unwrap())
            .await;
        let status = answer.status().as_u16();
        let text = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&text).unwrap_or_default())
    }

    pub(super) async fn user(&self, name: &str) {
        let doc = json!({ "type": "user", "name": name, "password": name, "roles": [name] });
        let path = format!("/_users/org.couchdb.user:{name}");
        assert_eq!(self.ask("root", "PUT", &path, doc).await.0, 201);
    }
}

#[tokio::test]
async fn changes_and_refusals_are_each_noted_once() {
    let server = Server::new("192.0.2.2");
    server.user("customer9").await;
    server.user("dba1").await;
    let security = json!({ "admins": { "names": ["dba1"] },
        "grants": [{ "roles": ["customer9"], "may": ["read", "write"], "selector": { "of": "customer9" } }] });
    assert_eq!(server.ask("root", "PUT", "/db", json!(null)).await.0, 201);
    assert_eq!(server.ask("root", "PUT", "/db/_security", security).await.0, 200);
    let views = json!({ "views": { "v": { "map": "function (doc) { emit(1, 1) }", "reduce": "_count" } } });
    assert_eq!(server.ask("root", "PUT", "/db/_design/d", views).await.0, 201);
    server.log.taken();
    let others = json!({ "docs": [
        { "_id": "org.couchdb.user:a", "type": "user", "name": "a", "roles": [], "password": "abcd" },
        { "_id": "org.couchdb.user:b", "type": "user", "name": "b", "roles": [], "password": "abcd" },
    ] });
    let one_other =
        json!({ "docs": [{ "_id": "org.couchdb.user:a", "type": "user", "name": "a", "roles": [] }] });
    let (_, acme) = server
        .ask(
            "customer9",
            "GET",
            "/_users/org.couchdb.user:customer9",
            json!(null),
        )
        .await;
    let short = json!({ "_rev": acme["_rev"], "type": "user", "name": "customer9", "roles": ["customer9"], "password": "abc" });
    let purged = json!({ "org.couchdb.user:nobody": ["1-aa"] });
    let content = format!("/db/_exchange/contents/{}", "0".repeat(64));
    let not_its = json!({ "docs": [{ "_id": "x", "of": "customer9" }, { "_id": "y", "of": "ben" }] });
    for (user, method, path, body, status, noted) in [
        (
            "dba1",
            "PUT",
            "/db/_revs_limit",
            json!(10),
            200,
            "what=\"_revs_limit\" of=\"db\"",
        ),
        (
            "dba1",
            "PUT",
            "/db/_purged_infos_limit",
            json!(10),
            200,
            "what=\"_purged_infos_limit\"",
        ),
        (
            "dba1",
            "PUT",
            "/db/_mirror",
            json!(false),
            200,
            "what=\"_mirror\"",
        ),
        (
            "dba1",
            "POST",
            "/db/_compact",
            json!({}),
            202,
            "what=\"compaction begun\"",
        ),
        (
            "dba1",
            "POST",
            "/db/_index",
            json!({ "ddoc": "i", "index": { "fields": ["a"] } }),
            200,
            "of=\"_design/i\"",
        ),
        (
            "root",
            "POST",
            "/_users/_purge",
            purged,
            201,
            "ids=\"org.couchdb.user:nobody\"",
        ),
        (
            "customer9",
            "POST",
            "/_users/_bulk_docs",
            others,
            403,
            "reason=\"Only _admin may set several",
        ),
        (
            "customer9",
            "POST",
            "/_users/_bulk_docs",
            one_other,
            201,
            "of=\"org.couchdb.user:a\" edits=1",
        ),
        (
            "customer9",
            "PUT",
            "/_users/org.couchdb.user:customer9",
            short,
            400,
            "path=\"/_users/org.couchdb.user:customer9\" reason=\"Password does",
        ),
        (
            "customer9",
            "GET",
            "/db/_design/d/_view/v",
            json!(null),
            403,
            "path=\"/db/_design/d/_view/v\"",
        ),
        (
            "customer9",
            "GET",
            &content,
            json!(null),
            403,
            "path=\"/db/_exchange/contents/",
        ),
        (
            "customer9",
            "POST",
            "/_users/_snapshot",
            json!({}),
            403,
            "reason=\"Snapshots of this database",
        ),
        (
            "customer9",
            "PUT",
            "/db/z",
            json!({ "of": "ben" }),
            403,
            "of=\"z\" edits=1",
        ),
        (
            "customer9",
            "POST",
            "/db/_bulk_docs",
            not_its,
            201,
            "of=\"y\" edits=1",
        ),
        (
            "customer9",
            "PUT",
            "/db/_mirror",
            json!(false),
            403,
            "path=\"/db/_mirror\"",
        ),
    ] {
        let (answered, said) = server.ask(user, method, path, body).await;
        assert_eq!(answered, status, "{method} {path}: {said}");
        let lines = server.log.taken();
        let [line] = &lines[..] else {
            panic!("{method} {path}: {lines:?}")
        };
        assert!(
            line.contains(noted) && line.contains(&format!("user={user:?}")),
            "{method} {path}: {line}"
        );
    }
}

#[test]
fn ids_are_listed_as_far_as_a_line_goes() {
    use super::super::listed;
    use trunkline_core::limits::AUDIT_IDS_BYTES_MAX;
    assert_eq!(listed(["a", "b"].into_iter()), "a, b");
    let long = "ä".repeat(AUDIT_IDS_BYTES_MAX);
    for ids in [[long.as_str(), "b"], ["b", &long]] {
        let text = listed(ids.into_iter());
        assert!(text.ends_with("ä…") && text.len() < AUDIT_IDS_BYTES_MAX + 8);
    }
}
