//! What a refused request brought is let go: it is neither stored nor staged.

use crate::exchange::{bring, content, lacks};
use crate::harness::{Answer, Server};
use crate::multipart::{self, related};
use serde_json::{Value, json};

const BYTES: &[u8] = b"brought for nothing";
/// [`BYTES`] in base64.
const DATA: &str = "YnJvdWdodCBmb3Igbm90aGluZw==";

async fn is_refused(server: &Server, status: u16, answer: Answer) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(lacks(server, BYTES).await, "{}", answer.text());
}

fn follows(length: usize) -> Value {
    json!({ "follows": true, "content_type": "audio/wav", "length": length })
}

#[tokio::test]
async fn an_upload_of_other_bytes_than_announced() {
    let server = Server::with_db().await;
    let request = server
        .request("PUT", "/db/doc/a.wav")
        .header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")
        .body(BYTES);
    is_refused(&server, 400, server.send(request).await).await;
}

#[tokio::test]
async fn a_document_whose_later_parts_are_wrong() {
    let server = Server::with_db().await;
    let first = follows(BYTES.len());
    let mut damaged = first.clone();
    damaged["digest"] = json!("md5-AAAAAAAAAAAAAAAAAAAAAA==");
    let one = json!({ "_attachments": { "a": first } });
    let two = json!({ "_attachments": { "a": first, "b": follows(9) } });
    let wrong = json!({ "_attachments": { "a": damaged } });
    let late = json!({ "_attachments": { "a": first, "b": { "data": "!" } } });
    let cases: [(&Value, &[&[u8]]); 5] = [
        (&wrong, &[BYTES]),
        (&two, &[BYTES, b"short"]),
        (&two, &[BYTES]),
        (&one, &[BYTES, b"one more"]),
        (&late, &[BYTES]),
    ];
    for (doc, parts) in cases {
        let answer = multipart::put(&server, "/db/doc", doc, parts).await;
        is_refused(&server, answer.status.max(400), answer).await;
    }
    let whole = related(&one, &[BYTES]);
    let cut = whole[..whole.len() - 3].to_vec();
    for (path, body) in [
        ("/db/doc", cut),
        ("/db/doc?rev=1-a", related(&of_rev(&one), &[BYTES])),
        ("/db/doc?new_edits=false", whole),
    ] {
        let request = server
            .request("PUT", path)
            .header("content-type", "multipart/related; boundary=\"B\"");
        let answer = server.send(request.body(body)).await;
        is_refused(&server, 400, answer).await;
    }
}

fn of_rev(doc: &Value) -> Value {
    let mut doc = doc.clone();
    doc["_rev"] = json!("1-b");
    doc
}

#[tokio::test]
async fn a_document_after_which_another_is_wrong() {
    let server = Server::with_db().await;
    let sound = json!({ "content_type": "audio/wav", "data": DATA });
    let good = json!({ "_id": "good", "_attachments": { "a": sound } });
    let bad = json!({ "_id": "bad", "_attachments": { "a": sound, "b": follows(3) } });
    let answer = server.put("/db/bad", Some(bad.clone())).await;
    is_refused(&server, 400, answer).await;
    for second in [bad, json!({ "_id": "_none" })] {
        let docs = json!({ "docs": [good, second] });
        is_refused(&server, 400, server.post("/db/_bulk_docs", docs).await).await;
    }
    server.put("/db/good", Some(good)).await.is(201, json!({}));
    assert!(!lacks(&server, BYTES).await);
}

#[tokio::test]
async fn a_copy_takes_nothing_that_another_has_staged() {
    let server = Server::with_db().await;
    // Waits for a document of the peer that brought it.
    bring(&server, &content(BYTES), BYTES).await;
    let sound = json!({ "content_type": "audio/wav", "data": DATA });
    let call = json!({ "_attachments": { "a": sound } });
    let call = server.put("/db/call", Some(call)).await.rev();
    let copy = server.request("COPY", "/db/call").header("destination", "copy");
    let copy = server.send(copy).await.rev();
    let purged = json!({ "call": [call], "copy": [copy] });
    server.post("/db/_purge", purged).await;
    assert_eq!(server.get("/db/copy").await.status, 404);
    assert!(!lacks(&server, BYTES).await);
}
