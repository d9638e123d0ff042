//! Request bodies: held in memory up to a bound, or passed on as they come.

use crate::access::RightsEnded;
use crate::app::App;
use crate::arriving::TooSlow;
use crate::encoding::{self, BadZstd};
use crate::error::{Error, Result};
use crate::request::require_json;
use crate::room::Room;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use http_body_util::BodyExt;
use std::io;
use std::time::Duration;
use trunkline_core::limits::{REQUEST_BUFFER_SILENCES, REQUEST_ROOM_FIRST_BYTES};

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
    read_within(request, app, bytes_max).await
}

/// The same of at most `bytes_max`.
pub(crate) async fn read_within(request: Request, app: &App, bytes_max: usize) -> Result<(Bytes, Room)> {
    let bytes_max = bytes_max.min(app.config().request_buffer_bytes_max);
    in_time(app, collect(request, app, bytes_max)).await
}

/// Gives up what holds room for too long until it has come as a whole.
pub(crate) async fn in_time<T>(app: &App, reading: impl Future<Output = Result<T>>) -> Result<T> {
    let silence = Duration::from_millis(app.config().connections.silence_ms);
    let read = tokio::time::timeout(silence * REQUEST_BUFFER_SILENCES, reading).await;
    read.unwrap_or(Err(Error::TooSlow))
}

/// What is announced takes no room before it comes: anybody can announce.
async fn collect(request: Request, app: &App, bytes_max: usize) -> Result<(Bytes, Room)> {
    let announced = announced(&request).unwrap_or(0);
    let announced = usize::try_from(announced)
        .ok()
        .filter(|length| *length <= bytes_max);
    let announced = announced.ok_or(Error::TooLarge)?;
    let mut room = app.rooms.take(announced.min(REQUEST_ROOM_FIRST_BYTES)).await?;
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
    let mut whole = Vec::with_capacity(announced.min(REQUEST_ROOM_FIRST_BYTES).max(first.len() * 2));
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
    // A decoder has megabytes for a few bytes that came, and never waits meanwhile.
    tokio::task::coop::consume_budget().await;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a request body ended early");
                return Err(if let Some(RightsEnded(error)) = cause(&error) {
                    error.clone()
                } else if cause::<TooSlow>(&error).is_some() {
                    Error::TooSlow
                } else if cause::<BadZstd>(&error).is_some() {
                    Error::bad(
                        "Request body is not zstd, or was compressed with a window of more than 8 MiB.",
                    )
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

/// What of this kind made a body break off, whatever decodes it.
fn cause<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error does not name what it wraps as its source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = error
            .downcast_ref::<T>()
            .or_else(|| wrapped.and_then(|wrapped| cause(wrapped)));
        if found.is_some() {
            return found;
        }
        next = error.source();
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use futures_util::stream;
    use trunkline_store::Store;

    /// Eight KiB in each half minute are enough for a body that is passed on, and not for one that is held.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_held_comes_to_its_end_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::new(
            Store::open(dir.path()).unwrap().into(),
            Config::default().into(),
            Vec::new(),
        );
        for (pieces, comes) in [(20, true), (1000, false)] {
            let body = stream::unfold(0, move |sent| async move {
                tokio::time::sleep(Duration::from_secs(30)).await;
                let piece = || (Ok::<_, io::Error>(Bytes::from(vec![b'x'; 8 << 10])), sent + 1);
                (sent < pieces).then(piece)
            });
            let begun = tokio::time::Instant::now();
            let read = read(Request::new(Body::from_stream(body)), &app).await;
            match comes {
                true => assert_eq!(read.unwrap().0.len(), pieces * (8 << 10)),
                false => assert!(matches!(read, Err(Error::TooSlow))),
            }
            assert!(begun.elapsed() <= Duration::from_secs(30 * 60));
        }
    }

    /// Others have their turns while a body is read that is all there.
    #[tokio::test]
    async fn a_body_that_never_waits_lets_others_go_on() {
        let pieces = 10_000;
        let piece = |_| Ok::<_, io::Error>(Bytes::from_static(b"x"));
        let mut body = Body::from_stream(stream::iter((0..pieces).map(piece)));
        let reading = tokio::spawn(async move {
            let mut read = 0;
            while let Some(bytes) = next(&mut body).await.unwrap() {
                read += bytes.len();
            }
            read
        });
        let mut turns = 0;
        while !reading.is_finished() {
            tokio::task::yield_now().await;
            turns += 1;
        }
        assert_eq!(reading.await.unwrap(), pieces);
        assert!(turns >= 10, "{turns}");
    }
}
