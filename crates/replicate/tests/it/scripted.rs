//! A server that answers as a test says: what no well-behaved peer would do.

use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request, and the whole text of its answer.
type Script = dyn Fn(&str, &str, &str) -> Answer + Send + Sync;

/// An answer: status line and headers as they are sent, then the body.
pub(crate) struct Answer {
    pub(crate) head: &'static str,
    pub(crate) body: String,
    /// Bytes of the body that are really sent.
    pub(crate) cut: usize,
}

pub(crate) fn answer(head: &'static str, body: impl Into<String>) -> Answer {
    Answer {
        head,
        body: body.into(),
        cut: usize::MAX,
    }
}

/// Serves until the test ends; answers the URL of a database there. `script` is given method, path and body.
pub(crate) async fn serve(script: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static) -> String {
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
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let answer = script(&method, &path, &String::from_utf8_lossy(&body));
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n",
            answer.head,
            answer.body.len()
        );
        let sent = answer.body.len().min(answer.cut);
        let written = stream
            .write_all(&[head.as_bytes(), &answer.body.as_bytes()[..sent]].concat())
            .await;
        if written.is_err() || sent < answer.body.len() {
            return;
        }
        line.clear();
    }
}
