//! Connections beyond those that a server keeps: told so, and closed.

use crate::admission::Places;
use crate::error::Error;
use crate::listener::{Accepted, Incoming, Io};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trunkline_core::limits::CONNECTIONS_REFUSED_MAX;

/// How long each may take to hear it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of its request that are read, so that the answer is not lost over them.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// Ends a connection: with an answer where one costs nothing, which a handshake would.
pub(crate) fn refuse(accepted: Accepted, refusals: &Places) {
    let Some(place) = refusals.take(CONNECTIONS_REFUSED_MAX) else {
        return;
    };
    if let Incoming::Plain(stream) = accepted.incoming {
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, tell(stream)).await;
            drop(place);
        });
    }
}

async fn tell(mut stream: Box<dyn Io>) -> std::io::Result<()> {
    let body = Error::Overloaded.json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.into_bytes(), body].concat()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(REQUEST_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}
