//! How a row of the map is written: path, methods, what each needs, who answers. No row is without its needs, and each is
//! listed for the test that tries them all.

use super::partition;
use crate::access::{Needs, enforce};
use crate::app::App;
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{self, MethodRouter, Route};
use std::convert::Infallible;
use tower::{Layer, Service};

/// One method of a path.
pub(super) struct On {
    method: &'static str,
    needs: Needs,
    answer: MethodRouter<App>,
}

macro_rules! methods {
    ($($method:ident $name:literal),*) => { $(
        pub(super) fn $method<H: Handler<T, App>, T: 'static>(needs: Needs, handler: H) -> On {
            On { method: $name, needs, answer: routing::$method(handler) }
        }
    )* };
}
methods!(get "GET", head "HEAD", post "POST", put "PUT", delete "DELETE", any "*");

/// A method that the router has no name for.
pub(super) fn copy<H: Handler<T, App>, T: 'static>(needs: Needs, handler: H) -> On {
    On {
        method: "COPY",
        needs,
        answer: MethodRouter::new().fallback(handler),
    }
}

/// The map as it grows.
pub(super) struct Table {
    app: App,
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
    pub(super) fn new(app: App) -> Table {
        Table {
            app,
            router: Router::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a path.
    pub(super) fn at<const N: usize>(mut self, path: &'static str, methods: [On; N]) -> Table {
        let mut all = MethodRouter::new();
        for On {
            method,
            needs,
            answer,
        } in methods
        {
            self.rows.push(Row { path, method, needs });
            all = all.merge(behind(
                method,
                answer,
                from_fn_with_state((self.app.clone(), needs), enforce),
            ));
        }
        self.router = self.router.route(path, all);
        self
    }

    /// Adds the path of something of a partition: the same as its database answers, of less.
    pub(super) fn of_partition<const N: usize>(self, path: &'static str, methods: [On; N]) -> Table {
        let enter = from_fn_with_state(self.app.clone(), partition::enter);
        let methods = methods.map(|on| On {
            answer: behind(on.method, on.answer, enter.clone()),
            ..on
        });
        self.at(path, methods)
    }

    /// The router, and all its rows.
    pub(super) fn done(self) -> (Router<App>, Vec<Row>) {
        (self.router, self.rows)
    }
}

/// Puts a layer around one method's answer. Which methods a path does not have is no secret; the router takes what has no
/// name among its methods for one of those.
fn behind<L>(method: &str, answer: MethodRouter<App>, layer: L) -> MethodRouter<App>
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request, Error = Infallible, Future: Send, Response: IntoResponse>
        + Clone
        + Send
        + Sync
        + 'static,
{
    match method {
        "COPY" | "*" => answer.layer(layer),
        _ => answer.route_layer(layer),
    }
}
