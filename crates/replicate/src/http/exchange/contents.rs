//! Attachment bytes by the hash of their content, from where a cut left off.

use crate::http::attachments::{CHUNKS_AHEAD, SLOWEST_LINK};
use crate::http::client::{BATCH, Client, QUICK};
use crate::peer::{PeerError, PeerErrorKind};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use parking_lot::Mutex;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use reqwest::{Body, Method, StatusCode};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use trunkline_core::attachment::{Content, Encoding};
use trunkline_wire::exchange;

/// As [`crate::Peer::lacking`].
pub(in crate::http) async fn lacking(
    client: &Client,
    contents: &[Content],
) -> Result<Vec<Content>, PeerError> {
    let mut body = Vec::new();
    exchange::write_contents(&mut body, contents.iter().map(|content| &content.hash));
    let request = client
        .post(client.address.below("_exchange/lacking"))
        .header(CONTENT_TYPE, "application/json");
    let answer = client.read(request.body(body), BATCH).await?;
    let lacking = exchange::parse_contents(&answer)
        .map_err(|invalid| client.error(PeerErrorKind::Protocol, invalid.reason))?;
    let lacking: HashSet<_> = lacking.into_iter().collect();
    let lacking = contents.iter().filter(|content| lacking.contains(&content.hash));
    Ok(lacking.cloned().collect())
}

/// As [`crate::Peer::content`].
pub(in crate::http) async fn content(
    client: &Client,
    content: &Content,
    from: u64,
) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let length = stored_bytes(content);
    if from > 0 && from >= length {
        return Ok(receiver);
    }
    let mut request = client
        .get(url(client, content))
        .header(ACCEPT_ENCODING, "identity");
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let mut answer = client.send(request, BATCH).await?;
    match answer.status() {
        StatusCode::OK if from == 0 => {}
        StatusCode::PARTIAL_CONTENT if from > 0 => {}
        status if status.is_success() => {
            let reason = "other bytes of an attachment came than were asked for";
            return Err(client.error(PeerErrorKind::Protocol, reason));
        }
        _ => return Err(client.fault(answer).await.about_content()),
    }
    let client = client.clone();
    tokio::spawn(async move {
        let mut left = length - from;
        loop {
            let chunk = tokio::select! {
                () = sender.closed() => return,
                chunk = client.chunk(&mut answer) => chunk.transpose(),
            };
            let chunk = match chunk {
                None if left == 0 => return,
                None => Err(client.error(PeerErrorKind::Unavailable, "an attachment was cut off")),
                Some(Ok(bytes)) if bytes.len() as u64 > left => {
                    Err(client.error(PeerErrorKind::Unserved, "an attachment is longer than announced"))
                }
                Some(chunk) => chunk,
            };
            left -= chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    Ok(receiver)
}

/// As [`crate::Peer::content_begun`].
pub(in crate::http) async fn content_begun(client: &Client, content: &Content) -> Result<u64, PeerError> {
    let request = client.request(Method::HEAD, url(client, content));
    let answer = client.ok(request, QUICK).await?;
    let begun = answer.headers().get(exchange::UPLOAD_OFFSET);
    let begun = begun.and_then(|begun| begun.to_str().ok()?.parse().ok());
    begun.ok_or_else(|| client.error(PeerErrorKind::Protocol, "it does not tell what an upload left"))
}

/// As [`crate::Peer::put_content`].
pub(in crate::http) async fn put_content(
    client: &Client,
    content: &Content,
    from: u64,
    bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
) -> Result<(), PeerError> {
    let gzip = matches!(content.encoding, Encoding::Gzip { .. });
    let url = format!("{}?from={from}&gzip={gzip}", url(client, content));
    let failed = Arc::new(Mutex::new(None));
    let told = Arc::clone(&failed);
    let bytes = stream::unfold(
        bytes,
        |mut bytes| async move { Some((bytes.recv().await?, bytes)) },
    );
    let bytes = bytes.inspect_err(move |error| *told.lock() = Some(error.clone()));
    let request = client
        .put(url)
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(Body::wrap_stream(bytes));
    let limit = QUICK + Duration::from_secs(stored_bytes(content) / SLOWEST_LINK);
    let answer = client.send(request, limit).await;
    if let Some(error) = failed.lock().take() {
        return Err(error);
    }
    let answer = answer?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(client.fault(answer).await.about_content())
}

fn stored_bytes(content: &Content) -> u64 {
    match content.encoding {
        Encoding::Identity => content.length,
        Encoding::Gzip { encoded_length } => encoded_length,
    }
}

fn url(client: &Client, content: &Content) -> String {
    let hash = exchange::hash_text(&content.hash);
    client.address.below(&format!("_exchange/contents/{hash}"))
}
