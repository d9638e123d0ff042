//! A customer whose role is bound to a selector: what she is shown of a database, and what she brings to it.

use crate::auth::with;
use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use trunkline_http::{Authentication, Config};

const GRANT: &str = "acme";

/// A server with calls of two accounts, and `ann`, who is one of them; its handle asks as root.
pub(crate) async fn server() -> Server {
    let mut server = with(Authentication::default()).await;
    server.user = Some(("root", "toor"));
    for db in ["/_users", "/calls"] {
        server.put(db, None).await;
    }
    let user = json!({ "type": "user", "name": "ann", "roles": [GRANT], "password": "one" });
    server
        .put("/_users/org.couchdb.user:ann", Some(user))
        .await
        .is(201, json!({}));
    let map = "function (doc) { emit(doc.account, 1); }";
    let design = json!({ "views": { "v": { "map": map, "reduce": "_count" } } });
    server
        .put("/calls/_design/d", Some(design))
        .await
        .is(201, json!({}));
    for (id, account) in [("a1", "acme"), ("a2", "acme"), ("e1", "emca"), ("e2", "emca")] {
        let sound = json!({ "content_type": "audio/wav", "data": "c2FpZA==" });
        let call = json!({ "account": account, "_attachments": { "a.wav": sound } });
        server
            .put(&format!("/calls/{id}"), Some(call))
            .await
            .is(201, json!({}));
    }
    let may = ["read", "write", "replicate-in", "replicate-out"];
    let security = json!({ "grants": [{ "roles": [GRANT], "may": may, "selector": { "account": "acme" } }] });
    server
        .put("/calls/_security", Some(security))
        .await
        .is(200, json!({}));
    server
}

pub(crate) async fn ann(server: &Server, method: &str, path: &str, body: Option<Value>) -> Answer {
    let url = format!("{}{path}", server.url);
    let request = server
        .client
        .request(method.parse().unwrap(), url)
        .basic_auth("ann", Some("one"));
    let request = match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(body.to_string()),
        None => request,
    };
    server.send(request).await
}

pub(crate) fn ids(answer: &Answer, rows: &str) -> Vec<String> {
    let json = answer.json();
    let rows = json[rows].as_array().unwrap_or_else(|| panic!("{json}"));
    let id = |row: &Value| {
        row.get("id")
            .or(row.get("_id"))
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    rows.iter().map(id).collect()
}

#[tokio::test]
async fn she_is_shown_her_own() {
    let server = server().await;
    let get = async |path: &str| ann(&server, "GET", path, None).await;
    assert_eq!(get("/calls/a1/a.wav").await.text(), "said");
    for path in ["/calls/e1", "/calls/e1/a.wav", "/calls/_design/d"] {
        assert_eq!(get(path).await.status, 404, "{path}");
    }
    let hers = ["a1", "a2"];
    let docs = get("/calls/_all_docs?startkey=\"a2\"&descending=true").await;
    assert_eq!(ids(&docs, "rows"), ["a2", "a1"]);
    docs.is(200, json!({ "total_rows": null, "offset": null }));
    let changes = get("/calls/_changes?limit=1").await;
    assert_eq!(ids(&changes, "results"), ["a1"]);
    assert_eq!(changes.json().get("pending"), None);
    let rows = get("/calls/_design/d/_view/v?reduce=false&include_docs=true").await;
    assert_eq!(ids(&rows, "rows"), hers);
    assert_eq!(rows.json().get("total_rows"), None);
    let reason =
        "Reduced views count documents that you may not see: ask with reduce=false, or ask _aggregate.";
    get("/calls/_design/d/_view/v")
        .await
        .fails(403, "forbidden", reason);
    let lines = get("/calls/_design/d/_view/v?reduce=false&format=csv").await;
    assert!(lines.text().starts_with("id,key,value"), "{}", lines.text());
    let asked = json!({ "selector": {}, "group": ["account"], "values": { "n": { "count": true } } });
    let report = ann(&server, "POST", "/calls/_aggregate", Some(asked)).await;
    assert_eq!(
        report.json()["rows"].as_array().unwrap().len(),
        1,
        "{}",
        report.text()
    );
    let found = ann(&server, "POST", "/calls/_find", Some(json!({ "selector": {} }))).await;
    assert_eq!(ids(&found, "docs"), hers);
    let info = get("/calls").await.json();
    assert!(info["doc_count"].is_null() && info["sizes"].is_null(), "{info}");
    // A moment that somebody else keeps shows her no more.
    let moment = server.post("/calls/_snapshot", json!({})).await.json();
    let docs = get(&format!(
        "/calls/_all_docs?snapshot={}",
        moment["snapshot"].as_str().unwrap()
    ))
    .await;
    assert_eq!(ids(&docs, "rows"), hers);
}

#[tokio::test]
async fn she_writes_her_own() {
    let server = server().await;
    let put = async |path: &str, body: Value| ann(&server, "PUT", path, Some(body)).await;
    put("/calls/a3", json!({ "account": "acme" }))
        .await
        .is(201, json!({}));
    let other = put("/calls/e3", json!({ "account": "emca" })).await;
    assert_eq!(other.status, 403, "{}", other.text());
    let rev = server.get("/calls/e1").await.json()["_rev"].clone();
    for rev in [rev, json!("1-0"), Value::Null] {
        let mut body = json!({ "account": "acme" });
        if !rev.is_null() {
            body["_rev"] = rev;
        }
        let taken = put("/calls/e1", body).await;
        taken.fails(403, "forbidden", "You may not change this document.");
    }
    assert_eq!(server.get("/calls/e1").await.json()["account"], "emca");
}

#[tokio::test]
async fn she_replicates_her_own() {
    let server = server().await;
    let hers = Server::with(Config::default()).await;
    let remote = server.url.replace("http://", "http://ann:one@") + "/calls";
    let once = json!({ "source": remote, "target": "mine", "create_target": true });
    hers.post("/_replicate", once.clone())
        .await
        .is(200, json!({ "ok": true }));
    assert_eq!(ids(&hers.get("/mine/_all_docs").await, "rows"), ["a1", "a2"]);
    assert_eq!(hers.get("/mine/a2/a.wav").await.text(), "said");
    let mut later = once.clone();
    later["attachments"] = json!("lazy");
    let told = hers.post("/_replicate", later).await;
    assert!(told.status >= 400, "{}", told.text());
    assert!(
        told.text().contains("`attachments` must not be `lazy`"),
        "{}",
        told.text()
    );
    let sound = json!({ "content_type": "audio/wav", "data": "aGVhcmQ=" });
    for (id, account) in [("a4", "acme"), ("e4", "emca")] {
        let call = json!({ "account": account, "_attachments": { "b.wav": &sound } });
        hers.put(&format!("/mine/{id}"), Some(call))
            .await
            .is(201, json!({}));
    }
    let back = json!({ "source": "mine", "target": remote });
    let told = hers.post("/_replicate", back).await;
    assert_eq!(told.status, 200, "{}", told.text());
    assert_eq!(server.get("/calls/a4/b.wav").await.text(), "heard");
    assert_eq!(server.get("/calls/e4").await.status, 404);
    let last = told.json()["history"][0].clone();
    assert_eq!(
        (&last["docs_written"], &last["doc_write_failures"]),
        (&json!(1), &json!(1))
    );
}
