//! Views: rows and groups of every option, against what a test computes of the documents themselves.

use crate::harness::{Server, encoded};
use serde_json::{Value, json};

/// Documents `d000`.. in a database with the design document `_design/x`.
pub(crate) const DOCS: usize = 30;

pub(crate) async fn filled() -> Server {
    let server = Server::with_db().await;
    let docs: Vec<Value> = (0..DOCS).map(document).collect();
    let answer = server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    answer.is(201, json!({}));
    server
        .put("/db/_design/x", Some(design("")))
        .await
        .is(201, json!({}));
    server
}

fn document(n: usize) -> Value {
    let kinds = ["call", "fax", "sms"];
    json!({ "_id": format!("d{n:03}"), "type": kinds[n % 3], "n": n / 5 })
}

/// Of the same views, whatever `salt` is, under another signature.
pub(crate) fn design(salt: &str) -> Value {
    json!({ "views": {
        "by_n": { "map": format!("function (doc) {{ /*{salt}*/ emit(doc.n, doc.type); }}") },
        "typed": {
            "map": "function (doc) { emit([doc.type, doc.n], doc.n); }",
            "reduce": "_sum",
        },
    } })
}

pub(crate) async fn view(server: &Server, rest: &str) -> Value {
    let answer = server.get(&format!("/db/_design/x/_view/{rest}")).await;
    assert_eq!(answer.status, 200, "{rest}: {}", answer.text());
    answer.json()
}

fn ids(answer: &Value) -> Vec<usize> {
    let number = |row: &Value| row["id"].as_str().unwrap()[1..].parse().unwrap();
    answer["rows"].as_array().unwrap().iter().map(number).collect()
}

#[tokio::test]
async fn ranges() {
    let server = filled().await;
    let all = 0..DOCS;
    // Keys are n / 5, so that row and document numbers are the same.
    for (query, offset, expected) in [
        ("", 0, all.clone().collect::<Vec<_>>()),
        ("descending=true", 0, all.clone().rev().collect()),
        ("key=2", 10, (10..15).collect()),
        ("key=2&descending=true", 15, (10..15).rev().collect()),
        ("startkey=2&endkey=3", 10, (10..20).collect()),
        (
            "start_key=2&end_key=3&inclusive_end=false",
            10,
            (10..15).collect(),
        ),
        ("startkey=4&descending=true", 5, (0..25).rev().collect()),
        (
            "startkey=4&endkey=2&descending=true&inclusive_end=false",
            5,
            (15..25).rev().collect(),
        ),
        ("startkey=2&startkey_docid=d012", 12, (12..30).collect()),
        (
            "startkey=2&start_key_doc_id=d012&endkey=3&endkey_docid=d016",
            12,
            (12..17).collect(),
        ),
        (
            "startkey=3&startkey_docid=d016&descending=true&endkey=2&end_key_doc_id=d012",
            13,
            (12..17).rev().collect(),
        ),
        ("limit=3", 0, (0..3).collect()),
        ("skip=7&limit=3", 7, (7..10).collect()),
        ("skip=7&limit=3&startkey=1", 12, (12..15).collect()),
        ("skip=40", 30, vec![]),
        ("limit=0&startkey=2", 10, vec![]),
        ("startkey=\"a\"", 30, vec![]),
        ("startkey=2.5&endkey=2.7", 15, vec![]),
        ("keys=[3,0.5,1]", 15, (15..20).chain(5..10).collect()),
        ("keys=[3,3]&skip=1&limit=6", 16, (16..20).chain(15..17).collect()),
        ("keys=[]", 0, vec![]),
        ("stable=true&sorted=false&startkey=5", 25, (25..30).collect()),
    ] {
        let answer = view(&server, &format!("by_n?{query}")).await;
        assert_eq!(ids(&answer), expected, "{query}");
        assert_eq!(answer["total_rows"], DOCS, "{query}");
        assert_eq!(answer["offset"], offset, "{query}");
    }
    let row = &view(&server, "by_n?limit=1&skip=8").await["rows"][0];
    assert_eq!(*row, json!({ "id": "d008", "key": 1, "value": "sms" }));
}

#[tokio::test]
async fn reductions() {
    let server = filled().await;
    let sum = |of: &dyn Fn(usize) -> bool| (0..DOCS).filter(|n| of(*n)).map(|n| n / 5).sum::<usize>();
    let row = |key: Value, value: usize| json!({ "key": key, "value": value });
    let by_type = |n: usize, name: &str| row(json!([name]), sum(&|other| other % 3 == n));
    for (query, expected) in [
        ("", vec![row(Value::Null, sum(&|_| true))]),
        ("group_level=0", vec![row(Value::Null, sum(&|_| true))]),
        (
            "group_level=1",
            vec![by_type(0, "call"), by_type(1, "fax"), by_type(2, "sms")],
        ),
        ("group_level=1&skip=1&limit=1", vec![by_type(1, "fax")]),
        ("group_level=1&descending=true&limit=1", vec![by_type(2, "sms")]),
        (
            "startkey=[\"fax\"]&endkey=[\"fax\",{}]&group_level=1",
            vec![by_type(1, "fax")],
        ),
        ("startkey=[\"x\"]", vec![]),
        (
            "group=true&keys=[[\"sms\",1],[\"none\"],[\"call\",1]]",
            vec![row(json!(["sms", 1]), 2), row(json!(["call", 1]), 2)],
        ),
    ] {
        let answer = view(&server, &format!("typed?{query}")).await;
        assert_eq!(answer, json!({ "rows": expected }), "{query}");
    }
    let groups = view(&server, "typed?group=true").await;
    assert_eq!(groups["rows"].as_array().unwrap().len(), 18);
    let rows = view(&server, "typed?reduce=false&limit=1").await;
    let first = json!({ "id": "d000", "key": ["call", 0], "value": 0 });
    assert_eq!(rows, json!({ "total_rows": DOCS, "offset": 0, "rows": [first] }));
}

#[tokio::test]
async fn what_is_refused() {
    let server = filled().await;
    for (query, reason) in [
        ("by_n?reduce=true", "Reduce is invalid for map-only views."),
        ("by_n?group=true", "Invalid use of grouping on a map view."),
        ("by_n?group_level=1", "Invalid use of grouping on a map view."),
        (
            "typed?reduce=false&group=true",
            "Invalid use of grouping on a map view.",
        ),
        (
            "typed?keys=[1]",
            "Multi-key fetches for reduce views must use `group=true`",
        ),
        (
            "by_n?keys=[1]&startkey=1",
            "`keys` is incompatible with `key`, `start_key` and `end_key`",
        ),
        ("typed?include_docs=true", "`include_docs` is invalid for reduce"),
        ("typed?conflicts=true", "`conflicts` is invalid for reduce views."),
        (
            "by_n?startkey=2&endkey=1",
            "No rows can match your key range, reverse your start_key and end_key or set descending=true",
        ),
        (
            "by_n?startkey=1&endkey=2&descending=true",
            "No rows can match your key range, reverse your start_key and end_key or set descending=false",
        ),
        ("by_n?update=maybe", "Invalid value for `update`."),
        ("by_n?limit=-1", "Invalid value for positive integer: \"-1\""),
        ("by_n?group=1", "Invalid boolean parameter: \"1\""),
    ] {
        let answer = server.get(&format!("/db/_design/x/_view/{query}")).await;
        answer.fails(400, "query_parse_error", reason);
    }
    server
        .get("/db/_design/x/_view/by_n?key=a")
        .await
        .fails(400, "bad_request", "invalid UTF-8 JSON");
    server
        .get("/db/_design/x/_view/none")
        .await
        .fails(404, "not_found", "missing_named_view");
    server
        .get("/db/_design/y/_view/by_n")
        .await
        .fails(404, "not_found", "missing");
}

#[tokio::test]
async fn posted_questions() {
    let server = filled().await;
    let path = "/db/_design/x/_view/by_n";
    let answer = server
        .post(
            path,
            json!({ "startkey": 2, "endkey": 2, "limit": 2, "descending": true }),
        )
        .await;
    assert_eq!(ids(&answer.json()), [14, 13]);
    let keys = server
        .post(&format!("{path}?limit=6"), json!({ "keys": [4, 1], "limit": 1 }))
        .await;
    assert_eq!(ids(&keys.json()), [20, 21, 22, 23, 24, 5]);
    let several = server
        .post(
            &format!("{path}/queries"),
            json!({ "queries": [{ "key": 1 }, { "keys": [7] }, { "limit": 1, "descending": true }] }),
        )
        .await;
    let several = several.json();
    let results = several["results"].as_array().unwrap();
    let found: Vec<Vec<usize>> = results.iter().map(ids).collect();
    assert_eq!(found, [vec![5, 6, 7, 8, 9], vec![], vec![29]]);
    let wrong = json!({ "queries": [{}, { "group": true }] });
    server.post(&format!("{path}/queries"), wrong).await.fails(
        400,
        "query_parse_error",
        "Invalid use of grouping on a map view.",
    );
}

#[tokio::test]
async fn pages_by_key_and_document() {
    let server = filled().await;
    for direction in ["", "&descending=true"] {
        let mut seen = Vec::new();
        let mut from = String::new();
        loop {
            let page = view(&server, &format!("by_n?limit=8{direction}{from}")).await;
            let rows = page["rows"].as_array().unwrap();
            seen.extend(ids(&page).into_iter().take(7));
            let Some(next) = rows.get(7) else {
                break;
            };
            let id = encoded(next["id"].as_str().unwrap());
            from = format!("&startkey={}&startkey_docid={id}", next["key"]);
        }
        let mut expected: Vec<usize> = (0..DOCS).collect();
        if !direction.is_empty() {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{direction}");
    }
}
