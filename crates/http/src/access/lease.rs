//! For how long an answer, or a body, may go on: a feed that lives for days ends when what it was let in by is not so any more.

use super::bound::Bound;
use crate::admission::Lasting;
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
#[derive(Clone)]
pub(super) struct Lease {
    app: App,
    user: Arc<User>,
    /// Users and settings as they were when that was last looked at.
    epoch: Option<Epoch>,
    /// The database's `_security`, where that mattered.
    rules: Option<(Database, Arc<Security>)>,
    /// The named feeds that the user is bound to.
    bound: Option<(Database, Bound)>,
    /// Whether the answer is a feed: what a token has begun otherwise may outlast it.
    lasts: bool,
}

impl Lease {
    pub(super) fn new(app: &App, user: &Arc<User>, rules: Option<(Database, Arc<Security>)>) -> Lease {
        Lease {
            app: app.clone(),
            user: user.clone(),
            epoch: None,
            rules,
            bound: None,
            lasts: false,
        }
    }

    pub(super) fn with_bound(self, db: Database, bound: Bound) -> Lease {
        Lease {
            bound: Some((db, bound)),
            ..self
        }
    }

    /// An answer that is cut off when the lease ends. What is there in one piece was judged a moment ago.
    pub(super) fn bind(mut self, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some() {
            return answer;
        }
        self.lasts = answer.extensions().get::<Lasting>().is_some();
        answer.map(|body| {
            Body::new(Leased {
                body,
                lease: self,
                held: None,
                checking: None,
            })
        })
    }

    /// Whose it is.
    pub(super) fn user(&self) -> &User {
        &self.user
    }

    /// Goes on with what a check has read again.
    pub(super) fn renew(&mut self, bound: Option<(Database, Bound)>) {
        if bound.is_some() {
            self.bound = bound;
        }
    }

    /// Whether the database's rules give the user the same.
    pub(super) fn rules_hold(&mut self) -> bool {
        let Some((db, rules)) = &mut self.rules else {
            return true;
        };
        // Closed for want of room, or held up: looked at with the next chunk.
        let Some(now) = db.rules_at_hand() else {
            return true;
        };
        let who = self.user.identity();
        let same = Arc::ptr_eq(&now, rules) || now.access(who) == rules.access(who);
        *rules = now;
        same
    }

    /// What is to be found out before anything more is sent: `None` while nothing has changed. The first time is before
    /// anything is sent: something may have changed since the user was found out.
    pub(super) fn check(&mut self) -> Option<Checking> {
        let now = Epoch::now(&self.app);
        let user = (self.epoch.as_ref() != Some(&now)).then(|| (self.app.clone(), self.user.clone()));
        self.epoch = Some(now);
        let differs = |(db, bound): &mut (Database, Bound)| bound.may_differ(db);
        let bound = self.bound.take_if(differs);
        if user.is_none() && bound.is_none() {
            return None;
        }
        Some(Box::pin(async move {
            if let Some((app, user)) = user
                && !auth::is_still(&app, &user).await
            {
                return None;
            }
            match bound {
                None => Some(None),
                Some((db, bound)) => {
                    let renewed = bound.renewed(&db).await?;
                    Some(Some((db, renewed)))
                }
            }
        }))
    }
}

/// `None` when the lease ends; else what was read again.
pub(super) type Checking = Pin<Box<dyn Future<Output = Option<Option<(Database, Bound)>>> + Send>>;

type Data = Option<Result<Frame<Bytes>, axum::Error>>;

struct Leased {
    body: Body,
    lease: Lease,
    /// What is sent once it is known that it may be.
    held: Option<Data>,
    /// Whether the user is still who he was, and sees the same.
    checking: Option<Checking>,
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
            let is_over = self.lease.lasts && auth::is_over(&self.lease.user);
            if data.is_some() && (is_over || !self.lease.rules_hold()) {
                return ended();
            }
            self.held = Some(data);
            self.checking = self.lease.check();
        }
        if let Some(checking) = &mut self.checking {
            let found = ready!(checking.as_mut().poll(context));
            self.checking = None;
            match found {
                None => {
                    self.held = None;
                    return ended();
                }
                Some(bound) => self.lease.renew(bound),
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
