//! `_aggregate`.

use crate::harness::Server;
use serde_json::{Value, json};

/// Calls of three accounts over two days.
async fn with_calls() -> Server {
    let server = Server::with_db().await;
    let docs: Vec<Value> = (0..90)
        .map(|n| {
            json!({
                "_id": format!("call-{n:02}"), "account": format!("a{}", n % 3), "seconds": n,
                "start": 1_795_219_200 + n * 1920, "cost": n as f64 / 100.0, "leg": { "to": n % 7 },
            })
        })
        .chain([json!({ "_id": "note", "text": "no call" })])
        .collect();
    let written = server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    assert_eq!(written.status, 201);
    server
}

#[tokio::test]
async fn documents_are_told_of_by_groups() {
    let server = with_calls().await;
    let asked = json!({
        "selector": { "seconds": { "$exists": true } },
        "group": ["account", { "field": "start", "bucket": "day", "as": "day" }],
        "values": {
            "calls": { "count": true }, "seconds": { "sum": "seconds" }, "cost": { "sum": "cost" },
            "longest": { "max": "seconds" }, "mean": { "avg": "seconds" },
            "p50": { "percentile": "seconds", "p": 50 }, "to": { "count_distinct": "leg.to" },
            "top": { "top": "seconds", "n": 2, "fields": ["_id"] },
        },
        "sort": [{ "day": "desc" }, "account"],
        "limit": 2, "skip": 1, "execution_stats": true,
    });
    let mut told = server.post("/db/_aggregate", asked).await.json();
    let p50 = told["rows"][0]["p50"].take().as_f64().unwrap();
    assert!((66.0..68.0).contains(&p50), "{p50}");
    assert_eq!(
        told["rows"][0],
        json!({
            "account": "a1", "day": "2026-11-22T00:00:00Z", "calls": 15, "seconds": 1005, "cost": 10.05,
            "longest": 88, "mean": 67, "p50": null, "to": 7, "top": [{ "_id": "call-88" }, { "_id": "call-85" }],
        })
    );
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);
    assert_eq!(told["execution_stats"]["total_docs_examined"], 91);
    assert_eq!(told["execution_stats"]["results_returned"], 2);
    assert!(
        told["warning"]
            .as_str()
            .unwrap()
            .contains("No matching index found")
    );

    let all = json!({ "group": ["account"], "values": { "calls": { "count": true } } });
    let all = server.post("/db/_aggregate", all).await.json();
    let row = |account: Value, calls: u64| json!({ "account": account, "calls": calls });
    let rows = [
        row(json!(null), 1),
        row(json!("a0"), 30),
        row(json!("a1"), 30),
        row(json!("a2"), 30),
    ];
    assert_eq!(all["rows"], json!(rows));
    let none =
        json!({ "selector": { "x": 1 }, "values": { "n": { "count": true }, "max": { "max": "seconds" } } });
    let none = server.post("/db/_aggregate", none).await.json();
    assert_eq!(none["rows"], json!([{ "n": 0, "max": null }]));
}

#[tokio::test]
async fn an_index_that_has_all_fields_is_enough() {
    let server = with_calls().await;
    let index = json!({ "index": { "fields": ["account", "seconds"] }, "ddoc": "i", "name": "i" });
    assert_eq!(server.post("/db/_index", index).await.status, 200);
    let asked = |value: &str| {
        json!({
            "selector": { "account": { "$gte": "a1" }, "seconds": { "$gte": 0 } }, "group": ["account"],
            "values": { "v": { "sum": value } }, "execution_stats": true,
        })
    };
    let covered = server.post("/db/_aggregate", asked("seconds")).await.json();
    let stats = &covered["execution_stats"];
    assert_eq!(
        (&stats["total_keys_examined"], &stats["total_docs_examined"]),
        (&json!(60), &json!(0))
    );
    assert_eq!(
        covered["rows"],
        json!([{ "account": "a1", "v": 1335 }, { "account": "a2", "v": 1365 }])
    );
    assert_eq!(covered.get("warning"), None);
    // To read 60 documents of 91 by id is no shorter way than to read all.
    let scanned = server.post("/db/_aggregate", asked("cost")).await.json();
    assert_eq!(scanned["execution_stats"]["total_keys_examined"], 0);
    assert_eq!(
        scanned["rows"],
        json!([{ "account": "a1", "v": 13.35 }, { "account": "a2", "v": 13.65 }])
    );
    let mut named = asked("cost");
    named["use_index"] = json!("i");
    let named = server.post("/db/_aggregate", named).await.json();
    assert_eq!(named["execution_stats"]["total_keys_examined"], 60);
    assert_eq!(named["rows"], scanned["rows"]);
}

#[tokio::test]
async fn long_answers_are_streamed_and_wrong_questions_refused() {
    let server = Server::with_db().await;
    let doc = |n: usize| json!({ "_id": format!("{n}"), "text": format!("{n:0>500}") });
    let docs: Vec<Value> = (0..2000).map(doc).collect();
    assert_eq!(
        server
            .post("/db/_bulk_docs", json!({ "docs": docs }))
            .await
            .status,
        201
    );
    let asked = json!({ "group": ["text"], "values": { "n": { "count": true } } });
    let told = server.post("/db/_aggregate", asked).await.json();
    let rows = told["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2000);
    assert!(rows.iter().all(|row| row["n"] == 1));
    let wrong = server
        .post("/db/_aggregate", json!({ "group": ["a"], "sort": ["b"] }))
        .await;
    wrong.is(
        400,
        json!({ "error": "invalid_sort_field", "reason": "Cannot sort by b: no group or value has that name." }),
    );
    assert_eq!(
        server
            .post("/none/_aggregate", json!({ "group": ["a"] }))
            .await
            .status,
        404
    );
    assert_eq!(server.get("/db/_aggregate").await.status, 405);
}
