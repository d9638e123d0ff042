//! Connections: accepting them, serving them, and ending them in order.

use crate::absent::Absent;
use crate::app::App;
use crate::error::Error;
use crate::lenient::Lenient;
use crate::unread::Unread;
use crate::{Config, background, encoding, routes};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;
use trunkline_core::limits::{HTTP2_REQUEST_WINDOW_BYTES, HTTP2_REQUESTS_WINDOW_BYTES, HTTP2_STREAMS_MAX};
use trunkline_replicate::Replications;
use trunkline_store::Store;

/// Serves `store` on `listener` until `shutdown` resolves, then ends feeds with their `last_seq`, lets running writes
/// finish and replications checkpoint, for at most [`Config::shutdown_ms`]. The store stays open; closing it is the
/// caller's. Feeds, listings and commits have a few threads of their own, all else runs on the runtime's blocking
/// threads: a runtime made for this server needs few of them (`max_blocking_threads`), since no call waits for a client
/// there.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let replications = Replications::new(store, config.secrets.clone());
    let shutdown_ms = config.shutdown_ms;
    serve_with(listener, replications.clone(), config, shutdown).await?;
    let ended = replications.shutdown();
    if tokio::time::timeout(Duration::from_millis(shutdown_ms), ended)
        .await
        .is_err()
    {
        tracing::warn!("replications that had not ended are cut off");
    }
    Ok(())
}

/// As [`serve`], for a store whose replications the caller has in hand: they are the ones that the server lists, starts
/// and cancels, and whose documents are followed from here on; and they go on when it ends.
pub async fn serve_with(
    listener: TcpListener,
    replications: Replications,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    replications.follow_documents();
    let app = App::new(replications, config);
    let service = Front::new(app.clone());
    let connections = GracefulShutdown::new();
    // Dropped with this future, however it ends: no connection outlives it.
    let cut = CancellationToken::new();
    let _cut_at_end = cut.clone().drop_guard();
    let indexing = background::run(app.clone());
    tokio::spawn(cut.clone().run_until_cancelled_owned(indexing));

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        spawn_connection(stream, service.clone(), &connections, cut.clone());
    }
    drop(listener);

    app.stopping.cancel();
    let ended = connections.shutdown();
    if tokio::time::timeout(Duration::from_millis(app.config().shutdown_ms), ended)
        .await
        .is_err()
    {
        tracing::warn!("connections that were still open are cut off");
    }
    Ok(())
}

/// A refused connection says nothing about the next one, but being out of descriptors does.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(%error, "accepting a connection failed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How often an HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Without an answer for so long, it does not.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

fn spawn_connection(stream: TcpStream, front: Front, connections: &GracefulShutdown, cut: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let watcher = connections.watcher();
    tokio::spawn(async move {
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let front = front.clone();
            async move { Ok::<_, Infallible>(front.answer(request.map(Body::new)).await) }
        });
        let connection = builder()
            .serve_connection(TokioIo::new(Lenient::new(stream)), service)
            .into_owned();
        tokio::select! {
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
            }
            () = cut.cancelled() => {}
        }
    });
}

/// HTTP/1.1 as it comes. HTTP/2 with room for the feeds of a whole node on one connection, none of which waits for
/// another; what is gone without a word is noticed.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_REQUEST_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_REQUESTS_WINDOW_BYTES)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_STREAMS_MAX as usize)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// What every request passes on its way to its route, and every answer on its way back.
#[derive(Clone)]
struct Front(Arc<FrontParts>);

struct FrontParts {
    app: App,
    router: Router,
    server: HeaderValue,
}

/// `_design/` in one path segment.
const ESCAPED_DESIGN: &str = "_design%2F";
const BODY_TIME: HeaderName = HeaderName::from_static("x-couchdb-body-time");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-couch-request-id");
const MUST_REVALIDATE: HeaderValue = HeaderValue::from_static("must-revalidate");

impl Front {
    fn new(app: App) -> Front {
        let server = format!("Trunkline/{}", app.config().version);
        let server = HeaderValue::from_str(&server).unwrap_or(HeaderValue::from_static("Trunkline"));
        Front(Arc::new(FrontParts {
            router: routes::map(app.clone()),
            app,
            server,
        }))
    }

    async fn answer(&self, mut request: Request) -> Response {
        let Front(front) = self;
        name_host(&mut request);
        tidy_path(request.uri_mut());
        override_method(&mut request);
        let accept = request
            .headers()
            .get(header::ACCEPT_ENCODING)
            .filter(|_| front.app.config().compression)
            .cloned();
        let id = request_id(front, &request);
        let method = request.method().clone();
        let is_head = method == Method::HEAD;

        let unread = Unread::lend(&mut request);
        let mut response = if is_encoded(request.uri()) {
            self.route(request).await
        } else {
            Error::bad("invalid_url_encoding").into_response()
        };
        if let Some(absent) = response.extensions_mut().remove::<Absent>() {
            response = absent.answer(&front.app);
        }
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = name_allowed(response);
        } else {
            // The router adds it to the answers of a fallback, COPY's; what it names there is not all.
            response.headers_mut().remove(header::ALLOW);
        }
        if let (true, Some(unread)) = (response.status().as_u16() >= 400, unread) {
            unread.drain().await;
        }
        let headers = response.headers_mut();
        headers.insert(header::SERVER, front.server.clone());
        headers.insert(BODY_TIME, HeaderValue::from_static("0"));
        headers.insert(REQUEST_ID, id);
        headers.entry(header::CACHE_CONTROL).or_insert(MUST_REVALIDATE);
        match accept {
            Some(accept) if !is_head && encoding::may_encode(&response) => {
                encoding::encode(accept, response).await
            }
            _ => response,
        }
    }

    /// The route's answer; a panic on its way is a 500.
    async fn route(&self, request: Request) -> Response {
        let mut router = self.0.router.clone();
        let routed = async move { Service::call(&mut router, request).await };
        match AssertUnwindSafe(routed).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => Error::Internal("This request met a bug; the log has more.".to_owned()).into_response(),
        }
    }
}

/// HTTP/2 names the host in the target; whoever looks for it finds it in one place.
fn name_host(request: &mut Request) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    let authority = request.uri().authority();
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// A client that can only POST names the method it means.
fn override_method(request: &mut Request) {
    let meant = request.headers().get(METHOD_OVERRIDE).map(HeaderValue::as_bytes);
    let meant = match meant.filter(|_| *request.method() == Method::POST) {
        Some(name) => Method::from_bytes(&name.to_ascii_uppercase()),
        None => return,
    };
    if let Ok(meant) = meant {
        *request.method_mut() = meant;
    }
}

/// Whether every percent sign starts a percent-encoded byte.
fn is_encoded(uri: &Uri) -> bool {
    let text = uri.path_and_query().map_or("", |target| target.as_str());
    text.split('%').skip(1).all(|behind| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// CouchDB drops empty path segments, so `/db/` is `/db` and `//db` too; and the slash of a design document's id may be
/// escaped.
fn tidy_path(uri: &mut Uri) {
    let path = uri.path();
    let is_tidy = !path.ends_with('/') && !path.contains("//") && !path.contains("/_design%2");
    if path.len() < 2 || is_tidy {
        return;
    }
    let mut tidy = String::with_capacity(path.len());
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    for (place, segment) in segments.enumerate() {
        tidy.push('/');
        let design = segment
            .split_at_checked(ESCAPED_DESIGN.len())
            .filter(|(prefix, name)| prefix.eq_ignore_ascii_case(ESCAPED_DESIGN) && !name.is_empty());
        match design {
            Some((_, name)) if place == 1 => {
                tidy.push_str("_design/");
                tidy.push_str(name);
            }
            _ => tidy.push_str(segment),
        }
    }
    if tidy.is_empty() {
        tidy.push('/');
    }
    if let Some(query) = uri.query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    if let Ok(tidied) = tidy.parse() {
        *uri = tidied;
    }
}

/// The client's own name for its request, when it is a plain one, else a new one.
fn request_id(front: &FrontParts, request: &Request) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        (1..=36).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
    });
    match given {
        Some(given) => given.clone(),
        None => HeaderValue::try_from(front.app.next_request_id()).unwrap_or(HeaderValue::from_static("0")),
    }
}

/// The router knows which methods a resource has; CouchDB's answer names them in its reason as well.
fn name_allowed(response: Response) -> Response {
    let allowed = response
        .headers()
        .get(header::ALLOW)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut methods: Vec<&str> = allowed.split(',').map(str::trim).collect();
    methods.sort_unstable();
    Error::MethodNotAllowed(methods.join(",")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    fn front(router: Router) -> (Front, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let app = App::new(Store::open(dir.path()).unwrap().into(), Config::default());
        let server = HeaderValue::from_static("test");
        (Front(Arc::new(FrontParts { app, router, server })), dir)
    }

    #[tokio::test]
    async fn a_panic_is_a_500_and_nothing_else() {
        let bug = || async { panic!("a bug") as &'static str };
        let (front, _dir) = front(
            Router::new()
                .route("/bug", get(bug))
                .route("/ok", get(|| async { "ok" })),
        );
        let ask = |path: &str| front.answer(Request::get(path.to_owned()).body(Body::empty()).unwrap());
        let answer = ask("/bug").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(ask("/ok").await.status(), StatusCode::OK);
    }

    #[test]
    fn empty_path_segments_are_dropped() {
        for (given, tidied) in [
            ("/", "/"),
            ("/db/", "/db"),
            ("//db//a%2F", "/db/a%2F"),
            ("/db/?x=/y/", "/db?x=/y/"),
            ("///", "/"),
            ("/a/b", "/a/b"),
            ("/db/_design%2Fx", "/db/_design/x"),
            (
                "/db/_design%2fx%2Fy/_view/v?key=1",
                "/db/_design/x%2Fy/_view/v?key=1",
            ),
            ("/db/_design%2F", "/db/_design%2F"),
            ("/db/x/_design%2Fy", "/db/x/_design%2Fy"),
        ] {
            let mut uri: Uri = given.parse().unwrap();
            tidy_path(&mut uri);
            assert_eq!(uri.to_string(), tidied);
        }
    }
}
