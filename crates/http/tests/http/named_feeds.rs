//! Named feeds over HTTP: read in every shape, by whoever comes back, while they change.

use crate::harness::Server;
use futures_util::StreamExt;
use serde_json::{Value, json};

fn design(selector: &Value) -> Value {
    json!({ "feeds": { "acme": { "selector": selector } } })
}

/// 60 documents, every tenth of acme, and a feed of those.
async fn server() -> (Server, String) {
    let server = Server::with_db().await;
    let account = |n: usize| if n.is_multiple_of(10) { "acme" } else { "other" };
    let docs: Vec<Value> = (0..60)
        .map(|n| json!({ "_id": format!("d{n:02}"), "n": n, "account": account(n) }))
        .collect();
    let docs = json!({ "docs": docs });
    server.post("/db/_bulk_docs", docs).await.is(201, json!({}));
    let design = design(&json!({ "account": "acme" }));
    let declared = server.put("/db/_design/billing", Some(design)).await;
    (server, declared.rev())
}

const FEED: &str = "/db/_changes?feed_name=billing/acme";

fn ids(answer: &Value) -> Vec<&str> {
    let rows = answer["results"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_feed_is_read_as_all_changes_are() {
    let (server, _) = server().await;
    let all = server.get(FEED).await.json();
    assert_eq!(ids(&all), ["d00", "d10", "d20", "d30", "d40", "d50"]);
    assert_eq!(all["pending"], 0);
    let head = server
        .get(&format!("{FEED}&limit=2&include_docs=true"))
        .await
        .json();
    assert_eq!(ids(&head), ["d00", "d10"]);
    assert_eq!(head["results"][1]["doc"]["n"], 10);
    assert_eq!(head["pending"], 4);
    let since = head["last_seq"].as_str().unwrap();
    let rest = server
        .get(&format!("{FEED}&since={since}&style=all_docs"))
        .await
        .json();
    assert_eq!(ids(&rest), ["d20", "d30", "d40", "d50"]);
    let newest = server
        .get(&format!("{FEED}&descending=true&limit=2"))
        .await
        .json();
    assert_eq!(ids(&newest), ["d50", "d40"]);
    let posted = server.post(FEED, json!({})).await.json();
    assert_eq!(ids(&posted), ids(&all));
    let tail = server.get(&format!("{FEED}&since=now")).await.json();
    assert_eq!((ids(&tail).len(), &tail["last_seq"]), (0, &all["last_seq"]));
}

#[tokio::test]
async fn what_a_feed_is_and_what_it_is_not() {
    let (server, _) = server().await;
    let (mut built, mut tries) = (server.get("/db/_feed/billing/acme").await, 0);
    // Nobody asked for its rows: it is built all the same.
    while built.json()["built"] != true && tries < 1000 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        built = server.get("/db/_feed/billing/acme").await;
        tries += 1;
    }
    let selector = json!({ "account": "acme" });
    let state =
        json!({ "name": "billing/acme", "selector": selector, "rows": 6, "built": true, "pending": 0 });
    assert_eq!(built.json(), state);
    for path in [
        "/db/_feed/billing/none",
        "/db/_feed/none/acme",
        "/db/_changes?feed_name=billing/none",
    ] {
        server
            .get(path)
            .await
            .fails(404, "not_found", "missing_named_feed");
    }
    // Nobody may declare one wrongly; what a replication brings is kept.
    let feeds = json!({ "odd": { "selector": { "a": { "$no": 1 } } } });
    let odd = json!({ "_id": "_design/odd", "_rev": "1-a", "feeds": feeds });
    let refused = server
        .put("/db/_design/new", Some(json!({ "feeds": feeds })))
        .await;
    let brought = json!({ "docs": [odd], "new_edits": false });
    assert_eq!(server.post("/db/_bulk_docs", brought).await.status, 201);
    for odd in [refused, server.get("/db/_feed/odd/odd").await] {
        let said = odd.text();
        assert_eq!((odd.status, said.contains("$no")), (400, true), "{said}");
    }
    let both = server.get(&format!("{FEED}&filter=_design")).await;
    both.fails(400, "bad_request", "`feed_name` and `filter` exclude each other.");
    let unnamed = server.get("/db/_changes?feed_name=").await;
    unnamed.fails(400, "bad_request", "`feed_name` must name a feed.");
    server
        .get("/none/_feed/billing/acme")
        .await
        .fails(404, "not_found", "Database does not exist.");
}

/// Reads rows of a live feed until one has this id; answers those that came.
async fn rows_to(
    body: &mut (impl StreamExt<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    id: &str,
) -> Vec<String> {
    let mut text = String::new();
    loop {
        let rows: Vec<String> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.trim_start_matches("data: ")).ok())
            .filter_map(|row| Some(row["id"].as_str()?.to_owned()))
            .collect();
        if rows.last().is_some_and(|last| last == id) {
            return rows;
        }
        let chunk = body.next().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn live_readers_get_what_comes_and_what_a_wider_selector_adds() {
    let (server, rev) = server().await;
    for feed in ["continuous", "eventsource"] {
        let request = server.request("GET", &format!("{FEED}&feed={feed}&heartbeat=50"));
        let mut body = request.send().await.unwrap().bytes_stream();
        assert_eq!(rows_to(&mut body, "d50").await.len(), 6);
    }
    let last = server.get(FEED).await.json()["last_seq"]
        .as_str()
        .unwrap()
        .to_owned();
    let request = server.request(
        "GET",
        &format!("{FEED}&feed=continuous&heartbeat=50&since={last}"),
    );
    let mut live = request.send().await.unwrap().bytes_stream();
    let longpoll = format!("{FEED}&feed=longpoll&since={last}");
    let waiting = server.get(&longpoll);
    let write = async {
        server
            .put("/db/no", Some(json!({ "account": "other" })))
            .await
            .is(201, json!({}));
        server
            .put("/db/yes", Some(json!({ "account": "acme" })))
            .await
            .is(201, json!({}));
    };
    let (polled, ()) = tokio::join!(waiting, write);
    assert_eq!(ids(&polled.json()), ["yes"]);
    assert_eq!(rows_to(&mut live, "yes").await, ["yes"]);

    let since = server.get(FEED).await.json()["last_seq"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut wider = design(&json!({ "$or": [{ "account": "acme" }, { "n": { "$gte": 57 } }] }));
    wider["_rev"] = rev.into();
    server
        .put("/db/_design/billing", Some(wider))
        .await
        .is(201, json!({}));
    let added = server.get(&format!("{FEED}&since={since}")).await.json();
    assert_eq!(ids(&added), ["d57", "d58", "d59"], "the difference alone");
    assert_eq!(rows_to(&mut live, "d59").await, ["d57", "d58", "d59"]);
    let all = server.get(FEED).await.json();
    assert_eq!(ids(&all).len(), 10);
    server.delete_design().await;
    server
        .get(FEED)
        .await
        .fails(404, "not_found", "missing_named_feed");
}

impl Server {
    async fn delete_design(&self) {
        let rev = self.get("/db/_design/billing").await.json()["_rev"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/db/_design/billing?rev={rev}");
        self.call("DELETE", &path, None).await.is(200, json!({}));
    }
}

#[tokio::test]
async fn replications_by_url_go_on_with_the_difference() {
    let (server, rev) = server().await;
    let job = json!({
        "source": format!("{}/db", server.url), "target": "copy", "create_target": true, "feed_name": "billing/acme",
    });
    let done = server.post("/_replicate", job.clone()).await;
    let first = done.is(200, json!({ "ok": true })).json();
    assert_eq!(first["history"][0]["missing_checked"], 6);
    let mut wider = design(&json!({ "n": { "$gte": 48 } }));
    wider["_rev"] = rev.into();
    server
        .put("/db/_design/billing", Some(wider))
        .await
        .is(201, json!({}));
    let second = server
        .post("/_replicate", job)
        .await
        .is(200, json!({ "ok": true }))
        .json();
    assert_eq!(second["history"][0]["docs_read"], 11);
    assert_eq!(second["replication_id_version"], first["replication_id_version"]);
    server.get("/copy").await.is(200, json!({ "doc_count": 17 }));
    let both = json!({ "source": "db", "target": "copy", "feed_name": "billing/acme", "doc_ids": ["d00"] });
    let both = server.post("/_replicate", both).await;
    both.fails(
        400,
        "bad_request",
        "`feed_name` excludes `doc_ids`, `selector` and `filter`",
    );
    let none = json!({ "source": "db", "target": "copy", "feed_name": "billing/none" });
    let none = server.post("/_replicate", none).await;
    assert!(
        none.status >= 400 && none.text().contains("billing/none"),
        "{}",
        none.text()
    );
}
