//! Files posted by forms.

use crate::harness::{Answer, Server};
use serde_json::json;

async fn post(server: &Server, referer: Option<&str>, kind: &str, fields: &[(&str, &str)]) -> Answer {
    let mut body = String::new();
    for (head, value) in fields {
        body.push_str(&format!(
            "------TF\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str("------TF--");
    let mut request = server
        .request("POST", "/db/doc")
        .header("content-type", kind)
        .body(body);
    if let Some(referer) = referer {
        request = request.header("referer", referer);
    }
    server.send(request).await
}

const FORM: &str = "multipart/form-data; boundary=----TF";
const FILE: &str = "name=\"_attachments\"; filename=\"file.txt\"\r\nContent-Type: text/plain";

#[tokio::test]
async fn files_become_attachments_of_the_revision_named() {
    let server = Server::with_db().await;
    let old = json!({ "n": 1, "_attachments": { "old": { "data": "b2xk" }, "file.txt": { "data": "" } } });
    let rev = server.put("/db/doc", Some(old)).await.rev();
    let fields = [
        ("name=\"_rev\"", rev.as_str()),
        (FILE, "contents of file.txt\r\n"),
    ];
    let page = format!("{}/page", server.url);
    let answer = post(&server, Some(&page), FORM, &fields).await;
    answer.is(201, json!({ "ok": true, "id": "doc" }));
    assert_eq!(answer.header("etag"), format!("\"{}\"", answer.rev()));
    let doc = server.get("/db/doc").await.json();
    assert_eq!(doc["n"], 1);
    assert_eq!(doc["_attachments"]["file.txt"]["length"], 22);
    assert_eq!(doc["_attachments"]["file.txt"]["content_type"], "text/plain");
    assert_eq!(doc["_attachments"]["file.txt"]["revpos"], 2);
    assert_eq!(doc["_attachments"]["old"]["revpos"], 1);
    // The revision is no leaf any more.
    post(&server, Some(&page), FORM, &fields)
        .await
        .fails(409, "not_found", "missing_rev");
}

#[tokio::test]
async fn a_form_may_bring_the_document() {
    let server = Server::with_db().await;
    let page = format!("{}/", server.url);
    let fields = [
        ("name=\"_doc\"", "{\"n\":2}"),
        (FILE, "x"),
        ("name=\"other\"", "passed over"),
    ];
    post(&server, Some(&page), FORM, &fields)
        .await
        .is(201, json!({ "ok": true }));
    assert_eq!(server.get("/db/doc").await.json()["n"], 2);
    assert_eq!(server.get("/db/doc/file.txt").await.text(), "x");
}

#[tokio::test]
async fn forms_that_are_refused() {
    let server = Server::with_db().await;
    let page = format!("{}/", server.url);
    post(&server, None, FORM, &[])
        .await
        .fails(400, "bad_request", "Referer header required.");
    post(&server, Some("http://elsewhere.example/"), FORM, &[])
        .await
        .fails(400, "bad_request", "Referer header must match host.");
    post(&server, Some(&page), "application/x-www-form-urlencoded", &[])
        .await
        .fails(
            415,
            "bad_content_type",
            "Content-Type must be multipart/form-data",
        );
    let bad = [
        ("name=\"_doc\"", "{}"),
        ("name=\"_attachments\"; filename=\"_x\"", "x"),
    ];
    let answer = post(&server, Some(&page), FORM, &bad).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("prohibited character"),
        "{}",
        answer.text()
    );
    assert_eq!(post(&server, Some(&page), FORM, &[(FILE, "x")]).await.status, 400);
    assert_eq!(server.get("/db/doc").await.status, 404);
}
