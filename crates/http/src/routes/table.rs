//! How a row of the map is written: path, methods, what each needs, who answers. No row is without its needs, and each is
//! listed for the test that tries them all.

use super::partition;
use crate::access::{Needs, enforce};
use crate::app::App;
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use std::pin::Pin;

/// One method of a path.
pub(super) struct On {
    method: &'static str,
    needs: Needs,
    /// What answers, in a partition or in the whole database.
    answer: Box<dyn FnOnce(Within) -> MethodRouter<App>>,
}

/// What a path is about.
#[derive(Clone, Copy)]
enum Within {
    Database,
    Partition,
}

/// A handler behind the gate of its row.
#[derive(Clone)]
struct Gated<H> {
    needs: Needs,
    within: Within,
    handler: H,
}

impl<H: Handler<T, App>, T: 'static> Handler<T, App> for Gated<H> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: App) -> Self::Future {
        Box::pin(async move {
            let behind = app.clone();
            let answer = |request| async move {
                let entered = match self.within {
                    Within::Database => Ok(request),
                    Within::Partition => partition::enter(&behind, request).await,
                };
                match entered {
                    Ok(request) => self.handler.call(request, behind).await,
                    Err(error) => error.into_response(),
                }
            };
            enforce(&app, self.needs, request, answer).await
        })
    }
}

impl On {
    fn new<H: Handler<T, App>, T: 'static>(
        method: &'static str,
        needs: Needs,
        handler: H,
        route: fn(Gated<H>) -> MethodRouter<App>,
    ) -> On {
        let answer = Box::new(move |within| {
            route(Gated {
                needs,
                within,
                handler,
            })
        });
        On {
            method,
            needs,
            answer,
        }
    }
}

macro_rules! methods {
    ($($method:ident $name:literal),*) => { $(
        pub(super) fn $method<H: Handler<T, App>, T: 'static>(needs: Needs, handler: H) -> On {
            On::new($name, needs, handler, routing::$method)
        }
    )* };
}
methods!(get "GET", head "HEAD", post "POST", put "PUT", delete "DELETE", any "*");

/// A method that the router has no name for: it takes what has none among its methods for one of those.
pub(super) fn copy<H: Handler<T, App>, T: 'static>(needs: Needs, handler: H) -> On {
    On::new("COPY", needs, handler, |gated| {
        MethodRouter::new().fallback(gated)
    })
}

/// The map as it grows.
pub(super) struct Table {
    pub(super) router: Router<App>,
    rows: Vec<Row>,
}

/// One row for one method.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the test that tries all rows reads them")
)]
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    pub(crate) needs: Needs,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            router: Router::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a path.
    pub(super) fn at<const N: usize>(self, path: &'static str, methods: [On; N]) -> Table {
        self.within(Within::Database, path, methods)
    }

    /// Adds the path of something of a partition: the same as its database answers, of less.
    pub(super) fn of_partition<const N: usize>(self, path: &'static str, methods: [On; N]) -> Table {
        self.within(Within::Partition, path, methods)
    }

    fn within<const N: usize>(mut self, within: Within, path: &'static str, methods: [On; N]) -> Table {
        let mut all = MethodRouter::new();
        for On {
            method,
            needs,
            answer,
        } in methods
        {
            self.rows.push(Row { path, method, needs });
            all = all.merge(answer(within));
        }
        self.router = self.router.route(path, all);
        self
    }

    /// The router, and all its rows.
    pub(super) fn done(self) -> (Router<App>, Vec<Row>) {
        (self.router, self.rows)
    }
}
