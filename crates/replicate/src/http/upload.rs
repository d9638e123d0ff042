//! Bodies that are streamed to a peer: whether it takes them, and why they ended early.

use super::client::{BATCH, Client, SILENCE};
use crate::peer::{PeerError, PeerErrorKind};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use reqwest::{Body, RequestBuilder, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether a peer still takes what it is sent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a body tells of itself while it is sent.
#[derive(Clone)]
pub(super) struct Taken(Arc<Mutex<State>>);

struct State {
    /// Since when bytes wait for the peer, or it owes its answer; `None` while the source is waited for.
    waits_since: Option<Instant>,
    /// All was handed over.
    whole: bool,
    /// Why the source failed.
    failed: Option<PeerError>,
}

impl Taken {
    /// A body of these bytes, and how it can be watched.
    pub(super) fn body(
        bytes: impl Stream<Item = Result<Bytes, PeerError>> + Send + 'static,
    ) -> (Taken, Body) {
        let taken = Taken(Arc::new(Mutex::new(State {
            waits_since: Some(Instant::now()),
            whole: false,
            failed: None,
        })));
        let told = taken.clone();
        let bytes = stream::unfold(Box::pin(bytes), move |mut bytes| {
            let told = told.clone();
            async move {
                told.0.lock().waits_since = None;
                let next = bytes.next().await;
                let mut state = told.0.lock();
                state.waits_since = Some(Instant::now());
                state.whole = next.is_none();
                if let Some(Err(error)) = &next {
                    state.failed = Some(error.clone());
                }
                drop(state);
                next.map(|chunk| (chunk, bytes))
            }
        });
        (taken, Body::wrap_stream(bytes))
    }

    /// Returns when the peer has taken nothing for too long.
    async fn stalled(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let state = self.0.lock();
            let limit = if state.whole { BATCH } else { SILENCE };
            if state.waits_since.is_some_and(|since| since.elapsed() > limit) {
                return;
            }
        }
    }
}

impl Client {
    /// As [`Client::send`], for a body that may take long, as long as the peer takes of it. A failure of the body's
    /// source is the error.
    pub(super) async fn upload(&self, request: RequestBuilder, taken: Taken) -> Result<Response, PeerError> {
        let answer = tokio::select! {
            answer = self.send(request, Duration::MAX) => answer,
            () = taken.stalled() => {
                self.origin.answered(false);
                Err(self.error(PeerErrorKind::Unavailable, "it takes nothing of what it is sent"))
            }
        };
        match taken.0.lock().failed.take() {
            Some(error) => Err(error),
            None => answer,
        }
    }
}
