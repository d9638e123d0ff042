//! Views of partitioned databases, by partition and over all of them.

use crate::harness::Server;
use crate::partitions::{DOCS, document, partitioned};
use serde_json::{Value, json};

async fn with_views() -> Server {
    let server = partitioned().await;
    let views = json!({
        "by_n": { "map": "function (doc) { emit(doc.n, doc.kind); }" },
        "counted": { "map": "function (doc) { emit([doc.kind, doc.n], 1); }", "reduce": "_count" },
        "ours": {
            "map": "function (doc) { emit([doc.kind, doc.n], 1); }",
            "reduce": "function (keys, values, again) { return again ? sum(values) : values.length; }",
        },
    });
    for (id, options) in [
        ("default", json!({})),
        ("true", json!({ "partitioned": true })),
        ("false", json!({ "partitioned": false })),
        ("designs", json!({ "include_design": true })),
    ] {
        let design = json!({ "views": views, "options": options });
        server
            .put(&format!("/db/_design/{id}"), Some(design))
            .await
            .is(201, json!({}));
    }
    server
}

async fn rows(server: &Server, path: &str) -> Vec<Value> {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_partition_has_its_part_of_the_rows() {
    let server = with_views().await;
    for query in [
        "",
        "startkey=1&endkey=3",
        "startkey=3&endkey=1&descending=true",
        "startkey=1&endkey=3&inclusive_end=false",
        "key=2",
        "keys=[3,1]",
        "include_docs=true&startkey=2&startkey_docid=foo:015",
    ] {
        let all = rows(&server, &format!("/db/_design/false/_view/by_n?{query}")).await;
        assert!(!all.is_empty());
        for (design, partition) in [
            ("default", "foo"),
            ("true", "foo-2"),
            ("designs", "bar"),
            ("true", "none"),
        ] {
            let path = format!("/db/_partition/{partition}/_design/{design}/_view/by_n?{query}");
            let begins = format!("{partition}:");
            let of_it = |row: &&Value| row["id"].as_str().unwrap().starts_with(&begins);
            let mut expected: Vec<Value> = all.iter().filter(of_it).cloned().collect();
            if query.contains("startkey_docid") {
                // Of the first key, ids up to that one are left out, whichever partition they are in.
                expected.retain(|row| row["key"] != 2 || row["id"].as_str() >= Some("foo:015"));
            }
            assert_eq!(rows(&server, &path).await, expected, "{path}");
        }
    }
    let path = "/db/_partition/foo/_design/default/_view/by_n";
    let skipped = rows(&server, &format!("{path}?skip=2&limit=3")).await;
    assert_eq!(skipped, rows(&server, path).await[2..5]);
    let by_option = rows(&server, "/db/_design/default/_view/by_n?partition=foo").await;
    assert_eq!(by_option, rows(&server, path).await);
    let queries = json!({ "queries": [{ "key": 2 }, { "limit": 1, "descending": true }] });
    let both = server.post(&format!("{path}/queries"), queries).await.json();
    assert_eq!(both["results"][0]["rows"].as_array().unwrap().len(), 2);
    assert_eq!(both["results"][1]["rows"][0]["id"], "foo:027");
    let posted = server.post(path, json!({ "keys": [4, 0] })).await.json();
    assert_eq!(posted["rows"][0]["key"], 4);
}

#[tokio::test]
async fn a_partition_is_reduced_by_itself() {
    let server = with_views().await;
    for view in ["counted", "ours"] {
        for partition in ["foo", "foo-2", "bar"] {
            let of_it = |n: &usize| {
                document(*n)["_id"]
                    .as_str()
                    .unwrap()
                    .starts_with(&format!("{partition}:"))
            };
            let count = |kind: usize| (0..DOCS).filter(of_it).filter(|n| n % 2 == kind).count();
            let path = format!("/db/_partition/{partition}/_design/default/_view/{view}");
            assert_eq!(
                rows(&server, &path).await,
                [json!({ "key": null, "value": count(0) + count(1) })]
            );
            for (query, expected) in [
                ("group_level=1", [("a", count(0)), ("b", count(1))]),
                (
                    "group_level=1&descending=true",
                    [("b", count(1)), ("a", count(0))],
                ),
            ] {
                let expected = expected.map(|(kind, count)| json!({ "key": [kind], "value": count }));
                assert_eq!(rows(&server, &format!("{path}?{query}")).await, expected);
            }
            let grouped = rows(&server, &format!("{path}?group=true")).await;
            let by_pair: usize = grouped
                .iter()
                .map(|row| row["value"].as_u64().unwrap() as usize)
                .sum();
            assert_eq!(by_pair, DOCS / 3);
            assert_eq!(
                grouped.len(),
                rows(&server, &format!("{path}?group_level=2")).await.len()
            );
        }
    }
}

#[tokio::test]
async fn views_are_by_partition_or_they_are_not() {
    let server = with_views().await;
    server.get("/db/_design/default/_view/by_n").await.fails(
        400,
        "query_parse_error",
        "`partition` parameter is mandatory for queries to this view.",
    );
    server
        .get("/db/_partition/foo/_design/false/_view/by_n")
        .await
        .fails(
            400,
            "query_parse_error",
            "`partition` parameter is not supported in this design doc",
        );
    let signature = async |id: &str| {
        let info = server.get(&format!("/db/_design/{id}/_info")).await.json();
        info["view_index"]["signature"].clone()
    };
    assert_eq!(signature("default").await, signature("true").await);
    assert_ne!(signature("default").await, signature("false").await);
    server.put("/plain", None).await.is(201, json!({}));
    let design = json!({ "views": {}, "options": { "partitioned": true } });
    server.put("/plain/_design/x", Some(design)).await.fails(
        400,
        "invalid_design_doc",
        "partitioned option cannot be true in a non-partitioned database.",
    );
}
