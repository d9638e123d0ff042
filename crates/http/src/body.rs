//! Request bodies: held in memory up to a bound, or passed on as they come.

use crate::app::App;
use crate::encoding;
use crate::error::{Error, Result};
use crate::request::require_json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use http_body_util::BodyExt;

/// A whole request body, decoded.
pub(crate) struct Whole(pub(crate) Bytes);

/// A whole request body that says it is JSON; CouchDB refuses others with 415 on most resources.
pub(crate) struct JsonBody(pub(crate) Bytes);

impl FromRequest<App> for Whole {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<Whole> {
        read(request, app.config.request_buffer_bytes_max)
            .await
            .map(Whole)
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<JsonBody> {
        require_json(request.headers())?;
        read(request, app.config.request_buffer_bytes_max)
            .await
            .map(JsonBody)
    }
}

impl JsonBody {
    /// The body as text.
    pub(crate) fn text(&self) -> Result<&str> {
        text(&self.0)
    }
}

/// Bytes as text; CouchDB's word for what is not.
pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| INVALID_JSON)
}

/// What CouchDB says of a body that is not JSON.
pub(crate) const INVALID_JSON: Error = Error::BadRequest(std::borrow::Cow::Borrowed("invalid UTF-8 JSON"));

/// Reads a body of at most `bytes_max` (after decoding) into memory.
pub(crate) async fn read(request: Request, bytes_max: usize) -> Result<Bytes> {
    if announced(&request).is_some_and(|length| length > bytes_max as u64) {
        return Err(Error::TooLarge);
    }
    let mut body = encoding::decode(request).await?.into_body();
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > bytes_max {
        return Err(Error::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = Vec::with_capacity(first.len() * 2);
    whole.extend_from_slice(&first);
    while let Some(bytes) = next(&mut body).await? {
        if whole.len() + bytes.len() > bytes_max {
            return Err(Error::TooLarge);
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.into())
}

/// The next bytes of a body; `None` at its end.
pub(crate) async fn next(body: &mut Body) -> Result<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a request body ended early");
                return Err(Error::Disconnected);
            }
        }
    }
    Ok(None)
}

/// The length the client announced.
pub(crate) fn announced(request: &Request) -> Option<u64> {
    request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
