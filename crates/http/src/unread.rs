//! What a refusal leaves unread. A client that is still sending its body when the connection closes may never see why
//! it was refused, so the rest is read and dropped, within bounds.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use trunkline_core::limits::{OVERLOADED_BODY_BYTES_MAX, REFUSED_BODY_BYTES_MAX};

/// How long a refused client may take to send the rest.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where there is no room for it.
const BRIEF_PATIENCE: Duration = Duration::from_secs(1);

/// A request's body while a handler has it.
pub(crate) struct Unread(Arc<Mutex<Body>>);

/// The body as the handler sees it.
struct Lent(Arc<Mutex<Body>>);

impl Unread {
    /// Lends the body to whoever gets the request. `None` when there is none, or when the client waits to be asked
    /// for it.
    pub(crate) fn lend(request: &mut Request) -> Option<Unread> {
        if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
            return None;
        }
        let body = Arc::new(Mutex::new(std::mem::take(request.body_mut())));
        *request.body_mut() = Body::new(Lent(Arc::clone(&body)));
        Some(Unread(body))
    }

    /// Reads on to the end.
    pub(crate) async fn drain(self) {
        self.drain_within(REFUSED_BODY_BYTES_MAX, PATIENCE).await;
    }

    /// Reads on for a moment: there is no room for its client, who is to hear that.
    pub(crate) async fn drain_a_little(self) {
        self.drain_within(OVERLOADED_BODY_BYTES_MAX, BRIEF_PATIENCE).await;
    }

    async fn drain_within(self, bytes_max: u64, patience: Duration) {
        let mut lent = Lent(self.0);
        let drained = async {
            let mut left = bytes_max;
            while let Some(Ok(frame)) = lent.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                match left.checked_sub(bytes) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(patience, drained).await;
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}
