//! Who asks: name and password, and servers without administrator.

use crate::harness::{Answer, Server};
use serde_json::json;
use trunkline_http::{Authentication, Config, Lockout, Passwords, Secret, hash_admin};

/// Passwords that take no time to check.
pub(crate) fn quick() -> Passwords {
    Passwords {
        iterations: 10,
        ..Passwords::default()
    }
}

/// A server with the administrator `root`, whose password is `toor`.
pub(crate) async fn with(mut authentication: Authentication) -> Server {
    authentication.passwords.iterations = 10;
    let root = Secret::new(hash_admin(&quick(), "toor"));
    Server::with(Config {
        admins: [("root".to_owned(), root)].into(),
        authentication,
        ..Config::default()
    })
    .await
}

pub(crate) async fn get_as(server: &Server, path: &str, name: &str, password: &str) -> Answer {
    server
        .send(server.request("GET", path).basic_auth(name, Some(password)))
        .await
}

const WRONG: &str = "Name or password is incorrect.";

#[tokio::test]
async fn an_administrator_by_name_and_password() {
    let server = with(Authentication::default()).await;
    assert_eq!(get_as(&server, "/_all_dbs", "root", "toor").await.status, 200);
    // The second time it is remembered; a wrong one is not let in for it.
    assert_eq!(get_as(&server, "/_all_dbs", "root", "toor").await.status, 200);
    for (name, password) in [("root", "wrong"), ("root", ""), ("nobody", "toor"), ("", "")] {
        let answer = get_as(&server, "/", name, password).await;
        answer.fails(401, "unauthorized", WRONG);
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Trunkline\"");
    }
    let odd = |value| server.get_with("/", "authorization", value);
    odd("Basic !").await.fails(
        400,
        "bad_request",
        "Authorization header has invalid base64 value",
    );
    for value in ["Basic", "Digest x", ""] {
        odd(value)
            .await
            .fails(400, "bad_request", "Authorization header is invalid");
    }
    assert_eq!(odd("Basic Xzpf").await.status, 200, "logged out");
}

#[tokio::test]
async fn who_must_say_a_name() {
    let server = with(Authentication {
        require_valid_user: true,
        require_valid_user_except_for_up: true,
        ..Authentication::default()
    })
    .await;
    let answer = server.get("/").await;
    answer.fails(401, "unauthorized", "Authentication required.");
    answer.header("www-authenticate");
    assert_eq!(server.get("/_up").await.status, 200);
    assert_eq!(server.get("/_session").await.status, 200);
    assert_eq!(get_as(&server, "/", "root", "toor").await.status, 200);
}

#[tokio::test]
async fn guessing_ends() {
    let server = with(Authentication {
        lockout: Lockout {
            failures: 3,
            seconds: 1000,
            ..Lockout::default()
        },
        ..Authentication::default()
    })
    .await;
    for _ in 0..3 {
        get_as(&server, "/", "root", "wrong")
            .await
            .fails(401, "unauthorized", WRONG);
    }
    let answer = get_as(&server, "/", "root", "toor").await;
    answer.fails(
        403,
        "forbidden",
        "Account is temporarily locked due to multiple authentication failures",
    );
    assert!((1..=1000).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    get_as(&server, "/", "other", "toor")
        .await
        .fails(401, "unauthorized", WRONG);
}

#[tokio::test]
async fn a_new_password_lifts_the_lock() {
    let server = with(Authentication {
        lockout: Lockout {
            failures: 3,
            seconds: 1000,
            ..Lockout::default()
        },
        ..Authentication::default()
    })
    .await;
    let path = "/_users/org.couchdb.user:anna";
    let put = async |doc: serde_json::Value| {
        let put = server
            .request("PUT", path)
            .basic_auth("root", Some("toor"))
            .header("content-type", "application/json")
            .body(doc.to_string());
        let answer = server.send(put).await;
        answer.is(201, json!({}));
        answer.rev()
    };
    put(json!({ "type": "user", "name": "anna", "roles": [], "password": "one" })).await;
    for _ in 0..3 {
        get_as(&server, "/", "anna", "wrong")
            .await
            .fails(401, "unauthorized", WRONG);
    }
    assert_eq!(get_as(&server, "/", "anna", "one").await.status, 403);
    // Nothing else of the document lifts it.
    let mut doc = get_as(&server, path, "root", "toor").await.json();
    doc["roles"] = json!(["r"]);
    doc["_rev"] = put(doc.clone()).await.into();
    assert_eq!(get_as(&server, "/", "anna", "one").await.status, 403);
    doc["password"] = "two".into();
    put(doc).await;
    assert_eq!(get_as(&server, "/", "anna", "two").await.status, 200);
}

#[tokio::test]
async fn pages_do_not_ask_an_open_server() {
    let server = Server::start().await;
    server
        .get_with("/", "host", "rebound.example")
        .await
        .is(403, json!({ "error": "forbidden" }));
    server
        .get_with("/", "origin", "https://evil.example")
        .await
        .is(403, json!({ "error": "forbidden" }));
    let own = server.url.clone();
    server
        .get_with("/", "origin", &own)
        .await
        .is(200, json!({ "couchdb": "Welcome" }));
}

#[tokio::test]
async fn a_server_with_an_administrator_may_have_any_name() {
    let server = with(Authentication::default()).await;
    let answer = server.get_with("/", "host", "db.example").await;
    answer.is(200, json!({ "couchdb": "Welcome" }));
}
