//! Attachment bytes by the hash of their content, from where a cut left off.

use super::ask;
use crate::http::address::escaped;
use crate::http::attachments::CHUNKS_AHEAD;
use crate::http::client::{BATCH, Client, QUICK};
use crate::http::documents;
use crate::http::upload::Taken;
use crate::peer::{PeerError, PeerErrorKind};
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use reqwest::{Method, StatusCode};
use std::collections::HashSet;
use tokio::sync::mpsc;
use trunkline_core::attachment::{Content, ContentHash, Encoding};
use trunkline_wire::exchange;

/// As [`crate::Peer::lacking`]; `None` when the peer has no such path after all.
pub(in crate::http) async fn lacking(
    client: &Client,
    contents: &[Content],
) -> Result<Option<Vec<Content>>, PeerError> {
    let mut body = Vec::new();
    exchange::write_contents(&mut body, contents.iter().map(|content| &content.hash));
    let request = documents::post(client, "_exchange/lacking", body);
    let Some(answer) = ask(client, request, BATCH).await? else {
        return Ok(None);
    };
    let lacking = exchange::parse_contents(&client.body(answer).await?)
        .map_err(|invalid| client.error(PeerErrorKind::Protocol, invalid.reason))?;
    let lacking: HashSet<_> = lacking.into_iter().collect();
    let lacking = contents.iter().filter(|content| lacking.contains(&content.hash));
    Ok(Some(lacking.cloned().collect()))
}

/// As [`crate::Peer::absent`]; `None` when the peer has no such path after all.
pub(in crate::http) async fn absent(
    client: &Client,
    after: Option<ContentHash>,
    limit: usize,
) -> Result<Option<Vec<Content>>, PeerError> {
    let mut body = Vec::new();
    exchange::write_absent_ask(&mut body, after.as_ref(), limit);
    let request = documents::post(client, "_exchange/absent", body);
    let Some(answer) = ask(client, request, QUICK).await? else {
        return Ok(None);
    };
    let absent = exchange::parse_absent(&client.body(answer).await?);
    absent.map(Some).map_err(|error| client.bad_answer(error))
}

/// As [`crate::Peer::content`].
pub(in crate::http) async fn content(
    client: &Client,
    content: &Content,
    of: Option<&str>,
    from: u64,
) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let length = content.stored_bytes();
    if from > 0 && from >= length {
        return Ok(receiver);
    }
    let mut url = url(client, content);
    if let Some(of) = of {
        url.push_str("?doc=");
        url.push_str(&escaped(of));
    }
    let mut request = client.get(url).header(ACCEPT_ENCODING, "identity");
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let mut answer = client.send(request, BATCH).await?;
    // What stands between may know no ranges: all bytes come then.
    let mut known = 0;
    match answer.status() {
        StatusCode::OK => known = from,
        StatusCode::PARTIAL_CONTENT if from > 0 => {}
        status if status.is_success() => {
            let reason = "other bytes of an attachment came than were asked for";
            return Err(client.error(PeerErrorKind::Protocol, reason));
        }
        _ => return Err(client.fault(answer).await.about_content()),
    }
    let client = client.clone();
    tokio::spawn(async move {
        let mut left = length - from + known;
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
            let chunk = chunk.map(|mut bytes| {
                let passed = bytes.len().min(usize::try_from(known).unwrap_or(usize::MAX));
                known -= passed as u64;
                bytes.split_off(passed)
            });
            if matches!(&chunk, Ok(bytes) if bytes.is_empty()) {
                continue;
            }
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    Ok(receiver)
}

/// As [`crate::Peer::content_begun`]. Where something between hides what an upload left, it begins anew.
pub(in crate::http) async fn content_begun(client: &Client, content: &Content) -> Result<u64, PeerError> {
    let request = client.request(Method::HEAD, url(client, content));
    let answer = client.send(request, QUICK).await?;
    match answer.status() {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => return Ok(0),
        status if !status.is_success() => return Err(client.fault(answer).await.about_content()),
        _ => {}
    }
    let begun = answer.headers().get(exchange::UPLOAD_OFFSET);
    let begun = begun.and_then(|begun| begun.to_str().ok()?.parse().ok());
    Ok(begun.unwrap_or_default())
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
    let (taken, body) = Taken::body(stream::unfold(bytes, |mut bytes| async move {
        Some((bytes.recv().await?, bytes))
    }));
    let request = client
        .put(url)
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(body);
    let answer = client.upload(request, taken).await?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(client.fault(answer).await.about_content())
}

fn url(client: &Client, content: &Content) -> String {
    let hash = exchange::hash_text(&content.hash);
    client.address.below(&format!("_exchange/contents/{hash}"))
}
