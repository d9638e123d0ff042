//! Whose questions take long waits for himself, and nobody for him.

use crate::harness::Server;
use serde_json::{Value, json};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trunkline_core::db_name::DbName;
use trunkline_http::Config;
use trunkline_replicate::Turns;
use trunkline_store::Asker;
use trunkline_wire::functions::User;

const ROOT: (&str, &str) = ("root", "s3cret");
const MALLORY: (&str, &str) = ("mallory", "pw");

async fn server() -> Server {
    let server = Server::with_admin(ROOT.0, ROOT.1).await;
    let mallory = json!({ "name": MALLORY.0, "password": MALLORY.1, "type": "user", "roles": [] });
    server
        .put("/_users/org.couchdb.user:mallory", Some(mallory))
        .await
        .is(201, json!({}));
    server.put("/db", None).await.is(201, json!({}));
    server
        .put("/db/a", Some(json!({ "n": 1 })))
        .await
        .is(201, json!({}));
    let security = json!({ "admins": { "names": [MALLORY.0] } });
    server
        .put("/db/_security", Some(security))
        .await
        .is(200, json!({}));
    server
}

/// Takes all turns that mallory may have at once, until what is answered is dropped.
async fn take_all(server: &Server) -> Sender<()> {
    let db = server.store.database(&DbName::parse("db").unwrap()).unwrap();
    let db = db.on_behalf(Arc::new(Asker {
        user: Arc::new(User::new(Some(MALLORY.0), [])),
        ..Asker::default()
    }));
    let (release, released) = channel();
    let (released, begun) = (Arc::new(Mutex::new(released)), Arc::new(Mutex::new(0)));
    let threads = std::thread::available_parallelism().unwrap().get().max(2);
    for _ in 0..threads {
        let (db, released, counting) = (db.clone(), released.clone(), begun.clone());
        tokio::spawn(async move {
            let held = move || {
                *counting.lock().unwrap() += 1;
                // Ends when the sender is gone.
                let _ = released.lock().unwrap().recv();
            };
            Turns::of_searches().run(&db, held).await
        });
    }
    while *begun.lock().unwrap() < threads {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    release
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_what_takes_long_holds_up_himself_alone() {
    let mut server = server().await;
    let held = take_all(&server).await;
    let selector = json!({ "selector": { "n": { "$gt": 0 } } });
    let aggregate = json!({ "selector": { "n": 1 }, "values": { "n": { "count": true } } });
    let asked: [(&str, Value); 8] = [
        ("/db/_find", selector.clone()),
        ("/db/_count", selector.clone()),
        ("/db/_explain", selector.clone()),
        ("/db/_aggregate", aggregate),
        ("/db/_index", json!({ "index": { "fields": ["n"] } })),
        ("/db/_changes?filter=_selector", selector.clone()),
        ("/db/_changes?filter=_selector&feed=longpoll", selector.clone()),
        ("/db/_exchange/changes", selector.clone()),
    ];
    for (path, body) in &asked {
        server.user = Some(MALLORY);
        let hers = server.post(path, body.clone());
        let waited = tokio::time::timeout(Duration::from_millis(100), hers).await;
        assert!(waited.is_err(), "{path}");
        server.user = Some(ROOT);
        let others = server.post(path, body.clone()).await;
        assert_eq!(others.status, 200, "{path} {}", others.text());
    }
    server.user = Some(MALLORY);
    server.get("/db/a").await.is(200, json!({ "n": 1 }));
    assert_eq!(server.get("/db/_changes").await.status, 200);
    assert_eq!(server.get("/db/_all_docs").await.status, 200);
    drop(held);
    for (path, body) in asked {
        let hers = server.post(path, body).await;
        assert_eq!(hers.status, 200, "{path} {}", hers.text());
    }
}

#[tokio::test]
async fn a_document_that_takes_too_long_is_told() {
    let server = Server::with_db().await;
    let list = |numbers: std::ops::Range<u32>| numbers.collect::<Vec<_>>();
    server
        .put("/db/long", Some(json!({ "a": list(0..20_000) })))
        .await
        .is(201, json!({}));
    server
        .put("/db/short", Some(json!({ "a": [100_000] })))
        .await
        .is(201, json!({}));
    // Each of these is looked for among all of those.
    let costly = json!({ "a": { "$all": list(100_000..107_000) } });
    let within = json!({ "$and": [{ "_id": { "$gt": "m" } }, costly.clone()] });
    for (path, more) in [
        ("/db/_find", json!({})),
        ("/db/_count", json!({})),
        ("/db/_aggregate", json!({ "values": { "n": { "count": true } } })),
        ("/db/_changes?filter=_selector", json!({})),
    ] {
        let asked = |selector: &Value| {
            let mut asked = more.clone();
            asked["selector"] = selector.clone();
            asked
        };
        let refused = server.post(path, asked(&costly)).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (400, &json!("too_much_work")),
            "{path}"
        );
        assert!(refused.text().contains("long"), "{path} {}", refused.text());
        assert_eq!(server.post(path, asked(&within)).await.status, 200, "{path}");
    }
    let frames = server
        .post("/db/_exchange/changes", json!({ "selector": costly }))
        .await;
    assert!(frames.text().contains("takes too long"));
}

/// Four of the longest filters have all the room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_feed_holds_room_for_its_filter() {
    let config = Config {
        request_buffers_wait_ms: 200,
        ..Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await.is(201, json!({}));
    // Ids of no documents, in twenty megabytes of text: a quarter of all the room, whatever a filter takes.
    let ids: Vec<String> = (0..20_000).map(|n| format!("{n:01000}")).collect();
    let body = json!({ "doc_ids": ids }).to_string();
    let ask = |feed: &str| {
        let path = format!("/db/_changes?filter=_doc_ids&feed={feed}");
        let request = server.request("POST", &path);
        request
            .header("content-type", "application/json")
            .body(body.clone())
            .send()
    };
    let mut feeds = Vec::new();
    for _ in 0..4 {
        let feed = ask("continuous").await.unwrap();
        assert_eq!(feed.status(), 200);
        feeds.push(feed);
    }
    let refused = ask("continuous").await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    // What ends by itself, and what is short, needs none.
    assert_eq!(ask("normal").await.unwrap().status(), 200);
    let short = json!({ "doc_ids": ["a"] });
    let asked = server.post("/db/_changes?filter=_doc_ids&feed=longpoll&timeout=10", short);
    assert_eq!(asked.await.status, 200);
    // A feed that ends gives it back.
    feeds.pop();
    for _ in 0..500 {
        if ask("continuous").await.unwrap().status() == 200 {
            return;
        }
    }
    panic!("the room does not come back");
}
