//! `_count` and `_aggregate` of a partition, with an index and without.

use crate::partitions::{DOCS, document, partitioned};
use serde_json::{Value, json};

#[tokio::test]
async fn a_partition_is_told_of_by_itself() {
    let server = partitioned().await;
    let selector = json!({ "n": { "$gte": 1 } });
    let asked = json!({
        "selector": selector,
        "group": ["kind"],
        "values": { "calls": { "count": true }, "n": { "sum": "n" } },
    });
    // No index, one that does not tell all, one that does.
    for fields in [vec![], vec!["n"], vec!["n", "kind"]] {
        let indexed = fields.len();
        if indexed > 0 {
            let index = json!({ "index": { "fields": fields }, "ddoc": format!("n{indexed}"), "name": "n" });
            let made = server.post("/db/_index", index).await;
            made.is(200, json!({ "result": "created" }));
        }
        for partition in ["foo", "foo-2", "none"] {
            let path = format!("/db/_partition/{partition}");
            let of_it = |doc: &Value| {
                let id = doc["_id"].as_str().unwrap();
                id.starts_with(&format!("{partition}:")) && doc["n"].as_u64() >= Some(1)
            };
            let docs: Vec<Value> = (0..DOCS).map(document).filter(of_it).collect();
            let counted = server
                .post(&format!("{path}/_count"), json!({ "selector": selector }))
                .await;
            counted.is(200, json!({ "count": docs.len() }));
            let answer = server.post(&format!("{path}/_aggregate"), asked.clone()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let expected: Vec<Value> = ["a", "b"]
                .into_iter()
                .map(|kind| {
                    let ns = docs
                        .iter()
                        .filter(|doc| doc["kind"] == kind)
                        .map(|doc| doc["n"].as_u64().unwrap());
                    json!({ "kind": kind, "calls": ns.clone().count(), "n": ns.sum::<u64>() })
                })
                .filter(|group| group["calls"] != 0)
                .collect();
            assert_eq!(answer.json()["rows"], json!(expected), "{partition} {indexed}");
        }
    }
    server.put("/plain", None).await.is(201, json!({}));
    let elsewhere = server.post("/plain/_aggregate?partition=foo", asked).await;
    elsewhere.fails(400, "bad_request", "partition specified on non-partitioned db");
}
