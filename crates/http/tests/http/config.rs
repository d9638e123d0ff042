//! `_config`: for administrators, and of no secrets.

use crate::auth::{get_as, with};
use serde_json::json;
use trunkline_http::{Authentication, Secret};

const CONFIG: &str = "/_node/_local/_config";

#[tokio::test]
async fn only_administrators_see_and_change_settings() {
    let server = with(Authentication::default()).await;
    for (method, path) in [
        ("GET", ""),
        ("GET", "/lockout"),
        ("GET", "/lockout/seconds"),
        ("PUT", "/lockout/seconds"),
        ("DELETE", "/lockout/seconds"),
        ("POST", "/_reload"),
    ] {
        let request = server.request(method, &format!("{CONFIG}{path}")).body("\"1\"");
        assert_eq!(server.send(request).await.status, 401, "{method} {path}");
    }
    assert_eq!(get_as(&server, CONFIG, "root", "toor").await.status, 200);
}

#[tokio::test]
async fn settings_are_texts_and_secrets_are_hidden() {
    let mut authentication = Authentication::default();
    authentication.sessions.secret = Secret::new("of sessions");
    authentication
        .jwt
        .keys
        .insert("hmac:_default".to_owned(), Secret::new("of tokens"));
    let server = with(authentication).await;
    let answer = get_as(&server, CONFIG, "root", "toor").await;
    assert!(!answer.text().contains("of sessions") && !answer.text().contains("of tokens"));
    let all = answer.json();
    assert_eq!(all["sessions"]["secret"], "…");
    assert_eq!(all["jwt_keys"]["hmac:_default"], "…");
    assert_eq!(all["lockout"]["failures"], "5");
    assert_eq!(all["cors"]["credentials"], "false");
    let hash = all["admins"]["root"].as_str().unwrap();
    assert!(hash.starts_with("-pbkdf2:sha256-"), "{hash}");
    let admins = get_as(&server, &format!("{CONFIG}/admins"), "root", "toor").await;
    assert_eq!(admins.json(), all["admins"]);
}

#[tokio::test]
async fn a_changed_setting_counts_at_once() {
    let server = with(Authentication::default()).await;
    let send = async |method: &str, path: &str, body: &str| {
        let request = server.request(method, &format!("{CONFIG}/{path}"));
        server
            .send(request.basic_auth("root", Some("toor")).body(body.to_owned()))
            .await
    };
    let required = "authentication/require_valid_user";
    assert_eq!(server.get("/_up").await.status, 200);
    assert_eq!(send("PUT", required, "true").await.json(), json!("false"));
    assert_eq!(server.get("/_up").await.status, 401);
    assert_eq!(send("DELETE", required, "").await.json(), json!("true"));
    assert_eq!(server.get("/_up").await.status, 200);
    // Another administrator is one from then on, and until the setting is taken back.
    assert_eq!(send("PUT", "admins/anna", "\"secret\"").await.json(), json!(""));
    assert_eq!(get_as(&server, "/_all_dbs", "anna", "secret").await.status, 200);
    assert_eq!(send("PUT", "admins/anna", "\"another\"").await.status, 200);
    assert_eq!(get_as(&server, "/_all_dbs", "anna", "secret").await.status, 401);
    assert_eq!(get_as(&server, "/_all_dbs", "anna", "another").await.status, 200);
    send("DELETE", "admins/anna", "").await;
    assert_eq!(get_as(&server, "/_all_dbs", "anna", "another").await.status, 401);
    let origins = "[\"https://a.example\", \"https://b.example\"]";
    send("PUT", "cors/origins", origins).await;
    let now = send("GET", "cors/origins", "").await.json();
    assert_eq!(now, json!("https://a.example, https://b.example"));
}

#[tokio::test]
async fn what_cannot_be_is_told() {
    let server = with(Authentication::default()).await;
    for (method, path, body, status, told) in [
        ("GET", "/_node/other/_config", "", 404, "no such node: other"),
        (
            "GET",
            "/_node/_local/_config/zzz",
            "",
            404,
            "unknown_config_value",
        ),
        (
            "GET",
            "/_node/_local/_config/cors/zzz",
            "",
            404,
            "unknown_config_value",
        ),
        (
            "PUT",
            "/_node/_local/_config/cors/zzz",
            "\"1\"",
            404,
            "unknown_config_value",
        ),
        (
            "DELETE",
            "/_node/_local/_config/cors/max_age",
            "",
            404,
            "unknown_config_value",
        ),
        (
            "PUT",
            "/_node/_local/_config/cors/max_age",
            "\"old\"",
            400,
            "must be an integer",
        ),
        (
            "PUT",
            "/_node/_local/_config/cors/max_age",
            "{}",
            400,
            "JSON string",
        ),
        (
            "PUT",
            "/_node/_local/_config/cors/max_age",
            "60s",
            400,
            "JSON string",
        ),
        (
            "PUT",
            "/_node/_local/_config/server/listen",
            "\"0.0.0.0:1\"",
            400,
            "when the server starts",
        ),
    ] {
        let request = server.request(method, path).basic_auth("root", Some("toor"));
        let answer = server.send(request.body(body.to_owned())).await;
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(
            answer.status == status && reason.contains(told),
            "{method} {path}: {}",
            answer.text()
        );
    }
}
