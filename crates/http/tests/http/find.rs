//! `_find`, `_explain` and `_count`.

use crate::harness::{Answer, Server};
use serde_json::{Value, json};

/// Calls of three accounts, some without an account.
async fn with_calls() -> Server {
    let server = Server::with_db().await;
    let docs: Vec<Value> = (0..90)
        .map(|n| match n % 4 {
            3 => json!({ "_id": format!("call-{n:02}"), "seconds": n }),
            account => {
                json!({ "_id": format!("call-{n:02}"), "account": format!("a{account}"), "seconds": n, "leg": { "to": n } })
            }
        })
        .collect();
    let written = server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    assert_eq!(written.status, 201);
    server
}

async fn index(server: &Server, name: &str, fields: Value) {
    let asked = json!({ "index": { "fields": fields }, "ddoc": name, "name": name });
    let made = server.post("/db/_index", asked).await;
    made.is(
        200,
        json!({ "result": "created", "id": format!("_design/{name}"), "name": name }),
    );
}

#[track_caller]
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let docs = answer.json()["docs"].clone();
    let id = |doc: &Value| doc["_id"].as_str().unwrap().to_owned();
    docs.as_array().unwrap().iter().map(id).collect()
}

const NO_INDEX: &str = "No matching index found, create an index to optimize query time.";

#[tokio::test]
async fn documents_are_found_without_an_index() {
    let server = with_calls().await;
    let asked = json!({ "selector": { "account": "a1", "seconds": { "$gt": 80 } } });
    let found = server.post("/db/_find", asked).await;
    assert_eq!(ids(&found), ["call-81", "call-85", "call-89"]);
    let warning = found.json()["warning"].as_str().unwrap().to_owned();
    assert!(warning.starts_with(NO_INDEX) && warning.contains("number of documents examined is high"));
    let nothing = server
        .post("/db/_find", json!({ "selector": { "none": 1 } }))
        .await;
    nothing.is(200, json!({ "docs": [], "bookmark": "nil" }));
    let empty = server
        .post("/db/_find", json!({ "selector": { "$or": [] } }))
        .await;
    assert!(ids(&empty).is_empty());
    let all = server.post("/db/_find", json!({ "selector": {} })).await;
    assert_eq!(ids(&all).len(), 25);
    let range =
        json!({ "selector": { "_id": { "$gte": "call-10", "$lt": "call-12" } }, "execution_stats": true });
    let range = server.post("/db/_find", range).await;
    assert_eq!(ids(&range), ["call-10", "call-11"]);
    assert_eq!(range.json()["execution_stats"]["total_docs_examined"], 2);
    let count = server
        .post("/db/_count", json!({ "selector": { "account": "a1" } }))
        .await;
    count.is(200, json!({ "count": 23 }));
}

#[tokio::test]
async fn documents_are_found_by_an_index_in_its_order() {
    let server = with_calls().await;
    index(&server, "by-account", json!(["account", "seconds"])).await;
    let asked = json!({
        "selector": { "account": "a2", "seconds": { "$gte": 70 } },
        "sort": [{ "seconds": "desc" }],
        "fields": ["_id", "leg.to"],
        "limit": 3,
        "execution_stats": true,
    });
    let found = server.post("/db/_find", asked.clone()).await;
    assert_eq!(ids(&found), ["call-86", "call-82", "call-78"]);
    let answer = found.json();
    assert_eq!(
        answer["docs"][0],
        json!({ "_id": "call-86", "leg": { "to": 86 } })
    );
    assert_eq!(answer.get("warning"), None);
    assert_eq!(answer["execution_stats"]["total_docs_examined"], 3);
    let mut next = asked.clone();
    next["bookmark"] = answer["bookmark"].clone();
    assert_eq!(
        ids(&server.post("/db/_find", next.clone()).await),
        ["call-74", "call-70"]
    );
    next["bookmark"] = json!("zz");
    let wrong = server.post("/db/_find", next).await;
    wrong.fails(400, "invalid_bookmark", "Invalid bookmark value: \"zz\"");
    // What is written meanwhile is found, unless the index is to be left as it is.
    server
        .put("/db/call-99", Some(json!({ "account": "a2", "seconds": 99 })))
        .await;
    let mut old = asked.clone();
    old["update"] = json!(false);
    assert_eq!(ids(&server.post("/db/_find", old).await)[0], "call-86");
    assert_eq!(ids(&server.post("/db/_find", asked).await)[0], "call-99");
    let covered = json!({
        "selector": { "account": "a2", "seconds": { "$lt": 5 } }, "fields": ["seconds"], "execution_stats": true,
    });
    let covered = server.post("/db/_find", covered).await.json();
    assert_eq!(covered["docs"], json!([{ "seconds": 2 }]));
    assert_eq!(covered["execution_stats"]["total_docs_examined"], 0);
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_in_couchdbs_words() {
    let server = with_calls().await;
    index(&server, "by-account", json!(["account"])).await;
    let sorted = json!({ "selector": { "account": "a1" }, "sort": ["seconds"] });
    server.post("/db/_find", sorted).await.fails(
        400,
        "no_usable_index",
        "No index exists for this sort, try indexing by the sort fields.",
    );
    let hinted = json!({ "selector": { "seconds": 5 }, "use_index": "by-account" });
    let hinted = server.post("/db/_find", hinted).await.json();
    let warning = hinted["warning"].as_str().unwrap();
    assert!(warning.starts_with(
        "_design/by-account was not used because it does not contain a valid index for this query.\n"
    ));
    let ruled =
        json!({ "selector": { "seconds": 5 }, "use_index": ["by-account", "x"], "allow_fallback": false });
    server.post("/db/_find", ruled).await.fails(
        400,
        "invalid_index",
        "_design/by-account, x specified by `use_index` could not be found or it is not suitable.",
    );
    let bad = server
        .post("/db/_find", json!({ "selector": { "a": { "$in": 1 } } }))
        .await;
    bad.fails(400, "bad_arg", "Bad argument for operator $in: 1");
    let missing = server.post("/db/_find", json!({})).await;
    missing.fails(400, "missing_required_key", "Missing required key: selector");
    assert_eq!(server.get("/db/_find").await.status, 405);
}

#[tokio::test]
async fn a_query_is_explained() {
    let server = with_calls().await;
    index(&server, "by-account", json!(["account", "seconds"])).await;
    let asked = json!({ "selector": { "account": "a1", "seconds": { "$gt": 7 } }, "fields": ["seconds"] });
    let explained = server.post("/db/_explain", asked).await;
    explained.is(
        200,
        json!({
            "dbname": "db",
            "limit": 25,
            "skip": 0,
            "covering": true,
            "fields": ["seconds"],
            "selector": { "$and": [{ "account": { "$eq": "a1" } }, { "seconds": { "$gt": 7 } }] },
            "index": {
                "ddoc": "_design/by-account", "name": "by-account", "type": "json", "partitioned": false,
                "def": { "fields": [{ "account": "asc" }, { "seconds": "asc" }] },
            },
        }),
    );
    let range = &explained.json()["mrargs"];
    assert_eq!(range["start_key"], json!(["a1", 7]));
    assert_eq!(range["end_key"], json!(["a1", "<MAX>"]));
    let all = server
        .post("/db/_explain", json!({ "selector": { "leg": 1 } }))
        .await;
    assert_eq!(all.json()["index"]["name"], "_all_docs");
}

#[tokio::test]
async fn many_results_are_streamed_and_come_whole() {
    let server = Server::with_db().await;
    let text = "x".repeat(2000);
    let docs: Vec<Value> = (0..600)
        .map(|n| json!({ "_id": format!("d{n:03}"), "n": n % 2, "text": text }))
        .collect();
    server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    let asked = json!({ "selector": { "n": 1 }, "limit": 1000 });
    assert_eq!(ids(&server.post("/db/_find", asked.clone()).await).len(), 300);
    index(&server, "n", json!(["n"])).await;
    let found = ids(&server.post("/db/_find", asked).await);
    assert_eq!(found.len(), 300);
    assert!(found.is_sorted());
}
