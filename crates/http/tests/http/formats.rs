//! Answers as lines and as tables.

use crate::harness::Server;
use crate::views::{DOCS, filled};
use serde_json::{Value, json};

async fn lines(server: &Server, path: &str, body: Option<Value>) -> (String, Vec<String>) {
    let answer = match body {
        Some(body) => server.post(path, body).await,
        None => server.get(path).await,
    };
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let kind = answer.headers["content-type"].to_str().unwrap().to_owned();
    let text = answer.text();
    (kind, text.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn rows_of_views() {
    let server = filled().await;
    let rows = server.get("/db/_design/x/_view/by_n").await.json();
    let (kind, got) = lines(&server, "/db/_design/x/_view/by_n?format=ndjson", None).await;
    assert_eq!(kind, "application/x-ndjson");
    let got: Vec<Value> = got
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json!(got), rows["rows"]);
    let path = "/db/_design/x/_view/by_n?format=csv&limit=2&include_docs=true&startkey=1";
    let (kind, got) = lines(&server, path, None).await;
    assert_eq!(kind, "text/csv; charset=utf-8");
    assert_eq!(got[0], "id,key,value,doc");
    assert!(
        got[1].starts_with("d005,1,sms,\"{\"\"_id\"\":\"\"d005\"\""),
        "{got:?}"
    );
    assert_eq!(got.len(), 3);
    let (_, got) = lines(
        &server,
        "/db/_design/x/_view/typed?format=csv&group_level=1",
        None,
    )
    .await;
    let sum = |kind: usize| (0..DOCS).filter(|n| n % 3 == kind).map(|n| n / 5).sum::<usize>();
    let expected = [
        "key,value".to_owned(),
        format!("\"[\"\"call\"\"]\",{}", sum(0)),
        format!("\"[\"\"fax\"\"]\",{}", sum(1)),
        format!("\"[\"\"sms\"\"]\",{}", sum(2)),
    ];
    assert_eq!(got, expected);
}

#[tokio::test]
async fn documents_that_are_found() {
    let server = filled().await;
    let asked = json!({ "selector": { "n": { "$gte": 0 } }, "fields": ["_id", "n", "none"] });
    // All of them, not the first 25.
    let (_, got) = lines(&server, "/db/_find?format=ndjson", Some(asked.clone())).await;
    assert_eq!(got.len(), DOCS);
    assert_eq!(got[7], r#"{"_id":"d007","n":1}"#);
    let (_, got) = lines(&server, "/db/_find?format=csv", Some(asked)).await;
    assert_eq!(got.len(), DOCS + 1);
    assert_eq!((got[0].as_str(), got[8].as_str()), ("_id,n,none", "d007,1,"));
    let limited = json!({ "selector": { "n": 1 }, "limit": 2 });
    let (_, got) = lines(&server, "/db/_find?format=ndjson", Some(limited)).await;
    assert_eq!(got.len(), 2);
}

#[tokio::test]
async fn a_table_of_many_chunks() {
    let server = Server::with_db().await;
    let long = "x".repeat(2000);
    let docs: Vec<Value> = (0..2000)
        .map(|n| json!({ "_id": format!("{n:05}"), "long": long }))
        .collect();
    server
        .post("/db/_bulk_docs", json!({ "docs": docs }))
        .await
        .is(201, json!({}));
    let asked = json!({ "selector": { "long": { "$exists": true } }, "fields": ["long", "_id"] });
    let (_, got) = lines(&server, "/db/_find?format=csv", Some(asked)).await;
    assert_eq!(got.len(), 2001);
    assert_eq!(got[2000], format!("{long},01999"));
}

#[tokio::test]
async fn what_is_refused() {
    let server = filled().await;
    let all = json!({ "selector": {} });
    let answer = server.post("/db/_find?format=csv", all.clone()).await;
    answer.is(
        400,
        json!({ "reason": "Name the columns of the table in `fields`." }),
    );
    let wrong = json!({ "error": "query_parse_error" });
    server
        .post("/db/_find?format=xml", all)
        .await
        .is(400, wrong.clone());
    let path = "/db/_design/x/_view/by_n?format=xml";
    server.get(path).await.is(400, wrong.clone());
    let queries = json!({ "queries": [{}] });
    let path = "/db/_design/x/_view/by_n/queries?format=csv";
    server.post(path, queries).await.is(400, wrong);
}
