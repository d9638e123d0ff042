//! What names are not worth in `_users`: those that a token says, and those whose document is in conflict.

use crate::auth::{get_as, with};
use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use trunkline_http::{Authentication, Jwt, Secret};

const ANNA: &str = "/_users/org.couchdb.user:anna";
/// HS256 with "secret": {"sub":"anna","exp":4102444800}
const TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIiwiZXhwIjo0MTAyNDQ0ODAwfQ.LOVG_k_6qgRN7uFtlB94l2t614qE_nCh8tgxGRlnhV0";

async fn start() -> Server {
    with(Authentication {
        jwt: Jwt {
            keys: [("hmac:_default".to_owned(), Secret::new("c2VjcmV0"))].into(),
            ..Jwt::default()
        },
        ..Authentication::default()
    })
    .await
}

async fn call(server: &Server, name: &str, method: &str, path: &str, body: Value) -> Answer {
    let password = if name == "root" { "toor" } else { name };
    let request = server.request(method, path).basic_auth(name, Some(password));
    send(server, request, &body).await
}

async fn send(server: &Server, request: reqwest::RequestBuilder, body: &Value) -> Answer {
    let request = request.header("content-type", "application/json");
    server.send(request.body(body.to_string())).await
}

fn anna(roles: Value) -> Value {
    json!({ "_id": "org.couchdb.user:anna", "type": "user", "name": "anna", "roles": roles, "password": "anna" })
}

async fn log_in(server: &Server) -> u16 {
    get_as(server, "/_session", "anna", "anna").await.status
}

#[tokio::test]
async fn a_token_makes_and_takes_over_nobody() {
    let server = start().await;
    let by_token = async |method: &str, path: &str, body: Value| {
        let request = server.request(method, path).header("authorization", TOKEN);
        send(&server, request, &body).await
    };
    const NOT_YOURS: &str = "You may only update your own user document.";
    let made = by_token("PUT", ANNA, anna(json!([]))).await;
    made.fails(403, "forbidden", NOT_YOURS);
    call(&server, "root", "PUT", ANNA, anna(json!(["boss"])))
        .await
        .is(201, json!({}));
    let doc = call(&server, "root", "GET", ANNA, json!({})).await.json();
    let mut taken = doc.clone();
    taken["password"] = "theirs".into();
    by_token("GET", ANNA, json!({}))
        .await
        .fails(404, "not_found", "missing");
    by_token("PUT", ANNA, taken.clone())
        .await
        .fails(403, "forbidden", NOT_YOURS);
    let gone = format!("{ANNA}?rev={}", doc["_rev"].as_str().unwrap());
    assert!(matches!(
        by_token("DELETE", &gone, json!({})).await.status,
        403 | 404
    ));
    let bulk = json!({ "docs": [taken] });
    let bulk = by_token("POST", "/_users/_bulk_docs", bulk).await.json();
    assert_eq!(bulk[0]["error"], "forbidden", "{bulk}");
    assert_eq!(log_in(&server).await, 200);
}

#[tokio::test]
async fn nobody_logs_in_by_a_document_in_conflict() {
    let server = start().await;
    call(&server, "root", "PUT", ANNA, anna(json!(["boss"])))
        .await
        .is(201, json!({}));
    let doc = call(&server, "root", "GET", ANNA, json!({})).await.json();
    let mut beside = doc.clone();
    beside["_rev"] = "1-00000000000000000000000000000000".into();
    let beside = json!({ "docs": [beside], "new_edits": false });
    // She puts none beside it herself.
    let refused = call(&server, "anna", "POST", "/_users/_bulk_docs", beside.clone()).await;
    let reason = "Only _admin may make a conflict of a user document.";
    assert_eq!(refused.json()[0]["reason"], reason, "{}", refused.text());
    assert_eq!(log_in(&server).await, 200);
    let brought = call(&server, "root", "POST", "/_users/_bulk_docs", beside).await;
    assert_eq!(brought.json(), json!([]));
    assert_eq!(log_in(&server).await, 401);
    // One leaf is left.
    let gone = format!("{ANNA}?rev=1-00000000000000000000000000000000");
    call(&server, "root", "DELETE", &gone, json!({}))
        .await
        .is(200, json!({}));
    assert_eq!(log_in(&server).await, 200);
    // Edits that go on from what is there are taken from her, wherever they were made.
    let mut next = doc.clone();
    next["mail"] = "m".into();
    next["_rev"] = "2-00000000000000000000000000000000".into();
    let first = doc["_rev"].as_str().unwrap().split_once('-').unwrap().1;
    next["_revisions"] = json!({ "start": 2, "ids": ["00000000000000000000000000000000", first] });
    let next = json!({ "docs": [next], "new_edits": false });
    let taken = call(&server, "anna", "POST", "/_users/_bulk_docs", next).await;
    assert_eq!(taken.json(), json!([]));
}
