//! Requests that two readers may understand differently are refused: none hides in the body of another.

use crate::harness::Server;
use crate::sockets::{statuses, talk};
use serde_json::json;

/// What may hide.
const HIDDEN: &str = "PUT /db/hidden HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";

#[tokio::test]
async fn heads_that_are_not_clear_are_refused() {
    let server = Server::with_db().await;
    let length = HIDDEN.len();
    let blanks = " ".repeat(300);
    for headers in [
        &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n") as &str,
        &format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        &format!("Content-Length: 2\r\nContent-Length: {length}\r\n"),
        &format!("Content-Length: 2, {length}\r\n"),
        &format!("Content-Length : {length}\r\n"),
        &format!("Content-Length: +{length}\r\n"),
        "Content-Length: -1\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: 18446744073709551616\r\n",
        &format!("Content-Length:{blanks}{length}\r\n"),
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X-A: b\r\n Transfer-Encoding: chunked\r\n",
        "X-A: b\r\n\tTransfer-Encoding: chunked\r\n",
        "X-A: b\nTransfer-Encoding: chunked\r\n",
        "X-A: b\rTransfer-Encoding: chunked\r\n",
        "X-A: b\0c\r\n",
        "X A: b\r\n",
        ": b\r\n",
    ] {
        let said = format!("PUT /db/a HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{HIDDEN}");
        let heard = talk(&server, said).await;
        assert_eq!(statuses(&heard), [400], "{headers:?}: {heard}");
        assert_eq!(server.get("/db/hidden").await.status, 404, "{headers:?}");
    }
    let old = format!("PUT /db/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}");
    let heard = talk(&server, old).await;
    assert!(!heard.contains(" 201 "), "{heard}");
    for bare in [
        "GET / HTTP/1.1\nHost: localhost\n\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\n",
        "PUT /db/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\n",
    ] {
        let heard = talk(&server, format!("{bare}{HIDDEN}")).await;
        assert_eq!(statuses(&heard), [400], "{bare:?}");
    }
    assert_eq!(server.get("/db/hidden").await.status, 404);
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = Server::with_db().await;
    for (said, status) in [
        ("GET /_up HTTP/1.1\r\n", 400),
        ("GET /_up HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("GET /_up HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET /_up HTTP/1.0\r\n", 200),
    ] {
        let heard = talk(&server, format!("{said}Connection: close\r\n\r\n")).await;
        assert!(
            heard.starts_with(&format!("HTTP/1.{} {status}", &said[16..17])),
            "{said}: {heard}"
        );
    }
}

#[tokio::test]
async fn chunks_that_are_not_clear_end_the_connection() {
    let server = Server::with_db().await;
    for chunks in [
        "ffffffffffffffff1\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        &format!("{}2\r\n{{}}\r\n0\r\n\r\n", "0".repeat(130)),
        &format!("2{}\r\n{{}}\r\n0\r\n\r\n", " ".repeat(130)),
        "2\r\n{}\r\n0\r\nX-A: b\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nContent-Length : 5\r\n \r\n\r\n",
    ] {
        let head = "PUT /db/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let heard = talk(&server, format!("{head}{chunks}{HIDDEN}")).await;
        assert!(matches!(statuses(&heard)[..], [] | [400]), "{chunks:?}: {heard}");
        for doc in ["hidden", "a"] {
            let answer = server.get(&format!("/db/{doc}")).await;
            assert_eq!(answer.status, 404, "{chunks:?}");
        }
    }
}

/// Request lines are repaired on their way; bodies must not be, or they would become longer than they say.
#[tokio::test]
async fn what_is_repaired_is_never_a_body() {
    let server = Server::with_db().await;
    let line = "GET /\"\"\"\" HTTP/1.1\r\n";
    let zeros = "0".repeat(300);
    for (headers, body) in [
        (
            "Transfer-Encoding: chunked",
            format!("{:x};{zeros}\r\n{line}\r\n0\r\n\r\n", line.len()),
        ),
        (
            "Transfer-Encoding: gzip, chunked",
            format!("{:x}\r\n{line}\r\n0\r\n\r\n", line.len()),
        ),
        (
            &format!("X-Long: {zeros}\r\nContent-Length: {}", line.len()),
            line.to_owned(),
        ),
    ] {
        let said = format!(
            "PUT /db/a/file HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}\
             GET /_up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let heard = talk(&server, said).await;
        assert_eq!(statuses(&heard), [201, 200], "{headers}: {heard}");
        assert_eq!(server.get("/db/a/file").await.text(), line, "{headers}");
        let rev = server.get("/db/a").await.json()["_rev"]
            .as_str()
            .unwrap()
            .to_owned();
        let deleted = server.request("DELETE", &format!("/db/a?rev={rev}"));
        server.send(deleted).await.is(200, json!({ "ok": true }));
    }
}
