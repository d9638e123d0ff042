//! Answers: JSON in one piece, or bytes that come from a blocking producer in bounded chunks.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::mpsc;
use trunkline_wire::format::Format;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Marks an answer that may be compressed for a client that asks for it. Live feeds never bear it: a compressor
/// would hold back their rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compressible;

/// Shorter answers are not worth a compressor: they fit one packet either way.
const COMPRESS_BYTES_MIN: usize = 1024;

/// What answers have, those of the front included: room for them is made once.
const HEADERS: usize = 10;

/// JSON text as an answer.
pub(crate) fn json(status: StatusCode, text: Vec<u8>) -> Response {
    let long = text.len() >= COMPRESS_BYTES_MIN;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    if long {
        response.extensions_mut().insert(Compressible);
    }
    response
}

/// `{"ok":true}`.
pub(crate) fn ok(status: StatusCode) -> Response {
    json(status, b"{\"ok\":true}\n".to_vec())
}

/// A value built here as an answer. For the small fixed ones: documents never pass through a value.
pub(crate) fn value(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut text = value.to_string().into_bytes();
    text.push(b'\n');
    json(status, text)
}

/// The sending end of a streamed answer. Each chunk is at most about one scan chunk long and at most
/// [`CHUNKS_MAX`] wait, so a slow client holds that much and no more.
#[derive(Clone, Debug)]
pub(crate) struct Chunks(mpsc::Sender<Result<Bytes, std::io::Error>>);

const CHUNKS_MAX: usize = 2;
/// Of an answer that lasts: its client may take nothing of it for long, and many of them are open at once.
const CHUNKS_MAX_LASTING: usize = 1;

/// The client is gone; whoever writes for it stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

impl Chunks {
    /// Sends a chunk from async code; waits while the client is behind. An empty one is not sent.
    pub(crate) async fn send(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        if bytes.is_empty() {
            return if self.0.is_closed() { Err(Gone) } else { Ok(()) };
        }
        self.0.send(Ok(bytes.into())).await.map_err(|_| Gone)
    }

    /// Waits until a chunk can be sent at once: one that is made before that waits beside those that do.
    pub(crate) async fn ready(&self) -> Result<(), Gone> {
        self.0.reserve().await.map(drop).map_err(|_| Gone)
    }

    /// Cuts the answer off, so that the client sees that it is not whole.
    pub(crate) async fn fail(&self, error: crate::error::Error) {
        tracing::warn!(?error, "an answer was cut off");
        let error = std::io::Error::other(error.row().2.into_owned());
        let _ = self.0.send(Err(error)).await;
    }

    /// Resolves when the client is gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// A body and the sender that feeds it.
pub(crate) fn chunks() -> (Chunks, Body) {
    chunks_up_to(CHUNKS_MAX)
}

/// The same of an answer that lasts.
pub(crate) fn lasting_chunks() -> (Chunks, Body) {
    chunks_up_to(CHUNKS_MAX_LASTING)
}

fn chunks_up_to(most: usize) -> (Chunks, Body) {
    let (sender, mut receiver) = mpsc::channel(most);
    let body = Body::from_stream(stream::poll_fn(move |context| receiver.poll_recv(context)));
    (Chunks(sender), body)
}

/// A streamed JSON answer that may be compressed.
pub(crate) fn streamed(body: Body) -> Response {
    let mut response = live(body);
    response.extensions_mut().insert(Compressible);
    response
}

/// An answer whose rows are written in a format.
pub(crate) fn formatted(mut response: Response, format: Format) -> Response {
    let content_type = HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// A streamed JSON answer whose rows must leave at once.
pub(crate) fn live(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
