//! Request bodies: held in memory up to a bound, or passed on as they come.

use crate::app::App;
use crate::arriving::TooSlow;
use crate::encoding;
use crate::error::{Error, Result};
use crate::request::require_json;
use crate::room::Room;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use http_body_util::BodyExt;
use std::io;

/// A whole request body, decoded, and its room in memory.
pub(crate) struct Whole(pub(crate) Bytes, pub(crate) Room);

/// A whole request body that says it is JSON; CouchDB refuses others with 415 on most resources.
pub(crate) struct JsonBody(pub(crate) Bytes, pub(crate) Room);

impl FromRequest<App> for Whole {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<Whole> {
        let (bytes, room) = read(request, app).await?;
        Ok(Whole(bytes, room))
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<JsonBody> {
        require_json(request.headers())?;
        let (bytes, room) = read(request, app).await?;
        Ok(JsonBody(bytes, room))
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

/// Reads a body of at most [`crate::Config::request_buffer_bytes_max`] (after decoding) into memory, and the room it
/// takes there.
pub(crate) async fn read(request: Request, app: &App) -> Result<(Bytes, Room)> {
    let bytes_max = app.config().request_buffer_bytes_max;
    let announced = announced(&request).unwrap_or(0);
    let announced = usize::try_from(announced)
        .ok()
        .filter(|length| *length <= bytes_max);
    let mut room = app.rooms.take(announced.ok_or(Error::TooLarge)?).await?;
    let mut body = encoding::decode(request).await?.into_body();
    let Some(first) = next(&mut body).await? else {
        return Ok((Bytes::new(), room));
    };
    if first.len() > bytes_max {
        return Err(Error::TooLarge);
    }
    app.rooms.grow(&mut room, first.len(), bytes_max).await?;
    if body.is_end_stream() {
        return Ok((first, room));
    }
    let mut whole = Vec::with_capacity(announced.unwrap_or(0).max(first.len() * 2));
    whole.extend_from_slice(&first);
    drop(first);
    while let Some(bytes) = next(&mut body).await? {
        let length = whole.len() + bytes.len();
        if length > bytes_max {
            return Err(Error::TooLarge);
        }
        app.rooms.grow(&mut room, length, bytes_max).await?;
        whole.extend_from_slice(&bytes);
    }
    Ok((whole.into(), room))
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
                return Err(if TooSlow::is_cause_of(&error) {
                    Error::TooSlow
                } else if is_badly_coded(&error) {
                    Error::bad("Request body is not properly gzipped.")
                } else {
                    Error::Disconnected
                });
            }
        }
    }
    Ok(None)
}

/// Whether a decoder gave up, and not the client.
fn is_badly_coded(error: &axum::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        ) {
            return true;
        }
        cause = error.source();
    }
    false
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
