//! Bodies of requests that take their time: who had rights when the request began, and has them no more, brings no more.

use super::lease::{Checking, Lease};
use super::refusal;
use crate::error::Error;
use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// What is read without waiting, so soon after the request was let in, is judged with it.
const AT_ONCE: Duration = Duration::from_secs(1);

const REASON: &str = "Your rights ended, or changed, while this request was coming.";

/// A request's body that ends with [`RightsEnded`] when the lease does. What comes with the head is no matter of it.
pub(super) fn bind(lease: &Lease, body: Body) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Brought {
        body,
        lease: lease.clone(),
        begun: Instant::now(),
        waited: false,
        held: None,
        checking: None,
    })
}

type Data = Option<Result<Frame<Bytes>, axum::Error>>;

struct Brought {
    body: Body,
    lease: Lease,
    begun: Instant,
    /// Whether anything of it was waited for.
    waited: bool,
    /// What is passed on once it is known that it may be.
    held: Option<Data>,
    checking: Option<Checking>,
}

impl Brought {
    fn ended(&mut self) -> Poll<Data> {
        self.held = None;
        let error = refusal::of(self.lease.user(), REASON);
        Poll::Ready(Some(Err(axum::Error::new(RightsEnded(error)))))
    }
}

impl hyper::body::Body for Brought {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Data> {
        if self.held.is_none() {
            let Poll::Ready(data) = Pin::new(&mut self.body).poll_frame(context) else {
                self.waited = true;
                return Poll::Pending;
            };
            if !self.waited && self.begun.elapsed() < AT_ONCE {
                return Poll::Ready(data);
            }
            if !self.lease.rules_hold() {
                return self.ended();
            }
            self.held = Some(data);
            self.checking = self.lease.check();
        }
        if let Some(checking) = &mut self.checking {
            let found = ready!(checking.as_mut().poll(context));
            self.checking = None;
            match found {
                None => return self.ended(),
                Some(bound) => self.lease.renew(bound),
            }
        }
        Poll::Ready(self.held.take().flatten())
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a body broke off, and how that is answered.
#[derive(Debug)]
pub(crate) struct RightsEnded(pub(crate) Error);

impl fmt::Display for RightsEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rights of who brings this ended")
    }
}

impl std::error::Error for RightsEnded {}
