//! `/_session`: logging in, going on, and out.

use crate::auth::{get_as, with};
use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use trunkline_http::{Authentication, Jwt, Proxy, Secret, Sessions};

fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    set.split(';').next().unwrap().to_owned()
}

async fn log_in(server: &Server, name: &str, password: &str) -> Answer {
    server
        .post("/_session", json!({ "name": name, "password": password }))
        .await
}

async fn name_by(server: &Server, header: &str, value: &str) -> Value {
    server.get_with("/_session", header, value).await.json()["userCtx"]["name"].clone()
}

#[tokio::test]
async fn a_session_from_end_to_end() {
    let server = with(Authentication::default()).await;
    let nobody = json!({ "name": null, "roles": [] });
    let info = json!({ "authentication_handlers": ["cookie", "default"], "authentication_db": "_users" });
    server
        .get("/_session")
        .await
        .is(200, json!({ "ok": true, "userCtx": nobody, "info": info }));
    server
        .get("/_session?basic=true")
        .await
        .fails(401, "unauthorized", "Please login.");

    let begun = log_in(&server, "root", "toor").await;
    begun.is(200, json!({ "ok": true, "name": "root", "roles": ["_admin"] }));
    let attributes = "; Version=1; Path=/; HttpOnly; Max-Age=600; SameSite=Lax";
    assert!(begun.header("set-cookie").ends_with(attributes));

    let cookie = cookie(&begun);
    let answer = server.get_with("/_session", "cookie", &cookie).await;
    answer.is(
        200,
        json!({ "userCtx": { "name": "root", "roles": ["_admin"] }, "info": {
            "authentication_handlers": ["cookie", "default"], "authenticated": "cookie",
            "authentication_db": "_users" } }),
    );
    assert_eq!(answer.headers.get("set-cookie"), None, "it is new enough");
    let basic = get_as(&server, "/_session", "root", "toor").await;
    assert_eq!(basic.json()["info"]["authenticated"], "default");

    let ended = server.call("DELETE", "/_session", None).await;
    ended.is(200, json!({ "ok": true }));
    assert!(ended.header("set-cookie").starts_with("AuthSession=; "));
}

#[tokio::test]
async fn forms_and_pages() {
    let server = with(Authentication::default()).await;
    let post = |path: &'static str, body: &'static str| {
        let request = server
            .request("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        server.send(request)
    };
    post("/_session", "username=root&password=toor")
        .await
        .is(200, json!({ "name": "root" }));
    let wrong = post("/_session", "name=root&password=wrong").await;
    wrong.fails(401, "unauthorized", "Name or password is incorrect.");
    assert!(wrong.header("set-cookie").starts_with("AuthSession=; "));
    post("/_session", "password=toor").await.fails(
        400,
        "bad_request",
        "request body must contain a username",
    );
    post("/_session", "name=a&username=b").await.fails(
        400,
        "bad_request",
        "request body contains different usernames",
    );
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
        let path = format!("/_session?next={}", crate::harness::encoded(elsewhere));
        let answer = server
            .post(&path, json!({ "name": "root", "password": "toor" }))
            .await;
        assert_eq!(answer.status, 200, "{elsewhere}");
    }
}

#[tokio::test]
async fn cookies_that_do_not_hold() {
    let server = with(Authentication::default()).await;
    let good = cookie(&log_in(&server, "root", "toor").await);
    server.get_with("/", "cookie", "AuthSession=garbage").await.fails(
        400,
        "bad_request",
        "Malformed AuthSession cookie. Please clear your cookies.",
    );
    assert_eq!(
        name_by(&server, "cookie", "AuthSession=garbage").await,
        Value::Null
    );
    // Another server's secret is another one.
    let other = with(Authentication::default()).await;
    assert_eq!(name_by(&server, "cookie", &good).await, "root");
    assert_eq!(name_by(&other, "cookie", &good).await, Value::Null);
}

fn sessions(secret: &str, former: &[&str], seconds: u64) -> Authentication {
    Authentication {
        sessions: Sessions {
            secret: Secret::new(secret),
            former_secrets: former.iter().map(|&secret| Secret::new(secret)).collect(),
            seconds,
            ..Sessions::default()
        },
        ..Authentication::default()
    }
}

#[tokio::test]
async fn a_cookie_is_renewed_in_time() {
    // One of the future is younger than any; with no time at all, none holds.
    let server = with(sessions("one", &[], 0)).await;
    let over = cookie(&log_in(&server, "root", "toor").await);
    assert_eq!(name_by(&server, "cookie", &over).await, Value::Null);
}

#[tokio::test]
async fn other_ways() {
    let server = with(Authentication {
        jwt: Jwt {
            keys: [("hmac:_default".to_owned(), Secret::new("c2VjcmV0"))].into(),
            ..Jwt::default()
        },
        proxy: Proxy {
            secret: Secret::new("secret"),
        },
        ..Authentication::default()
    })
    .await;
    // HS256 with "secret": {"sub":"anna","exp":4102444800}
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIiwiZXhwIjo0MTAyNDQ0ODAwfQ.LOVG_k_6qgRN7uFtlB94l2t614qE_nCh8tgxGRlnhV0";
    assert_eq!(
        name_by(&server, "authorization", &format!("Bearer {token}")).await,
        "anna"
    );
    server
        .get_with("/", "authorization", "Bearer x.y.z")
        .await
        .fails(400, "bad_request", "Malformed token");
    let by_proxy = |token: &'static str| {
        let request = server
            .request("GET", "/_session")
            .header("x-auth-couchdb-username", "anna")
            .header("x-auth-couchdb-roles", "reader,writer")
            .header("x-auth-couchdb-token", token);
        server.send(request)
    };
    by_proxy("72f8b586f76c2f7cac18422e7892bc2b00b7451b4d6c718b1246410e12202841")
        .await
        .is(
            200,
            json!({ "userCtx": { "name": "anna", "roles": ["reader", "writer"] } }),
        );
    by_proxy("00")
        .await
        .fails(401, "unauthorized", "The proxy's token is not right.");
}
