//! Feeds that wait: longpoll, continuous, eventsource; heartbeats, timeouts, and how they end.

use crate::harness::Server;
use serde_json::{Value, json};
use std::time::Duration;

/// A feed that is read as it comes.
struct Feed {
    response: reqwest::Response,
    text: String,
}

impl Feed {
    async fn open(server: &Server, path: &str) -> Feed {
        let response = server.request("GET", path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        Feed {
            response,
            text: String::new(),
        }
    }

    /// Reads until the text so far satisfies the condition; fails when the feed ends or stays silent.
    async fn until(&mut self, what: &str, found: impl Fn(&str) -> bool) {
        while !found(&self.text) {
            let next = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            let chunk = next
                .unwrap_or_else(|_| panic!("no {what} in {:?}", self.text))
                .unwrap();
            let chunk = chunk.unwrap_or_else(|| panic!("ended without {what}: {:?}", self.text));
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Reads to the end.
    async fn rest(mut self) -> String {
        while let Some(chunk) = self.response.chunk().await.unwrap() {
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        self.text
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn longpoll_answers_at_once_or_at_the_next_change() {
    let server = Server::with_db().await;
    let path = "/db/_changes?feed=longpoll&since=0";
    let (waiting, _) = tokio::join!(server.get(path), server.put("/db/a", Some(json!({}))));
    let waiting = waiting.json();
    assert_eq!(waiting["results"][0]["id"], "a");
    let at_once = server.get(path).await.json();
    assert_eq!(at_once["results"].as_array().unwrap().len(), 1);
    let since = at_once["last_seq"].as_str().unwrap();
    let timed_out = server
        .get(&format!("/db/_changes?feed=longpoll&timeout=50&since={since}"))
        .await
        .json();
    assert_eq!(
        timed_out,
        json!({ "results": [], "last_seq": since, "pending": 0 })
    );
}

#[tokio::test]
async fn continuous_feeds_go_on() {
    let server = Server::with_db().await;
    server.put("/db/a", Some(json!({}))).await;
    let mut feed = Feed::open(
        &server,
        "/db/_changes?feed=continuous&include_docs=true&heartbeat=60000",
    )
    .await;
    feed.until("a row", |text| text.ends_with('\n')).await;
    for id in ["b", "c"] {
        server.put(&format!("/db/{id}"), Some(json!({ "n": id }))).await;
        feed.until(id, |text| {
            text.contains(&format!("\"n\":\"{id}\"")) && text.ends_with('\n')
        })
        .await;
    }
    let ids: Vec<Value> = lines(&feed.text).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[tokio::test]
async fn continuous_feeds_end_when_asked() {
    let server = Server::with_db().await;
    server.put("/db/a", Some(json!({}))).await;
    server.put("/db/b", Some(json!({}))).await;
    let timed_out = Feed::open(&server, "/db/_changes?feed=continuous&timeout=50")
        .await
        .rest()
        .await;
    let rows = lines(&timed_out);
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2], json!({ "last_seq": rows[1]["seq"], "pending": 0 }));
    let limited = Feed::open(&server, "/db/_changes?feed=continuous&limit=1")
        .await
        .rest()
        .await;
    let rows = lines(&limited);
    assert_eq!((rows.len(), &rows[1]["pending"]), (2, &json!(1)));
    let live = Feed::open(&server, "/db/_changes?feed=live&timeout=50&since=now")
        .await
        .rest()
        .await;
    assert_eq!(lines(&live).len(), 1);
}

#[tokio::test]
async fn heartbeats_keep_feeds_alive() {
    let server = Server::with_db().await;
    let mut feed = Feed::open(&server, "/db/_changes?feed=continuous&heartbeat=20&timeout=1").await;
    feed.until("three heartbeats", |text| text == "\n\n\n" || text.len() > 3)
        .await;
    let mut feed = Feed::open(&server, "/db/_changes?feed=longpoll&heartbeat=20").await;
    feed.until("heartbeats", |text| text.ends_with("\n\n\n")).await;
    server.put("/db/a", Some(json!({}))).await;
    let text = feed.rest().await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["results"][0]["id"], "a");
}

#[tokio::test]
async fn events_for_browsers() {
    let server = Server::with_db().await;
    server.put("/db/a", Some(json!({}))).await;
    let mut feed = Feed::open(&server, "/db/_changes?feed=eventsource&heartbeat=50").await;
    let kind = feed.response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    feed.until("an event", |text| text.contains("\n\n")).await;
    assert!(feed.text.starts_with("data: {\"seq\":"), "{}", feed.text);
    let id = feed
        .text
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap()
        .to_owned();
    feed.until("a heartbeat", |text| text.contains("event: heartbeat\n"))
        .await;
    drop(feed);

    server.put("/db/b", Some(json!({}))).await;
    let request = server.request("GET", "/db/_changes?feed=eventsource&since=0&timeout=50");
    let text = server
        .send(request.header("last-event-id", id))
        .await
        .text()
        .to_owned();
    assert!(
        !text.contains("\"id\":\"a\"") && text.contains("\"id\":\"b\""),
        "{text}"
    );
}

#[tokio::test]
async fn filtered_feeds_stay_quiet_but_move_on() {
    let server = Server::with_db().await;
    let request = server.request(
        "POST",
        "/db/_changes?feed=continuous&filter=_doc_ids&heartbeat=60000",
    );
    let request = request
        .header("content-type", "application/json")
        .body("{\"doc_ids\":[\"wanted\"]}");
    let response = request.send().await.unwrap();
    let mut feed = Feed {
        response,
        text: String::new(),
    };
    for id in ["a", "b", "wanted"] {
        server.put(&format!("/db/{id}"), Some(json!({}))).await;
    }
    feed.until("the row", |text| text.contains("wanted") && text.ends_with('\n'))
        .await;
    assert_eq!(lines(&feed.text).len(), 1);
}

#[tokio::test]
async fn a_deleted_database_ends_its_feeds() {
    let server = Server::with_db().await;
    let mut feed = Feed::open(&server, "/db/_changes?feed=continuous&heartbeat=20").await;
    feed.until("a heartbeat", |text| !text.is_empty()).await;
    server
        .call("DELETE", "/db", None)
        .await
        .is(200, json!({ "ok": true }));
    let text = feed.rest().await;
    assert!(lines(&text).last().unwrap()["last_seq"].is_string(), "{text}");
}

#[tokio::test]
async fn updates_of_databases_are_followed() {
    let server = Server::start().await;
    let mut feed = Feed::open(&server, "/_db_updates?feed=continuous&heartbeat=60000").await;
    server.put("/a", None).await;
    feed.until("created", |text| text.contains("\"type\":\"created\""))
        .await;
    server.put("/a/doc", Some(json!({}))).await;
    feed.until("updated", |text| text.contains("\"type\":\"updated\""))
        .await;
    server.call("DELETE", "/a", None).await;
    feed.until("deleted", |text| text.contains("\"type\":\"deleted\""))
        .await;
}

#[tokio::test]
async fn updates_since_the_future_are_those_from_now_on() {
    let server = Server::start().await;
    server.put("/a", None).await;
    let last = |answer: crate::harness::Answer| answer.json()["last_seq"].clone();
    let now = last(server.get("/_db_updates").await);
    assert_eq!(last(server.get("/_db_updates?since=1000").await), now);
    let mut feed = Feed::open(&server, "/_db_updates?feed=continuous&since=1000&heartbeat=10").await;
    feed.until("a heartbeat", |text| text.contains('\n')).await;
    server.put("/b", None).await;
    feed.until("created", |text| text.contains("\"db_name\":\"b\""))
        .await;
}

#[tokio::test]
async fn documents_that_were_looked_up_are_followed() {
    let server = Server::with_db().await;
    for id in ["a", "b", "c", "d"] {
        server.put(&format!("/db/{id}"), Some(json!({}))).await;
    }
    let path = "/db/_changes?feed=continuous&filter=_doc_ids&doc_ids=[\"a\"]&heartbeat=60000";
    let mut feed = Feed::open(&server, path).await;
    feed.until("the document", |text| text.ends_with('\n')).await;
    let rev = server.get("/db/a").await.json()["_rev"].clone();
    server.put("/db/other", Some(json!({}))).await;
    server.put("/db/a", Some(json!({ "_rev": rev }))).await;
    feed.until("its edit", |text| text.contains("\"2-") && text.ends_with('\n'))
        .await;
    let ids: Vec<Value> = lines(&feed.text).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, ["a", "a"]);
}
