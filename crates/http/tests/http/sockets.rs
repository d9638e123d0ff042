//! Connections byte by byte.

use crate::harness::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) async fn connect(server: &Server) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// All that comes until the server ends the connection, in whatever way.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// What the server answers on one connection, up to its end.
pub(crate) async fn talk(server: &Server, said: impl AsRef<[u8]>) -> String {
    let mut stream = connect(server).await;
    let _ = stream.write_all(said.as_ref()).await;
    rest(&mut stream).await
}

/// The statuses of the answers in `heard`.
pub(crate) fn statuses(heard: &str) -> Vec<u16> {
    let lines = heard.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line[..3].parse().unwrap()).collect()
}
