//! For how long an answer may go on: a feed that lives for days ends when what it was let in by is not so any more.

use crate::app::App;
use crate::auth::{self, Epoch, User};
use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as _, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use trunkline_core::access::Security;
use trunkline_store::Database;

/// By what a request was let in.
pub(super) struct Lease {
    app: App,
    user: Arc<User>,
    /// As users and settings were then.
    epoch: Epoch,
    /// The database's `_security`, where that mattered.
    rules: Option<(Database, Arc<Security>)>,
}

impl Lease {
    pub(super) fn new(app: &App, user: &Arc<User>, rules: Option<(Database, Arc<Security>)>) -> Lease {
        Lease {
            app: app.clone(),
            user: user.clone(),
            epoch: Epoch::now(app),
            rules,
        }
    }

    /// An answer that is cut off when the lease ends. What is there in one piece was judged a moment ago.
    pub(super) fn bind(self, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some() {
            return answer;
        }
        answer.map(|body| {
            Body::new(Leased {
                body,
                lease: self,
                held: None,
                checking: None,
            })
        })
    }

    /// Whether the database is under the same rules.
    fn rules_hold(&mut self) -> bool {
        let Some((db, rules)) = &mut self.rules else {
            return true;
        };
        // Closed for want of room, or held up: looked at with the next chunk.
        let Some(now) = db.rules_at_hand() else {
            return true;
        };
        // Read again, when the file was opened again.
        let same = Arc::ptr_eq(&now, rules) || *now == **rules;
        *rules = now;
        same
    }
}

type Data = Option<Result<Frame<Bytes>, axum::Error>>;

struct Leased {
    body: Body,
    lease: Lease,
    /// What is sent once it is known that it may be.
    held: Option<Data>,
    /// Whether the user is still who he was.
    checking: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
}

impl hyper::body::Body for Leased {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let ended = || {
            Poll::Ready(Some(Err(
                io::Error::other("the rights of this answer ended").into()
            )))
        };
        if self.held.is_none() {
            let data = ready!(Pin::new(&mut self.body).poll_frame(context));
            if data.is_some() && !self.lease.rules_hold() {
                return ended();
            }
            self.held = Some(data);
            let epoch = Epoch::now(&self.lease.app);
            if epoch != self.lease.epoch {
                self.lease.epoch = epoch;
                let (app, user) = (self.lease.app.clone(), self.lease.user.clone());
                self.checking = Some(Box::pin(async move { auth::is_still(&app, &user).await }));
            }
        }
        if let Some(checking) = &mut self.checking {
            let is_still = ready!(checking.as_mut().poll(context));
            self.checking = None;
            if !is_still {
                self.held = None;
                return ended();
            }
        }
        let data = self.held.take().flatten();
        Poll::Ready(data.map(|data| data.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
