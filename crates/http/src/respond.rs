//! Answers: JSON in one piece, or bytes that come from a blocking producer in bounded chunks.

use crate::error::Error;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use trunkline_core::limits::ANSWERS_WAIT_MS;
use trunkline_replicate::Share;
use trunkline_wire::format::Format;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What an update function has written: its answer tells of something that was done.
pub(crate) const UPDATED: HeaderName = HeaderName::from_static("x-couch-update-newrev");

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
/// [`CHUNKS_MAX`] wait, so a slow client holds that much and no more; and what all hold is counted.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
    /// One permit when the client has taken all there was.
    wanted: Arc<Semaphore>,
    /// Counts them until the client has taken them.
    share: Share,
}

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
            return if self.sender.is_closed() {
                Err(Gone)
            } else {
                Ok(())
            };
        }
        let chunk = self.share.hold(bytes);
        self.forget_wanted();
        self.sender.send(Ok(chunk)).await.map_err(|_| Gone)
    }

    /// Waits until the client has taken all there was: what is made before that waits beside it.
    pub(crate) async fn wanted(&self) -> Result<(), Gone> {
        tokio::select! {
            biased;
            () = self.sender.closed() => Err(Gone),
            wanted = self.wanted.acquire() => wanted.map(drop).map_err(|_| Gone),
        }
    }

    /// Cuts the answer off, so that the client sees that it is not whole.
    pub(crate) async fn fail(&self, error: Error) {
        tracing::warn!(?error, "an answer was cut off");
        let error = std::io::Error::other(error.row().2.into_owned());
        let _ = self.sender.send(Err(error)).await;
    }

    /// Resolves when the client is gone.
    pub(crate) async fn closed(&self) {
        self.sender.closed().await;
    }

    /// Room for the next one, where it is read without [`App::render`].
    ///
    /// [`App::render`]: crate::app::App::render
    pub(crate) async fn room(&self) -> Result<(), Gone> {
        tokio::select! {
            biased;
            () = self.sender.closed() => Err(Gone),
            () = self.share.room() => Ok(()),
        }
    }

    /// Sends a sign of life, unless something waits already.
    pub(crate) fn send_sign(&self, bytes: Vec<u8>) {
        self.forget_wanted();
        let _ = self.sender.try_send(Ok(bytes.into()));
    }

    /// What is sent is to be taken first.
    fn forget_wanted(&self) {
        self.wanted.forget_permits(1);
    }
}

/// An answer of which more is to be made: one that has not begun, or one that has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    First(&'a Share),
    More(&'a Chunks),
    /// One that waits for room by itself, and hears at once when there is none.
    Now(&'a Chunks),
}

impl<'a> From<&'a Share> for Answer<'a> {
    fn from(share: &'a Share) -> Answer<'a> {
        Answer::First(share)
    }
}

impl<'a> From<&'a Chunks> for Answer<'a> {
    fn from(chunks: &'a Chunks) -> Answer<'a> {
        Answer::More(chunks)
    }
}

impl Answer<'_> {
    /// Waits for room to make more. Before it has begun, its client can be told to come back.
    pub(crate) async fn room(self) -> Result<(), Error> {
        match self {
            Answer::First(share) => {
                let patience = Duration::from_millis(ANSWERS_WAIT_MS);
                let room = tokio::time::timeout(patience, share.room());
                room.await.map_err(|_| Error::Overloaded)
            }
            Answer::More(chunks) => chunks.room().await.map_err(|Gone| Error::Closing),
            Answer::Now(chunks) if chunks.share.is_full() => Err(Error::Overloaded),
            Answer::Now(_) => Ok(()),
        }
    }

    pub(crate) fn share(&self) -> &Share {
        match self {
            Answer::First(share) => share,
            Answer::More(chunks) | Answer::Now(chunks) => &chunks.share,
        }
    }
}

/// A body and the sender that feeds it.
pub(crate) fn chunks(share: Share) -> (Chunks, Body) {
    chunks_up_to(CHUNKS_MAX, share)
}

/// The same of an answer that lasts.
pub(crate) fn lasting_chunks(share: Share) -> (Chunks, Body) {
    chunks_up_to(CHUNKS_MAX_LASTING, share)
}

fn chunks_up_to(most: usize, share: Share) -> (Chunks, Body) {
    let (sender, mut receiver) = mpsc::channel(most);
    let wanted = Arc::new(Semaphore::new(0));
    let wants = Arc::clone(&wanted);
    let body = Body::from_stream(stream::poll_fn(move |context| {
        let polled = receiver.poll_recv(context);
        if polled.is_pending() && wants.available_permits() == 0 {
            wants.add_permits(1);
        }
        polled
    }));
    let chunks = Chunks {
        sender,
        wanted,
        share,
    };
    (chunks, body)
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
