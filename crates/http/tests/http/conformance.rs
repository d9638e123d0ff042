//! Small things that suites written for CouchDB look at.

use crate::harness::{Server, encoded};
use serde_json::json;

#[tokio::test]
async fn ids_that_no_document_can_have() {
    let server = Server::with_db().await;
    let empty = "Document id must not be empty";
    let text = "Document id must be a string";
    for (id, reason) in [(json!(""), empty), (json!(1), text)] {
        server
            .post("/db", json!({ "_id": id }))
            .await
            .fails(400, "illegal_docid", reason);
        server
            .post("/db/_bulk_docs", json!({ "docs": [{ "_id": id }] }))
            .await
            .fails(400, "illegal_docid", reason);
    }
    for path in ["/db/_local", "/db/_local/", "/db/_local%2F"] {
        server
            .put(path, Some(json!({})))
            .await
            .fails(400, "bad_request", "Invalid _local document id.");
    }
}

#[tokio::test]
async fn bulk_writes_take_local_documents_too() {
    let server = Server::with_db().await;
    let docs = json!([
        { "_id": "a" }, { "_id": "_local/x", "n": 1 }, { "_id": "_design/d" }, { "_id": "_local/y", "_rev": "0-4" }
    ]);
    let rows = server
        .post("/db/_bulk_docs", json!({ "docs": docs }))
        .await
        .json();
    let ids: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a", "_local/x", "_design/d", "_local/y"]);
    assert_eq!(rows[1]["rev"], "0-1");
    assert_eq!(rows[3]["rev"], "0-5");
    assert_eq!(server.get("/db/_local/x").await.json()["n"], 1);
    let replicated =
        json!({ "docs": [{ "_id": "_local/x", "_rev": "0-1", "_deleted": true }], "new_edits": false });
    assert_eq!(server.post("/db/_bulk_docs", replicated).await.text(), "[]\n");
    assert_eq!(server.get("/db/_local/x").await.status, 404);
    let bad = json!({ "docs": [{ "_id": "_local/x", "_rev": "1-a" }] });
    server
        .post("/db/_bulk_docs", bad)
        .await
        .fails(400, "bad_request", "Invalid rev format");
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let server = Server::with_db().await;
    server.put("/db/a", Some(json!({}))).await.rev();
    server.put("/db/_local/a", Some(json!({}))).await;
    for path in ["/db/a", "/db/_local/a", "/db/_changes"] {
        let etag = server.get(path).await.header("etag").to_owned();
        let again = server.get_with(path, "if-none-match", &etag).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), etag);
    }
    let etag = server.get("/db/_changes").await.header("etag").to_owned();
    server.put("/db/b", Some(json!({}))).await.rev();
    assert_eq!(
        server
            .get_with("/db/_changes", "if-none-match", &etag)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_deleted_winner_is_shown_when_asked_for() {
    let server = Server::with_db().await;
    let rev = server.put("/db/a", Some(json!({}))).await.rev();
    let rev = server
        .call("DELETE", &format!("/db/a?rev={rev}"), None)
        .await
        .rev();
    server.get("/db/a").await.fails(404, "not_found", "deleted");
    server
        .get("/db/a?deleted=true")
        .await
        .is(200, json!({ "_rev": rev, "_deleted": true }));
}

#[tokio::test]
async fn a_query_string_counts_more_than_a_posted_body_but_less_than_one_of_several_queries() {
    let server = Server::with_db().await;
    for id in ["a", "b", "c"] {
        server.put(&format!("/db/{id}"), Some(json!({}))).await.rev();
        server.put(&format!("/db/_local/{id}"), Some(json!({}))).await;
    }
    let rows = |answer: &serde_json::Value| answer["rows"].as_array().unwrap().len();
    for path in ["/db/_all_docs", "/db/_local_docs"] {
        let answer = server
            .post(&format!("{path}?limit=1"), json!({ "limit": 2 }))
            .await;
        assert_eq!(rows(&answer.json()), 1, "{path}");
        let queries = json!({ "queries": [{ "limit": 2 }, {}] });
        let answer = server
            .post(&format!("{path}/queries?limit=1"), queries)
            .await
            .json();
        assert_eq!(
            (rows(&answer["results"][0]), rows(&answer["results"][1])),
            (2, 1),
            "{path}"
        );
    }
}

#[tokio::test]
async fn options_that_make_no_sense_for_a_listing() {
    let server = Server::with_db().await;
    for (query, reason) in [
        (
            "keys=[%22a%22]&key=%22a%22",
            "`keys` is incompatible with `key`, `start_key` and `end_key`",
        ),
        ("reduce=true", "Reduce is invalid for map-only views."),
        ("group=true", "Invalid use of grouping on a map view."),
    ] {
        server
            .get(&format!("/db/_all_docs?{query}"))
            .await
            .fails(400, "query_parse_error", reason);
    }
    assert_eq!(
        server
            .get("/db/_all_docs?keys=[]&key=%22a%22&reduce=false")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn filters_that_are_none() {
    let server = Server::with_db().await;
    let no_ids = "`doc_ids` filter parameter is not a list of doc ids.";
    for (query, reason) in [
        ("filter=_nope", "unknown builtin filter name"),
        (
            "filter=nope",
            "`filter` must be of the form `designname/filtername`",
        ),
        ("filter=_view", "`view` filter parameter is not provided."),
        (
            "filter=_view&view=x",
            "`view` must be of the form `designname/viewname`",
        ),
        ("filter=_doc_ids", no_ids),
        ("seq_interval=0", "invalid_seq_interval"),
        ("seq_interval=x", "invalid_seq_interval"),
    ] {
        server
            .get(&format!("/db/_changes?{query}"))
            .await
            .fails(400, "bad_request", reason);
    }
    for body in [json!({ "doc_ids": "a" }), json!({ "doc_ids": [1] }), json!({})] {
        server
            .post("/db/_changes?filter=_doc_ids", body)
            .await
            .fails(400, "bad_request", no_ids);
    }
    server.post("/db/_changes", json!([])).await.fails(
        400,
        "bad_request",
        "Request body must be a JSON object",
    );
}

#[tokio::test]
async fn a_selector_sees_attachments_and_a_winners_conflicts() {
    let server = Server::with_db().await;
    let voice = json!({ "voice.wav": { "content_type": "audio/wav", "data": "aGVsbG8=" } });
    let docs = json!([
        { "_id": "a", "_rev": "1-bb", "n": 1 },
        { "_id": "a", "_rev": "1-aa", "_attachments": voice },
        { "_id": "b", "_rev": "1-aa", "_attachments": voice },
        { "_id": "c", "_rev": "1-aa" },
        { "_id": "d", "_rev": "1-aa", "_deleted": true },
    ]);
    let docs = json!({ "docs": docs, "new_edits": false });
    assert_eq!(server.post("/db/_bulk_docs", docs).await.text(), "[]\n");
    let selected = |style: &'static str, selector: serde_json::Value| {
        let path = format!("/db/_changes?filter=_selector&style={style}");
        let server = &server;
        async move {
            let answer = server.post(&path, json!({ "selector": selector })).await.json();
            let rows = answer["results"].as_array().unwrap().iter();
            rows.map(|row| {
                format!(
                    "{} {}",
                    row["id"].as_str().unwrap(),
                    row["changes"][0]["rev"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
        }
    };
    let some = json!({ "_attachments": { "$exists": true } });
    assert_eq!(selected("main_only", some.clone()).await, ["b 1-aa"]);
    assert_eq!(selected("all_docs", some).await, ["a 1-aa", "b 1-aa"]);
    let audio = json!({ "_attachments.voice\\.wav": { "content_type": "audio/wav", "length": 5, "stub": true, "revpos": 1 } });
    assert_eq!(selected("main_only", audio).await, ["b 1-aa"]);
    let nested = json!({ "_attachments": { "voice\\.wav": { "digest": "md5-XUFAKrxLKna5cZ2REBfFkg==" } } });
    assert_eq!(selected("main_only", nested).await, ["b 1-aa"]);
    let none = json!({ "_attachments": { "$exists": false }, "_deleted": { "$exists": false } });
    assert_eq!(selected("main_only", none).await, ["a 1-bb", "c 1-aa"]);
    let torn = json!({ "_conflicts": { "$size": 1 } });
    assert_eq!(selected("main_only", torn.clone()).await, ["a 1-bb"]);
    assert!(selected("all_docs", torn).await.is_empty());
    let gone = json!({ "_deleted": true, "_id": "d", "_rev": "1-aa" });
    assert_eq!(selected("all_docs", gone).await, ["d 1-aa"]);
}

#[tokio::test]
async fn a_selector_judges_every_leaf_that_is_listed() {
    let server = Server::with_db().await;
    let docs = json!([
        { "_id": "a", "_rev": "1-bb", "kind": "x" },
        { "_id": "a", "_rev": "1-aa", "kind": "y" },
        { "_id": "b", "_rev": "1-aa", "kind": "x" },
    ]);
    let docs = json!({ "docs": docs, "new_edits": false });
    assert_eq!(server.post("/db/_bulk_docs", docs).await.text(), "[]\n");
    let changes = |style: &'static str, kind: &'static str| {
        let path = format!("/db/_changes?filter=_selector&style={style}");
        let server = &server;
        async move {
            let answer = server
                .post(&path, json!({ "selector": { "kind": kind } }))
                .await
                .json();
            let rows = answer["results"].as_array().unwrap().iter();
            rows.map(|row| (row["id"].clone(), row["changes"].clone()))
                .collect::<Vec<_>>()
        }
    };
    let row = |id: &str, rev: &str| (json!(id), json!([{ "rev": rev }]));
    assert_eq!(changes("all_docs", "y").await, [row("a", "1-aa")]);
    assert_eq!(
        changes("all_docs", "x").await,
        [row("a", "1-bb"), row("b", "1-aa")]
    );
    assert_eq!(changes("main_only", "y").await, []);
    assert_eq!(changes("all_docs", "z").await, []);
}

#[tokio::test]
async fn a_bulk_read_says_what_is_wrong_with_each_entry() {
    let server = Server::with_db().await;
    let docs = json!([1, { "rev": "1-a" }, { "id": "_x" }, { "id": "a", "rev": "x" }]);
    let answer = server.post("/db/_bulk_get", json!({ "docs": docs })).await.json();
    let error = |at: usize| answer["results"][at]["docs"][0]["error"].clone();
    let expected = |id, rev, error: &str, reason: &str| json!({ "id": id, "rev": rev, "error": error, "reason": reason });
    let none = json!(null);
    let object = "document must be a JSON object";
    assert_eq!(
        error(0),
        expected(none.clone(), none.clone(), "bad_request", object)
    );
    assert_eq!(
        error(1),
        expected(none.clone(), none.clone(), "bad_request", "document id missed")
    );
    let reserved = "Only reserved document ids may start with underscore.";
    assert_eq!(
        error(2),
        expected(json!("_x"), none.clone(), "illegal_docid", reserved)
    );
    assert_eq!(
        error(3),
        expected(json!("a"), json!("x"), "bad_request", "Invalid rev format")
    );
    assert_eq!(answer["results"][0]["id"], none);
}

#[tokio::test]
async fn compacting_an_index_needs_its_design_document() {
    let server = Server::with_db().await;
    assert_eq!(server.post("/db/_compact/none", json!({})).await.status, 404);
    server.put("/db/_design/d", Some(json!({}))).await.rev();
    assert_eq!(server.post("/db/_compact/d", json!({})).await.status, 202);
}

#[tokio::test]
async fn names_with_line_breaks_and_scripts() {
    let server = Server::with_db().await;
    let put = server.put("/db/docid%0A/a.txt", Some(json!({}))).await;
    assert!(put.header("location").ends_with("/db/docid%0A/a.txt"));
    let name = encoded("Kолян ü+&?.txt");
    let put = server.put(&format!("/db/b/{name}"), Some(json!({}))).await;
    assert_eq!(put.status, 201);
    assert_eq!(server.get(&format!("/db/b/{name}")).await.text(), "{}");
}
