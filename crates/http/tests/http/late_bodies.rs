//! Bodies that come slowly: what is brought after its sender's rights ended does not count.

use crate::harness::Server;
use crate::sockets::{connect, rest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const USER: &str = "/_users/org.couchdb.user:anna";
const REFUSED: &str = "Your rights ended, or changed, while this request was coming.";

/// With the user anna, who administers the database `db`.
async fn with_anna() -> Server {
    let server = Server::with_admin("root", "s3cret").await;
    let anna = json!({ "name": "anna", "password": "pw", "type": "user", "roles": [] });
    server.put(USER, Some(anna)).await.is(201, json!({}));
    server.put("/db", None).await.is(201, json!({}));
    set_admins(&server, &["anna"]).await;
    server
}

async fn set_admins(server: &Server, names: &[&str]) {
    let security = json!({ "admins": { "names": names }, "members": { "names": ["ben"] } });
    server
        .put("/db/_security", Some(security))
        .await
        .is(200, json!({}));
}

/// A request of anna's that was let in, and whose body is waited for.
async fn begin(server: &Server, target: &str, head: &str) -> TcpStream {
    let mut stream = connect(server).await;
    let basic = STANDARD.encode("anna:pw");
    let said = format!(
        "{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\
         Authorization: Basic {basic}\r\nContent-Type: application/json\r\n{head}\r\n\r\n"
    );
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut heard = [0; 25];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 100 Continue\r\n\r\n", "{target}");
    stream
}

async fn end(mut stream: TcpStream, body: &str) -> String {
    stream.write_all(body.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

#[track_caller]
fn is_refused(heard: &str) {
    assert!(heard.starts_with("HTTP/1.1 403 "), "{heard}");
    assert!(heard.contains(REFUSED), "{heard}");
}

#[tokio::test]
async fn who_is_removed_writes_no_more() {
    let server = with_anna().await;
    let mine = r#"{"admins":{"names":["anna"]}}"#;
    let docs = r#"{"docs":[{"_id":"doc"}]}"#;
    for (target, body) in [
        ("PUT /db/_security", mine),
        ("PUT /db/doc", "{}"),
        ("POST /db", r#"{"_id":"doc"}"#),
        ("POST /db/_bulk_docs", docs),
        ("PUT /db/doc/file", "bytes"),
    ] {
        for chunked in [false, true] {
            set_admins(&server, &["anna"]).await;
            let (head, body) = match chunked {
                false => (format!("Content-Length: {}", body.len()), body.to_owned()),
                true => (
                    "Transfer-Encoding: chunked".to_owned(),
                    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
                ),
            };
            let (first, last) = body.split_at(body.len() / 2);
            let mut stream = begin(&server, target, &head).await;
            stream.write_all(first.as_bytes()).await.unwrap();
            set_admins(&server, &[]).await;
            is_refused(&end(stream, last).await);
            let security = server.get("/db/_security").await.json();
            assert_eq!(security["admins"]["names"], json!([]), "{target}");
            assert_eq!(server.get("/db/doc").await.status, 404, "{target}");
        }
    }
}

#[tokio::test]
async fn who_is_deleted_writes_no_more() {
    let server = with_anna().await;
    let stream = begin(&server, "PUT /db/doc", "Content-Length: 2").await;
    let rev = server.get(USER).await.rev_of_doc();
    server
        .call("DELETE", &format!("{USER}?rev={rev}"), None)
        .await
        .is(200, json!({}));
    is_refused(&end(stream, "{}").await);
    assert_eq!(server.get("/db/doc").await.status, 404);
}

#[tokio::test]
async fn what_changes_for_others_disturbs_nobody() {
    let server = with_anna().await;
    let stream = begin(&server, "PUT /db/doc", "Content-Length: 2").await;
    set_admins(&server, &["anna", "cy"]).await;
    let cy = json!({ "name": "cy", "password": "pw", "type": "user", "roles": [] });
    server
        .put("/_users/org.couchdb.user:cy", Some(cy))
        .await
        .is(201, json!({}));
    let heard = end(stream, "{}").await;
    assert!(heard.starts_with("HTTP/1.1 201 "), "{heard}");
}
