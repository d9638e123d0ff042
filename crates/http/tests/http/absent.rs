//! Attachments whose bytes have not come yet: who has them is told, and that somebody waits for them.

use crate::harness::{Answer, Server};
use serde_json::json;
use std::time::Duration;

const PATH: &str = "/mail/new%2Fmessage/voice.wav";
const AUDIO: &str = "RIFF, and so on";

/// A server that replicates `mail` from another, with or without the bytes of attachments.
async fn behind(source: &Server, attachments: &str) -> Server {
    let server = Server::start().await;
    let source = match source.user {
        Some(_) => source.url.replace("http://", "http://anna:s3cret@"),
        None => source.url.clone(),
    };
    let job = json!({
        "source": format!("{source}/mail"), "target": "mail", "create_target": true, "continuous": true,
        "attachments": attachments,
    });
    server
        .put("/_replicator/mail", Some(job))
        .await
        .is(201, json!({}));
    until(&server, "/mail/new%2Fmessage", |answer| answer.status == 200).await;
    server
}

async fn until(server: &Server, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    for _ in 0..1500 {
        let answer = server.get(path).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} stayed {:?}", server.get(path).await);
}

async fn with_message() -> (Server, String) {
    let server = Server::with_admin("anna", "s3cret").await;
    server.put("/mail", None).await;
    let rev = server
        .put("/mail/new%2Fmessage", Some(json!({ "from": "420" })))
        .await
        .rev();
    let put = server
        .request("PUT", &format!("{PATH}?rev={rev}"))
        .header("content-type", "audio/wav")
        .body(AUDIO);
    let rev = server.send(put).await.rev();
    (server, rev)
}

#[tokio::test]
async fn a_read_names_who_has_it_and_has_it_fetched() {
    let (origin, rev) = with_message().await;
    // The bytes stay out of the middle, so that there is nothing for the last to fetch.
    let middle = behind(&origin, "none").await;
    let last = behind(&middle, "lazy").await;

    for (server, source, seconds) in [(&last, &middle, "1"), (&middle, &origin, "60")] {
        let answer = server.get(PATH).await;
        let url = format!("{}{PATH}?rev={rev}", source.url);
        answer.is(503, json!({ "error": "content_absent", "url": url }));
        assert_eq!(answer.header("retry-after"), seconds);
        assert_eq!(answer.header("link"), format!("<{url}>; rel=\"alternate\""));
        let by_rev = server.get(&format!("{PATH}?rev={rev}")).await;
        assert_eq!(by_rev.json(), answer.json());
        let head = server.call("HEAD", PATH, None).await;
        assert_eq!((head.status, head.header("link")), (503, answer.header("link")));
    }
    // From one to the next, it is found.
    let url = |answer: Answer| answer.json()["url"].as_str().unwrap().to_owned();
    let next = url(last.get(PATH).await);
    let next = url(last.send(last.client.get(next)).await);
    let there = last.client.get(next).basic_auth("anna", Some("s3cret"));
    assert_eq!(last.send(there).await.text(), AUDIO);

    // The middle gets it after all; the last hears of it when it is asked for, long before it would look again.
    let mut job = middle.get("/_replicator/mail").await.json();
    job["attachments"] = json!("lazy");
    let source = origin.url.replace("http://", "http://anna:s3cret@");
    job["source"] = json!(format!("{source}/mail"));
    middle
        .put("/_replicator/mail", Some(job))
        .await
        .is(201, json!({}));
    until(&middle, PATH, |answer| answer.status == 200).await;
    let came = until(&last, PATH, |answer| answer.status == 200).await;
    assert_eq!(came.text(), AUDIO);
}

#[tokio::test]
async fn documents_with_bytes_that_are_not_there_are_refused_whole() {
    let (origin, rev) = with_message().await;
    let server = behind(&origin, "none").await;
    server.put("/mail/other", Some(json!({}))).await;
    let url = format!("{}{PATH}?rev={rev}", origin.url);
    let absent = |answer: Answer| {
        answer.is(503, json!({ "error": "content_absent", "url": url }));
    };
    let doc = "/mail/new%2Fmessage";
    for query in [
        "attachments=true",
        "open_revs=all&attachments=true",
        "rev=REV&attachments=true",
    ] {
        let path = format!("{doc}?{}", query.replace("REV", &rev));
        for accept in ["application/json", "multipart/related", "multipart/mixed"] {
            absent(server.get_with(&path, "accept", accept).await);
        }
    }
    let asked = json!({ "docs": [{ "id": "other" }, { "id": "new/message" }] });
    for accept in ["application/json", "multipart/related", "multipart/mixed"] {
        let request = server
            .client
            .post(format!("{}/mail/_bulk_get?attachments=true", server.url))
            .header("accept", accept)
            .header("content-type", "application/json")
            .body(asked.to_string());
        absent(server.send(request).await);
    }
    absent(
        server
            .get("/mail/_all_docs?include_docs=true&attachments=true")
            .await,
    );
    absent(
        server
            .get("/mail/_changes?include_docs=true&attachments=true")
            .await,
    );
    // Without the bytes, all of them can be had, and the document can be edited.
    server.get(doc).await.is(200, json!({ "from": "420" }));
    server.post("/mail/_bulk_get", asked).await.is(200, json!({}));
    let stub = json!({ "voice.wav": { "stub": true } });
    let edit = json!({ "_rev": rev, "heard": true, "_attachments": stub });
    server.put(doc, Some(edit)).await.is(201, json!({ "ok": true }));
    assert_eq!(server.get(PATH).await.status, 503);
}
