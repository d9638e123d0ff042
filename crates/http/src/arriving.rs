//! A request's body as it comes from its client, given up when it comes too slowly.

use crate::pace::Pace;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A body that ends with [`TooSlow`] when nothing comes of it for some time, or too little.
pub(crate) struct Arriving {
    body: Body,
    pace: Pace,
    over: bool,
}

impl Arriving {
    /// The body of a request, if it has one that is still to come.
    pub(crate) fn of(body: Body, silence: Duration) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Arriving {
            body,
            pace: Pace::new(silence),
            over: false,
        })
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.over {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                    let bytes = bytes.map_or(0, Bytes::len);
                    self.pace.moved(bytes);
                    return Poll::Ready(frame);
                }
                Poll::Pending => std::task::ready!(self.pace.poll_over(context)),
            }
            self.over = true;
        }
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The client sends nothing, or hardly anything.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body comes too slowly")
    }
}

impl Error for TooSlow {}
