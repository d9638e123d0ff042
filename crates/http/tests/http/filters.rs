//! Filters of design documents on changes feeds.

use crate::harness::Server;
use serde_json::{Value, json};

/// A database with a few documents and `_design/f`.
async fn server() -> Server {
    let server = Server::with_db().await;
    let design = json!({
        "lib": { "kinds": "exports.is = function (doc, kind) { return doc.kind === kind }" },
        "views": {
            "called": { "map": "function (doc) { if (doc.kind === 'call') emit(doc._id) }" },
            "throws": { "map": "function (doc) { if (doc.kind === 'call') emit(1); doc.deep.er }" },
        },
        "filters": {
            "kind": "function (doc, req) { return require('lib/kinds').is(doc, req.query.kind) }",
            "throws": "function (doc) { throw new TypeError('no ' + doc._id) }",
            "broken": "function (",
            "loops": "function (doc) { while (doc.kind === 'call') {} return true }",
            "request": "function (doc, req) { return req.method === 'POST' && req.path[1] === '_changes' \
                && req.userCtx.db === 'db' && req.secObj.admins && JSON.parse(req.body).a === 1 \
                && req.headers['Content-Type'] === 'application/json' && req.info.db_name === 'db' }",
            "gone": "function (doc) { return doc._deleted === true && /^2-/.test(doc._rev) }",
        },
    });
    for (id, doc) in [
        ("_design%2Ff", design),
        ("a", json!({ "kind": "call" })),
        ("b", json!({ "kind": "mail" })),
        ("c", json!({ "kind": "call" })),
    ] {
        server
            .put(&format!("/db/{id}"), Some(doc))
            .await
            .is(201, json!({}));
    }
    server
}

fn ids(changes: &Value) -> Vec<&str> {
    let rows = changes["results"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn functions_and_views_judge_documents() {
    let server = server().await;
    let changes = |query: &str| format!("/db/_changes?{query}");
    for (query, expected) in [
        ("filter=f/kind&kind=call", vec!["a", "c"]),
        ("filter=f/kind&kind=mail&include_docs=true", vec!["b"]),
        ("filter=f/kind&kind=none", vec![]),
        ("filter=f/kind&kind=call&limit=1", vec!["a"]),
        ("filter=f/kind&kind=call&descending=true&limit=1", vec!["c"]),
        ("filter=_view&view=f/called", vec!["a", "c"]),
        ("filter=_view&view=f/throws", vec![]),
    ] {
        let answer = server.get(&changes(query)).await;
        assert_eq!(ids(&answer.json()), expected, "{query}");
    }
    let first = server
        .get(&changes("filter=f/kind&kind=call&limit=1"))
        .await
        .json();
    let since = first["last_seq"].as_str().unwrap();
    let rest = server
        .get(&changes(&format!("filter=f/kind&kind=call&since={since}")))
        .await
        .json();
    assert_eq!(ids(&rest), ["c"]);
    assert_eq!(rest["pending"], json!(0));
    let posted = server.post(&changes("filter=f/request"), json!({ "a": 1 })).await;
    assert_eq!(ids(&posted.json()).len(), 4);
}

#[tokio::test]
async fn every_feed_is_filtered() {
    let server = server().await;
    let continuous = server
        .get("/db/_changes?filter=f/kind&kind=call&feed=continuous&timeout=1")
        .await;
    assert_eq!(
        continuous.text().matches("\"id\":").count(),
        2,
        "{}",
        continuous.text()
    );
    let events = server
        .get("/db/_changes?filter=f/kind&kind=call&feed=eventsource&timeout=1")
        .await;
    assert_eq!(events.text().matches("\"id\":").count(), 2, "{}", events.text());
    let poll = server
        .get("/db/_changes?filter=f/kind&kind=mail&feed=longpoll")
        .await;
    assert_eq!(ids(&poll.json()), ["b"]);
}

#[tokio::test]
async fn every_leaf_is_judged_by_its_own_body() {
    let server = server().await;
    for (rev, kind) in [("1-aa", "call"), ("1-bb", "mail"), ("1-cc", "call")] {
        let docs = json!({ "new_edits": false, "docs": [{ "_id": "x", "_rev": rev, "kind": kind }] });
        server.post("/db/_bulk_docs", docs).await;
    }
    let rows = |answer: Value| answer["results"].as_array().unwrap().last().cloned().unwrap();
    let all = server
        .get("/db/_changes?filter=f/kind&kind=call&style=all_docs")
        .await;
    assert_eq!(
        rows(all.json())["changes"],
        json!([{ "rev": "1-cc" }, { "rev": "1-aa" }])
    );
    let lost = server
        .get("/db/_changes?filter=f/kind&kind=mail&style=all_docs")
        .await;
    assert_eq!(rows(lost.json())["changes"], json!([{ "rev": "1-bb" }]));
    let main = server.get("/db/_changes?filter=f/kind&kind=mail").await;
    assert_eq!(ids(&main.json()), ["b"]);
    let rev = server.get("/db/a").await.json()["_rev"]
        .as_str()
        .unwrap()
        .to_owned();
    server.call("DELETE", &format!("/db/a?rev={rev}"), None).await;
    assert_eq!(ids(&server.get("/db/_changes?filter=f/gone").await.json()), ["a"]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let server = server().await;
    for (query, error, reason) in [
        ("filter=none/f", "not_found", "missing"),
        ("filter=f/none", "not_found", "missing json key: none"),
        ("filter=_view&view=f/none", "not_found", "missing json key: none"),
    ] {
        let answer = server.get(&format!("/db/_changes?{query}")).await;
        answer.fails(404, error, reason);
    }
    server.put("/db/_design%2Fempty", Some(json!({}))).await;
    let empty = server.get("/db/_changes?filter=empty/f").await;
    empty.fails(404, "not_found", "missing json key: filters");
    assert_eq!(server.get("/db/_changes?filter=f/kind/x").await.status, 400);
    let throws = server.get("/db/_changes?filter=f/throws").await;
    throws.fails(500, "TypeError", "TypeError: no _design/f");
    let broken = server.get("/db/_changes?filter=f/broken&feed=continuous").await;
    broken.is(500, json!({ "error": "compilation_error" }));
}

#[tokio::test]
async fn a_function_that_loops_ends_its_feed() {
    let server = server().await;
    let loops = server.get("/db/_changes?filter=f/loops").await;
    loops.fails(
        500,
        "os_process_error",
        "the function took too long and was ended",
    );
    assert_eq!(
        ids(&server.get("/db/_changes?filter=f/kind&kind=mail").await.json()),
        ["b"]
    );
}

#[tokio::test]
async fn replications_have_their_source_filter() {
    let source = server().await;
    let target = Server::start().await;
    let run = async |filter: &str, params: Value, to: &str| {
        let job = json!({ "source": format!("{}/db", source.url), "target": to, "create_target": true,
            "filter": filter, "query_params": params });
        target.post("/_replicate", job).await
    };
    let first = run("f/kind", json!({ "kind": "call" }), "calls").await;
    let first = first.is(200, json!({ "ok": true })).json();
    assert_eq!(first["history"][0]["docs_written"], json!(2));
    target.get("/calls/b").await.is(404, json!({}));
    run("_view", json!({ "view": "f/called" }), "viewed")
        .await
        .is(200, json!({ "ok": true }));
    target.get("/viewed/c").await.is(200, json!({ "kind": "call" }));
    target.get("/viewed/b").await.is(404, json!({}));

    // Asked with something else, or of another function, it starts anew; else it goes on.
    let again = run("f/kind", json!({ "kind": "call" }), "calls").await.json();
    assert_eq!(again["no_changes"], json!(true), "{again}");
    let mail = run("f/kind", json!({ "kind": "mail" }), "calls").await.json();
    assert_eq!(mail["history"][0]["docs_written"], json!(1));
    let mut design = source.get("/db/_design/f").await.json();
    design["filters"]["kind"] = json!("function (doc) { return doc._id === 'late' || doc._id === 'a' }");
    source.put("/db/_design/f", Some(design)).await.is(201, json!({}));
    let changed = run("f/kind", json!({ "kind": "call" }), "calls").await.json();
    assert_eq!(changed["history"].as_array().map(Vec::len), Some(1), "{changed}");

    for filter in ["f/none", "none/f"] {
        let job = json!({ "source": format!("{}/db", source.url), "target": "calls", "filter": filter });
        let answer = target.post("/_replicate", job).await;
        assert!(answer.status >= 400, "{}", answer.text());
        assert!(
            answer.text().contains("there is no filter function"),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn sources_of_this_node_have_their_filter_by_name() {
    let server = server().await;
    let run = async |filter: &str, params: Value, to: &str| {
        let job = json!({ "source": "db", "target": to, "create_target": true,
            "filter": filter, "query_params": params });
        server.post("/_replicate", job).await
    };
    let first = run("f/kind", json!({ "kind": "call" }), "calls").await;
    let first = first.is(200, json!({ "ok": true })).json();
    assert_eq!(first["history"][0]["docs_written"], json!(2));
    server.get("/calls/b").await.is(404, json!({}));
    let again = run("f/kind", json!({ "kind": "call" }), "calls").await.json();
    assert_eq!(again["no_changes"], json!(true), "{again}");
    run("_view", json!({ "view": "f/called" }), "viewed")
        .await
        .is(200, json!({ "ok": true }));
    server.get("/viewed/c").await.is(200, json!({ "kind": "call" }));
    server.get("/viewed/b").await.is(404, json!({}));
    let odd = run("_odd", json!({}), "calls").await;
    assert!(odd.text().contains("no filter function"), "{}", odd.text());
    let none = run("f/none", json!({}), "calls").await;
    assert!(
        none.text().contains("there is no filter function f/none"),
        "{}",
        none.text()
    );
}
