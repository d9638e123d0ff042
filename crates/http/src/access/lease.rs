//! For how long an answer may go on: a feed that lives for days ends when the rights that it was let in by change.

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as _, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use trunkline_core::access::Security;
use trunkline_store::Database;

/// The `_security` by which a request was let in.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(super) db: Database,
    pub(super) rules: Arc<Security>,
}

impl Lease {
    fn holds(&mut self) -> bool {
        // Closed for want of room, or held up: looked at with the next chunk.
        let Some(rules) = self.db.rules_at_hand() else {
            return true;
        };
        if Arc::ptr_eq(&rules, &self.rules) {
            return true;
        }
        // Read again, when the file was opened again.
        let same = *rules == *self.rules;
        self.rules = rules;
        same
    }

    /// An answer that is cut off when the lease ends. What is there in one piece was judged a moment ago.
    pub(super) fn bind(self, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some() {
            return answer;
        }
        answer.map(|body| Body::new(Leased { body, lease: self }))
    }
}

struct Leased {
    body: Body,
    lease: Lease,
}

impl hyper::body::Body for Leased {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_some() && !self.lease.holds() {
            let why = io::Error::other("the database's _security changed: ask again");
            return Poll::Ready(Some(Err(why.into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
