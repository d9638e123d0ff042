//! Update functions; and that shows, lists and rewrites say that they are none.

use crate::harness::Server;
use serde_json::{Value, json};

async fn server() -> Server {
    let server = Server::with_db().await;
    let design = json!({
        "updates": {
            "count": "function (doc, req) {
                if (!doc) { if (!req.id) return [null, 'no document']; doc = {_id: req.id, n: 0}; }
                doc.n += Number(req.query.by || 1);
                return [doc, {json: {n: doc.n}, headers: {'X-Seen': String(doc._rev), 'Content-Length': '1'}}];
            }",
            "form": "function (doc, req) { return [{_id: req.uuid, said: req.form.said, by: req.method}, 'made ' + req.uuid] }",
            "bytes": "function () { return [null, {code: 202, base64: 'AAEC', headers: {'Content-Type': 'x/y'}}] }",
            "echo": "function (doc, req) { return [null, {json: [doc, JSON.parse(req.body)]}] }",
            "odd": "function () { return 7 }",
            "throws": "function () { throw new Error('no') }",
            "stale": "function (doc) { return [{_id: doc._id, _rev: '1-00'}, ''] }",
        },
        "validate_doc_update": "function (doc) { if (doc.n > 10) throw {forbidden: 'enough'} }",
    });
    server.put("/db/_design/u", Some(design)).await.is(201, json!({}));
    server
}

#[tokio::test]
async fn documents_are_made_and_changed() {
    let server = server().await;
    let path = "/db/_design/u/_update/count";
    let made = server.put(&format!("{path}/a%2Fb"), None).await;
    made.is(201, json!({ "n": 1 }));
    let rev = made.header("x-couch-update-newrev").to_owned();
    assert_eq!(
        (made.header("x-couch-id"), made.header("content-type")),
        ("a/b", "application/json")
    );
    let changed = server.put(&format!("{path}/a%2Fb?by=5"), None).await;
    assert_eq!(changed.is(201, json!({ "n": 6 })).header("x-seen"), rev);
    server.get("/db/a%2Fb").await.is(200, json!({ "n": 6 }));
    let slashed = server.put(&format!("{path}/a/b"), None).await;
    slashed.is(201, json!({ "n": 7 }));
    let refused = server.put(&format!("{path}/a/b?by=9"), None).await;
    refused.fails(403, "forbidden", "enough");
    let none = server.post(path, json!({})).await;
    assert_eq!((none.status, none.text()), (200, "no document"));
    assert_eq!(none.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn answers_take_every_shape() {
    let server = server().await;
    let path = |name: &str| format!("/db/_design/u/_update/{name}");
    let form = server
        .request("POST", &path("form"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("said=hello+you&x=%2F");
    let made = server.send(form).await;
    let id = made.text().strip_prefix("made ").unwrap().to_owned();
    let doc = json!({ "said": "hello you", "by": "POST" });
    server.get(&format!("/db/{id}")).await.is(200, doc);
    let bytes = server.post(&path("bytes"), json!({})).await;
    assert_eq!((bytes.status, &*bytes.bytes), (202, &[0, 1, 2][..]));
    assert_eq!(bytes.header("content-type"), "x/y");
    let echo = server.post(&path("echo/none"), json!({ "a": [1] })).await;
    assert_eq!(echo.json(), json!([null, { "a": [1] }]));
    server.put("/db/doc", Some(json!({ "x": 1 }))).await;
    let seen: Value = server.post(&path("echo/doc"), json!(1)).await.json();
    assert_eq!(
        (&seen[0]["x"], &seen[0]["_revisions"]["start"]),
        (&json!(1), &json!(1))
    );
    let stale = server.put(&path("stale/doc"), None).await;
    stale.fails(409, "conflict", "Document update conflict.");
}

#[tokio::test]
async fn what_fails_is_told() {
    let server = server().await;
    let put = async |path: &str| server.put(&format!("/db/_design/{path}"), None).await;
    put("none/_update/x").await.fails(404, "not_found", "missing");
    put("u/_update/none")
        .await
        .fails(404, "not_found", "missing json key: none");
    put("u/_update/odd")
        .await
        .is(500, json!({ "error": "bad_answer" }));
    put("u/_update/throws").await.fails(500, "Error", "Error: no");
    for path in [
        "_show/x",
        "_show/x/doc",
        "_list/x/view",
        "_rewrite",
        "_rewrite/a/b",
    ] {
        let answer = server.get(&format!("/db/_design/u/{path}")).await;
        answer.is(501, json!({ "error": "not_implemented" }));
        assert!(answer.text().contains("not run"), "{}", answer.text());
    }
}
