//! Feeds that are open end when what let them in holds no more.

use crate::auth::{quick, with};
use crate::harness::Server;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};
use std::time::Duration;
use trunkline_http::{Authentication, Jwt, Proxy, Secret};

const FEED: &str = "/db/_changes?feed=continuous&heartbeat=20";
const ROOT: (&str, &str) = ("root", "toor");

/// With the user anna and a database that she reads as these rules say.
async fn with_anna(authentication: Authentication, security: Value) -> Server {
    let mut server = with(Authentication {
        passwords: quick(),
        ..authentication
    })
    .await;
    server.user = Some(ROOT);
    set_password(&server, "pw").await;
    server.put("/db", None).await.is(201, json!({}));
    server
        .put("/db/_security", Some(security))
        .await
        .is(200, json!({}));
    server
}

async fn set_password(server: &Server, password: &str) {
    let path = "/_users/org.couchdb.user:anna";
    let rev = server.get(path).await.json()["_rev"].clone();
    let mut anna = json!({ "name": "anna", "password": password, "type": "user", "roles": [] });
    if !rev.is_null() {
        anna["_rev"] = rev;
    }
    server.put(path, Some(anna)).await.is(201, json!({}));
}

fn of_anna() -> Value {
    json!({ "members": { "names": ["anna"] } })
}

/// Opens a feed with a header that says who asks.
async fn open(server: &Server, name: &str, value: &str) -> reqwest::Response {
    let feed = server.client.get(format!("{}{FEED}", server.url));
    let mut feed = feed.header(name, value).send().await.unwrap();
    assert_eq!(feed.status(), 200);
    goes_on(&mut feed).await;
    feed
}

async fn goes_on(feed: &mut reqwest::Response) {
    for _ in 0..5 {
        assert!(feed.chunk().await.unwrap().is_some());
    }
}

async fn ends(mut feed: reqwest::Response) {
    let ended = async { while let Ok(Some(_)) = feed.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .expect("the feed goes on");
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

async fn set(server: &Server, key: &str, value: &str) {
    let path = format!("/_node/_local/_config/{key}");
    let answer = server.put(&path, Some(value.into())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_new_password_ends_them() {
    let server = with_anna(Authentication::default(), of_anna()).await;
    let by_password = open(&server, "authorization", &basic("anna", "pw")).await;
    let begun = server
        .post("/_session", json!({ "name": "anna", "password": "pw" }))
        .await;
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let by_cookie = open(&server, "cookie", &cookie).await;
    set_password(&server, "another").await;
    ends(by_password).await;
    ends(by_cookie).await;
    open(&server, "authorization", &basic("anna", "another")).await;
}

fn now() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed();
    now.unwrap().as_secs()
}

fn token(key: &str, exp: u64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(json!({ "alg": "HS256" })),
        part(json!({ "sub": "anna", "exp": exp }))
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mac = hmac::sign(&key, signed.as_bytes());
    format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

#[tokio::test]
async fn a_token_that_runs_out_ends_them_and_so_does_another_key() {
    let jwt = Jwt {
        keys: [("hmac:_default".to_owned(), Secret::new(STANDARD.encode("one")))].into(),
        ..Jwt::default()
    };
    let authentication = Authentication {
        jwt,
        ..Authentication::default()
    };
    let server = with_anna(authentication, of_anna()).await;
    let mut long = open(&server, "authorization", &token("one", now() + 3600)).await;
    let short = open(&server, "authorization", &token("one", now() + 4)).await;
    ends(short).await;
    set(&server, "jwt_keys/hmac:other", &STANDARD.encode("other")).await;
    goes_on(&mut long).await;
    set(&server, "jwt_keys/hmac:_default", &STANDARD.encode("two")).await;
    ends(long).await;
    open(&server, "authorization", &token("two", now() + 3600)).await;
}

#[tokio::test]
async fn another_secret_of_the_proxy_ends_them() {
    let authentication = Authentication {
        proxy: Proxy {
            secret: Secret::new("secret"),
        },
        ..Authentication::default()
    };
    let server = with_anna(authentication, of_anna()).await;
    let feed = server.client.get(format!("{}{FEED}", server.url));
    let feed = feed.header("x-auth-couchdb-username", "anna").header(
        "x-auth-couchdb-token",
        "72f8b586f76c2f7cac18422e7892bc2b00b7451b4d6c718b1246410e12202841",
    );
    let mut feed = feed.send().await.unwrap();
    goes_on(&mut feed).await;
    set(&server, "proxy/secret", "another").await;
    ends(feed).await;
}

#[tokio::test]
async fn another_selector_of_the_feed_they_are_bound_to_ends_them() {
    let bound = json!({ "grants": [{ "names": ["anna"], "may": ["read"], "feed": "d/f" }] });
    let server = with_anna(Authentication::default(), bound).await;
    let declare = async |design: &str, rev: Option<&str>, of: &str| {
        let mut design_doc = json!({ "feeds": { "f": { "selector": { "of": of } } } });
        if let Some(rev) = rev {
            design_doc["_rev"] = rev.into();
        }
        let path = format!("/db/_design/{design}");
        let answer = server.put(&path, Some(design_doc)).await;
        answer.is(201, json!({}));
        answer.json()["rev"].as_str().unwrap().to_owned()
    };
    let rev = declare("d", None, "mine").await;
    let mut feed = open(&server, "authorization", &basic("anna", "pw")).await;
    // Of another design document; and the same once more.
    declare("other", None, "theirs").await;
    let rev = declare("d", Some(&rev), "mine").await;
    goes_on(&mut feed).await;
    declare("d", Some(&rev), "theirs").await;
    ends(feed).await;
}
