//! A server that answers as a test says: what no well-behaved peer would do, and what a CouchDB does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request, and its answer.
type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// In lower case, a line each.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

/// An answer: status line and headers as they are sent, then the body.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Bytes of the body that are really sent.
    pub(crate) cut: usize,
    /// Sent behind the body again and again until the connection is closed, and counted.
    pub(crate) endless: Option<(Vec<u8>, Arc<AtomicUsize>)>,
}

pub(crate) fn answer(head: impl Into<String>, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        head: head.into(),
        body: body.into(),
        cut: usize::MAX,
        endless: None,
    }
}

/// Serves until the test ends; answers the URL of a database there. `script` is given method, path and body.
pub(crate) async fn serve(script: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static) -> String {
    serve_requests(move |request| {
        script(
            &request.method,
            &request.path,
            &String::from_utf8_lossy(&request.body),
        )
    })
    .await
}

/// As [`serve`], with everything a request has.
pub(crate) async fn serve_requests(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/db", listener.local_addr().unwrap());
    let script: Arc<Script> = Arc::new(script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&script)));
        }
    });
    url
}

async fn connection(stream: TcpStream, script: Arc<Script>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        let mut words = line.split(' ').map(str::to_owned);
        // What HTTP/2 begins with is no request in its second part.
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return;
        };
        let mut length = 0;
        let mut headers = String::new();
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            if line.trim().is_empty() {
                break;
            }
            let header = line.to_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            headers.push_str(&header);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let answer = script(&Request {
            method,
            path,
            headers,
            body,
        });
        if let Some((piece, sent)) = answer.endless {
            let head = format!("HTTP/1.1 {}\r\nConnection: close\r\n\r\n", answer.head);
            let mut written = stream.write_all(&[head.as_bytes(), &answer.body].concat()).await;
            while written.is_ok() {
                sent.fetch_add(piece.len(), Ordering::Relaxed);
                written = stream.write_all(&piece).await;
            }
            return;
        }
        let length = answer.body.len();
        let head = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\n\r\n", answer.head);
        let sent = length.min(answer.cut);
        let written = stream
            .write_all(&[head.as_bytes(), &answer.body[..sent]].concat())
            .await;
        if written.is_err() || sent < length {
            return;
        }
        line.clear();
    }
}
