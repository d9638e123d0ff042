//! The exchange with a peer of our own kind: see [`trunkline_wire::exchange`].

mod changes;
mod contents;
mod documents;

pub(super) use changes::open;
pub(super) use contents::{absent, content, content_begun, lacking, put_content};
pub(super) use documents::bulk_docs;

use super::client::Client;
use crate::peer::{PeerError, PeerErrorKind};
use reqwest::{RequestBuilder, Response, StatusCode};
use std::time::Duration;

/// Sends a request to a path of the exchange; `None` when the peer has no such path after all, because something before
/// it hides it.
async fn ask(
    client: &Client,
    request: RequestBuilder,
    limit: Duration,
) -> Result<Option<Response>, PeerError> {
    let answer = client.send(request, limit).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(Some(answer));
    }
    let fault = client.fault(answer).await;
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
            if fault.error.kind != PeerErrorKind::DatabaseMissing =>
        {
            Ok(None)
        }
        _ => Err(fault.error),
    }
}
