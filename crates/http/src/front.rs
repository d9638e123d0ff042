//! What every request passes on its way to its route, and every answer on its way back.

mod path;

use crate::absent::Absent;
use crate::admission::{Held, Lasting, Untaken};
use crate::app::App;
use crate::arriving::Arriving;
use crate::auth::User;
use crate::connection::Peer;
use crate::error::Error;
use crate::protective::protect;
use crate::streams::Stream;
use crate::unread::Unread;
use crate::{Config, auth, cors, encoding, respond, routes};
use axum::Router;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use path::{is_encoded, tidy_path};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tower::Service;
use trunkline_core::limits::{ANSWER_UNCOUNTED_BYTES_MAX, PROBES_MAX};
use trunkline_replicate::Unsent;

/// The server's front; cheap to clone.
#[derive(Clone)]
pub(crate) struct Front(Arc<FrontParts>);

struct FrontParts {
    app: App,
    router: Router,
    server: HeaderValue,
}

const BODY_TIME: HeaderName = HeaderName::from_static("x-couchdb-body-time");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-couch-request-id");
const MUST_REVALIDATE: HeaderValue = HeaderValue::from_static("must-revalidate");

impl Front {
    pub(crate) fn new(app: App) -> Front {
        let server = format!("Trunkline/{}", app.config().version);
        let server = HeaderValue::from_str(&server).unwrap_or(HeaderValue::from_static("Trunkline"));
        Front(Arc::new(FrontParts {
            router: routes::map(app.clone()),
            app,
            server,
        }))
    }

    /// Answers that are not taken.
    pub(crate) fn unsent(&self) -> &Unsent {
        &self.0.app.unsent
    }

    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        let Front(front) = self;
        name_host(&mut request);
        name_scheme(&mut request);
        tidy_path(request.uri_mut());
        override_method(&mut request);
        let id = request_id(front, &request);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let config = front.app.config();
        let origin = cors::allowed(&config.cors, request.headers());

        let mut response = match cors::preflight(&config.cors, origin.as_ref(), &request) {
            Some(response) => response,
            None => self.admit(request, &config).await,
        };
        if response.status().as_u16() >= 400 {
            let path = uri.path();
            tracing::debug!(?id, %method, path, status = response.status().as_u16(), "refused or failed");
        }
        let headers = response.headers_mut();
        headers.insert(header::SERVER, front.server.clone());
        headers.insert(BODY_TIME, HeaderValue::from_static("0"));
        headers.insert(REQUEST_ID, id);
        cors::mark(&config.cors, origin, headers);
        protect(uri.path(), headers);
        headers.entry(header::CACHE_CONTROL).or_insert(MUST_REVALIDATE);
        response
    }

    /// Lets a request in if there is room for it, before anything else is done for it. Who looks after the server is
    /// told how it is beside that.
    async fn admit(&self, mut request: Request, config: &Config) -> Response {
        let admission = &self.0.app.admission;
        let place = match is_probe(&request) {
            true => admission.probes.take(PROBES_MAX),
            false => admission.requests.take(config.connections.requests_max),
        };
        let stream = request.extensions().get::<Arc<Stream>>().cloned();
        let Some(place) = place else {
            // A connection of HTTP/2 outlives its requests.
            let unread = Unread::lend(&mut request).filter(|_| request.version() != Version::HTTP_2);
            if let Some(unread) = unread {
                unread.drain_a_little().await;
            }
            let refused = Error::Overloaded.into_response();
            return refused.map(|body| Held::until_sent(body, None, None, stream, false));
        };
        if let Some(stream) = &stream {
            stream.is_placed();
        }
        // Apart, so that who waits to be let in or is refused takes little room.
        let mut response = Box::pin(self.admitted(request, config)).await;
        // Whoever reads one that lasts may have to do with what it has read for long.
        let is_lasting = response.extensions().get::<Lasting>().is_some();
        let untaken = response.extensions_mut().remove::<Arc<Untaken>>();
        let place = match is_lasting {
            true => admission.feeds.take(config.connections.feeds_max),
            false => Some(place),
        };
        match place {
            Some(place) => {
                response.map(|body| Held::until_sent(body, Some(place), untaken, stream, is_lasting))
            }
            None => Error::Overloaded.into_response(),
        }
    }

    async fn admitted(&self, mut request: Request, config: &Config) -> Response {
        let Front(front) = self;
        let accept = request
            .headers()
            .get(header::ACCEPT_ENCODING)
            .filter(|_| config.compression && request.method() != Method::HEAD)
            .cloned();
        let silence = Duration::from_millis(config.connections.silence_ms);
        *request.body_mut() = Arriving::of(std::mem::take(request.body_mut()), silence);
        let unread = Unread::lend(&mut request);
        let mut response = if !names_one_host(&request) {
            Error::bad("A request names its host, once.").into_response()
        } else if is_encoded(request.uri()) {
            match auth::admit(&front.app, &mut request).await {
                Ok(renewed) => {
                    let user = request.extensions().get::<Arc<User>>().cloned();
                    let answer = counted(&front.app.unsent, user.as_deref(), self.route(request).await);
                    with_cookie(answer, renewed)
                }
                Err(refused) => refused.into_response(),
            }
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
        match accept {
            Some(accept) if encoding::may_encode(&response) => encoding::encode(accept, response).await,
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

/// Whether a request says for whom it is as its version has it: who reads another of two hosts takes it for another's.
fn names_one_host(request: &Request) -> bool {
    match request.headers().get_all(header::HOST).iter().count() {
        0 => request.version() != Version::HTTP_11,
        count => count == 1,
    }
}

/// Whether a request asks how the server is, and nothing that costs more.
fn is_probe(request: &Request) -> bool {
    request.uri().path() == "/_up"
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && !request.headers().contains_key(header::AUTHORIZATION)
        && request.body().is_end_stream()
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

/// Over TLS, this server is what a proxy would be: it says so in the same place.
fn name_scheme(request: &mut Request) {
    let secured = request.extensions().get::<Peer>().is_some_and(|peer| peer.tls);
    if secured && !request.headers().contains_key(FORWARDED_PROTO) {
        let https = HeaderValue::from_static("https");
        request.headers_mut().insert(FORWARDED_PROTO, https);
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

/// Marks an answer that may be long with whose it is, and counts it, if it is made already. Where there is no room for it,
/// it is refused, unless it tells of something that was done.
fn counted(unsent: &Unsent, user: Option<&User>, mut response: Response) -> Response {
    let bytes = response.body().size_hint().exact();
    let bytes = bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if bytes.is_some_and(|bytes| bytes <= ANSWER_UNCOUNTED_BYTES_MAX) {
        return response;
    }
    let name = user.and_then(|user| user.name.as_deref());
    let share = unsent.share(name.unwrap_or_default());
    let is_read = response.status() == StatusCode::OK && !response.headers().contains_key(respond::UPDATED);
    let counted = match bytes {
        Some(bytes) if is_read => match share.count_if_room(bytes) {
            None => return Error::Overloaded.into_response(),
            counted => counted,
        },
        bytes => bytes.map(|bytes| share.count(bytes)),
    };
    let untaken = Untaken::new(share, counted);
    response.extensions_mut().insert(Arc::new(untaken));
    response
}

/// With the new cookie of its session, unless the answer has one already.
fn with_cookie(mut response: Response, renewed: Option<HeaderValue>) -> Response {
    if let Some(cookie) = renewed {
        let headers = response.headers_mut();
        headers.entry(header::SET_COOKIE).or_insert(cookie);
    }
    response
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
    methods.dedup();
    Error::MethodNotAllowed(methods.join(",")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use trunkline_store::Store;

    fn front(router: Router) -> (Front, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let app = App::new(
            Store::open(dir.path()).unwrap().into(),
            Config::default().into(),
            Vec::new(),
        );
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
        let ask = |path: &str| {
            let request = Request::get(path.to_owned()).header(header::HOST, "localhost");
            front.answer(request.body(Body::empty()).unwrap())
        };
        let answer = ask("/bug").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(ask("/ok").await.status(), StatusCode::OK);
    }
}
