//! HTTP as clients really speak it, byte by byte.

use crate::harness::Server;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the server answers on one connection, up to its end.
async fn talk(server: &Server, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream.write_all(said).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn quotes_may_stand_bare_in_a_url() {
    let server = Server::with_db().await;
    server.put("/db/b", Some(json!({}))).await.rev();
    let said = "GET /db/_all_docs?startkey=\"b\"&endkey=\"b\" HTTP/1.1\r\nHost: localhost\r\n\r\n\
                PUT /db/c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n{\"q\":\"<\\\"\"}\
                GET /db/_all_docs?keys=[\"c\"]&include_docs=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let heard = talk(&server, said.as_bytes()).await;
    assert_eq!(heard.matches("HTTP/1.1 200").count(), 2, "{heard}");
    assert_eq!(heard.matches("HTTP/1.1 201").count(), 1, "{heard}");
    assert!(
        heard.contains(r#""offset":0"#) && heard.contains(r#"{"id":"b""#),
        "{heard}"
    );
    assert!(heard.contains(r#""q":"<\"""#), "{heard}");
}

#[tokio::test]
async fn a_refused_body_is_read_to_its_end() {
    let server = Server::start().await;
    let body = "x".repeat(2_000_000);
    let said = format!(
        "POST /none/_bulk_docs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}\
         GET /_up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let heard = talk(&server, said.as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 404"), "{heard}");
    assert!(heard.contains("HTTP/1.1 200"), "{heard}");
}

#[tokio::test]
async fn a_client_that_waits_to_send_is_not_asked_for_a_refused_body() {
    let server = Server::start().await;
    let heard = talk(
        &server,
        b"PUT /none/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
    )
    .await;
    assert!(heard.starts_with("HTTP/1.1 404"), "{heard}");
}

#[tokio::test]
async fn post_may_name_another_method() {
    let server = Server::with_db().await;
    let post = |path: &str, method: &str| {
        let request = server
            .request("POST", path)
            .header("x-http-method-override", method);
        server.send(request.header("content-type", "application/json").body("{}"))
    };
    let rev = post("/db/a", "PUT").await.rev();
    post(&format!("/db/a?rev={rev}"), "delete")
        .await
        .is(200, json!({ "ok": true }));
    // Only POST means another method.
    let get = server
        .request("GET", "/db/b")
        .header("x-http-method-override", "PUT");
    assert_eq!(server.send(get.body("{}")).await.status, 404);
}

#[tokio::test]
async fn every_answer_has_the_headers_clients_know() {
    let server = Server::with_db().await;
    assert_eq!(server.get("/db").await.header("x-couchdb-body-time"), "0");
    server
        .get("/db/%zz")
        .await
        .fails(400, "bad_request", "invalid_url_encoding");
    let heard = talk(&server, b"GET /db/_all_docs?limit=1% HTTP/1.0\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.0 400"), "{heard}");
}

#[tokio::test]
async fn locations_name_the_host_that_the_client_asked() {
    let server = Server::with_db().await;
    let put = server.request("PUT", "/db/a").body("{}");
    let put = put.header("x-forwarded-host", "mysite.com");
    assert_eq!(
        server.send(put).await.header("location"),
        "http://mysite.com/db/a"
    );
    let put = server.request("PUT", "/db/b").body("{}");
    let put = put.header("x-forwarded-host", "mysite.com");
    let put = put.header("x-forwarded-proto", "https");
    assert_eq!(
        server.send(put).await.header("location"),
        "https://mysite.com/db/b"
    );
}
