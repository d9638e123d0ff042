//! How much of an answer is held at once: chunks are counted in bytes, whatever they are made of.

use super::map;
use crate::Config;
use crate::app::App;
use crate::auth::User;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use trunkline_core::db_name::DbName;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_store::Store;

/// Bytes of each attachment, and of each losing leaf: longer than a chunk, so that each is one.
const PART_BYTES: usize = 300_000;
/// Documents with attachments, and leaves of the document that has many.
const MANY: usize = 12;
/// The longest chunk: one part, as base64, behind what fills a chunk.
const CHUNK_BYTES_MAX: usize = 3 * SCAN_CHUNK_BYTES + PART_BYTES * 4 / 3;

fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let root = User {
        name: Some("root".to_owned()),
        roles: vec!["_admin".to_owned()],
        ..User::default()
    };
    request.extensions_mut().insert(Arc::new(root));
    request
}

struct World {
    router: Router,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create(&DbName::parse("db").unwrap()).unwrap();
        let app = App::new(store.into(), Config::default().into(), Vec::new());
        let world = World {
            router: map(app),
            _dir: dir,
        };
        let design = json!({
            "_id": "_design/d",
            "views": { "v": { "map": "function (doc) { if (doc.n) { emit(doc.n); } }" } },
            "filters": { "f": "function (doc) { return !!doc.n; }" },
        });
        let data = "A".repeat(PART_BYTES / 3 * 4);
        let attached = (1..=MANY)
            .map(|n| json!({ "_id": format!("d{n:02}"), "n": n, "_attachments": { "a": { "data": data } } }));
        let pad = "p".repeat(PART_BYTES);
        let leaves =
            (1..=MANY).map(|n| json!({ "_id": "leaves", "_rev": format!("1-{n:02}"), "n": 1, "pad": pad }));
        for (new_edits, docs) in [
            (true, attached.chain([design]).collect::<Vec<Value>>()),
            (false, leaves.collect()),
        ] {
            let body = json!({ "new_edits": new_edits, "docs": docs });
            world.ask("POST", "/db/_bulk_docs", &body.to_string()).await;
        }
        world
    }

    /// An answer, and its longest chunk.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (String, usize) {
        let request = request(method, path, body);
        let answer = self.router.clone().oneshot(request).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let (mut body, mut text, mut longest) = (answer.into_body(), Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let bytes = frame.unwrap().into_data().unwrap();
            longest = longest.max(bytes.len());
            text.extend_from_slice(&bytes);
        }
        (String::from_utf8(text).unwrap(), longest)
    }

    /// Asks for JSON, no chunk of which is longer than it may be; and how often the texts stand in it.
    async fn count(&self, method: &str, path: &str, body: &Value, what: &[&str]) -> Vec<usize> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (text, longest) = self.ask(method, path, &body).await;
        assert!(longest <= CHUNK_BYTES_MAX, "{path}: a chunk of {longest}");
        if let Err(error) = serde_json::from_str::<Value>(&text) {
            let near = text.get(error.column().saturating_sub(100)..);
            panic!(
                "{path}: {error}: {:?}",
                near.map(|near| near.chars().take(200).collect::<String>())
            );
        }
        what.iter().map(|what| text.matches(what).count()).collect()
    }
}

#[tokio::test]
async fn listings_inline_attachments_by_chunks() {
    let world = World::new().await;
    let ids: Vec<String> = (1..=MANY).map(|n| format!("d{n:02}")).collect();
    let keys = json!({ "keys": ids });
    let same = json!({ "keys": vec!["d01"; MANY], "include_docs": true });
    let with = "include_docs=true&attachments=true";
    for (method, path, body) in [
        ("GET", format!("/db/_all_docs?{with}&endkey=\"e\""), Value::Null),
        ("POST", format!("/db/_all_docs?{with}"), keys),
        ("POST", format!("/db/_all_docs?{with}"), same),
        (
            "GET",
            format!("/db/_design/d/_view/v?{with}&start_key=1&limit=13"),
            Value::Null,
        ),
        ("GET", format!("/db/_changes?{with}"), Value::Null),
        ("GET", format!("/db/_changes?{with}&descending=true"), Value::Null),
        ("GET", format!("/db/_changes?{with}&filter=d/f"), Value::Null),
        (
            "POST",
            format!("/db/_changes?{with}&filter=_doc_ids"),
            json!({ "doc_ids": ids }),
        ),
    ] {
        let path = path.replace('"', "%22");
        assert_eq!(
            world.count(method, &path, &body, &["\"data\":\"AAAA"]).await,
            [MANY],
            "{path}"
        );
    }
}

#[tokio::test]
async fn documents_that_are_asked_for_many_times_come_by_chunks() {
    let world = World::new().await;
    let same = json!({ "docs": vec![json!({ "id": "d01" }); MANY] });
    let path = "/db/_bulk_get?attachments=true&revs=true";
    let found = world
        .count("POST", path, &same, &["\"data\":\"AAAA", "\"ok\":"])
        .await;
    assert_eq!(found, [MANY, MANY]);

    let mut mixed = vec![json!({ "id": "none" }), json!({ "id": "leaves" }), json!({})];
    mixed.extend(vec![json!({ "id": "leaves", "rev": "1-03" }); MANY]);
    mixed.push(json!({ "id": "leaves", "rev": "7-x" }));
    let what = [
        "\"ok\":",
        "ppp\"",
        "\"missing\"",
        "\"id\":\"leaves\",\"docs\"",
        "\"bad_request\"",
    ];
    let found = world
        .count("POST", "/db/_bulk_get", &json!({ "docs": mixed }), &what)
        .await;
    assert_eq!(found, [2 * MANY, 2 * MANY, 2, MANY + 2, 1]);
}

#[tokio::test]
async fn leaves_of_one_document_come_by_chunks() {
    let world = World::new().await;
    let what = ["\"ok\":", "ppp\"", "\"missing\":"];
    let path = "/db/leaves?open_revs=all";
    assert_eq!(
        world.count("GET", path, &Value::Null, &what).await,
        [MANY, MANY, 0]
    );
    // In the order asked for, each once.
    let path = "/db/leaves?open_revs=[\"1-03\",\"9-x\",\"1-01\",\"1-03\",\"8-y\",\"1-02\"]&latest=true";
    let (text, longest) = world.ask("GET", &path.replace('"', "%22"), "").await;
    assert!(longest <= CHUNK_BYTES_MAX);
    let items: Vec<Value> = serde_json::from_str(&text).unwrap();
    let revs = items.iter().map(|item| {
        let rev = item["ok"]["_rev"].as_str().or(item["missing"].as_str());
        rev.unwrap()
    });
    assert_eq!(revs.collect::<Vec<_>>(), ["1-03", "9-x", "1-01", "8-y", "1-02"]);
    // A filter function judges each of them.
    let path = "/db/_changes?style=all_docs&filter=d/f";
    assert_eq!(
        world.count("GET", path, &Value::Null, &["\"rev\":"]).await,
        [2 * MANY]
    );
}

#[tokio::test]
async fn local_documents_come_by_chunks() {
    let world = World::new().await;
    let pad = "p".repeat(PART_BYTES);
    for n in 1..=MANY {
        let doc = json!({ "pad": pad }).to_string();
        world.ask("PUT", &format!("/db/_local/l{n:02}"), &doc).await;
    }
    let path = "/db/_local_docs?include_docs=true";
    for path in [path.to_owned(), format!("{path}&descending=true")] {
        assert_eq!(world.count("GET", &path, &Value::Null, &["ppp\""]).await, [MANY]);
    }
    let keys = json!({ "keys": vec!["_local/l01"; MANY] });
    assert_eq!(world.count("POST", path, &keys, &["ppp\""]).await, [MANY]);
    let queries = json!({ "queries": [keys, { "skip": 2, "limit": 5 }] });
    let found = world.count(
        "POST",
        "/db/_local_docs/queries?include_docs=true",
        &queries,
        &["ppp\"", "\"rows\""],
    );
    assert_eq!(found.await, [MANY + 5, 2]);
    // Pages that end within a chunk, and behind some, either way.
    let ids = |text: String| {
        let answer: Value = serde_json::from_str(&text).unwrap();
        let rows = answer["rows"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap()[8..].to_owned())
            .collect::<Vec<_>>()
    };
    let range = "/db/_local_docs?start_key=%22_local/l02%22";
    let (page, _) = world.ask("GET", &format!("{range}&skip=1&limit=2"), "").await;
    assert_eq!(ids(page), ["03", "04"]);
    let (page, _) = world
        .ask("GET", &format!("{range}&descending=true&skip=1"), "")
        .await;
    assert_eq!(ids(page), ["01"]);
    let (page, _) = world
        .ask("GET", "/db/_local_docs?descending=true&skip=5", "")
        .await;
    assert_eq!(ids(page), ["07", "06", "05", "04", "03", "02", "01"]);
}

/// It is made no more of a feed than is taken: one chunk waits, whichever feed it is.
#[tokio::test]
async fn a_feed_that_nobody_reads_has_one_chunk_waiting() {
    let world = World::new().await;
    let ask = json!({ "since": "0", "continuous": true, "docs": true }).to_string();
    for (method, path, body) in [
        (
            "GET",
            "/db/_changes?feed=continuous&include_docs=true&attachments=true",
            String::new(),
        ),
        (
            "GET",
            "/db/_changes?feed=longpoll&include_docs=true&attachments=true",
            String::new(),
        ),
        ("POST", "/db/_exchange/changes", ask),
    ] {
        let answer = world
            .router
            .clone()
            .oneshot(request(method, path, &body))
            .await
            .unwrap();
        let mut body = answer.into_body();
        for _ in 0..2 {
            assert!(body.frame().await.unwrap().is_ok(), "{path}");
            // Time for more to be made, were it made.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut waiting = 0;
            while body.frame().now_or_never().is_some() {
                waiting += 1;
            }
            assert!(waiting <= 1, "{path}: {waiting}");
        }
    }
}

#[tokio::test]
async fn what_is_found_comes_by_chunks() {
    let world = World::new().await;
    let pad = "p".repeat(PART_BYTES);
    let docs: Vec<_> = (1..=MANY).map(|n| json!({ "m": n, "pad": pad })).collect();
    let docs = json!({ "docs": docs }).to_string();
    world.ask("POST", "/db/_bulk_docs", &docs).await;
    let question = json!({ "selector": { "m": { "$gt": 0 } }, "limit": 100 });
    for _ in 0..2 {
        let found = world.count("POST", "/db/_find", &question, &["\"pad\""]).await;
        assert_eq!(found, [MANY]);
        let index = json!({ "index": { "fields": ["m"] } }).to_string();
        world.ask("POST", "/db/_index", &index).await;
    }
}
