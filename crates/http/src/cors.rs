//! Cross-origin requests: which pages of other hosts may ask, and what browsers are told about it, as CouchDB does.

use crate::config::Cors;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

/// What pages may ask with, unless the settings name less.
pub(crate) const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "DELETE", "COPY", "OPTIONS"];
/// What pages may send without further settings: what clients of CouchDB do.
const HEADERS: [&str; 20] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "destination",
    "expires",
    "if-match",
    "if-none-match",
    "last-modified",
    "origin",
    "pragma",
    "range",
    "x-couch-full-commit",
    "x-http-method-override",
    "x-requested-with",
];
/// What pages may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "accept-ranges, cache-control, content-length, content-range, content-type, etag, location, retry-after, server, \
     x-couch-request-id, x-couch-update-newrev, x-couchdb-body-time",
);
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The page's origin, if it may ask.
pub(crate) fn allowed(settings: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let given = headers.get(header::ORIGIN)?;
    is_listed(settings, given.to_str().ok()?).then(|| given.clone())
}

/// Whether the settings name an origin.
pub(crate) fn is_listed(settings: &Cors, origin: &str) -> bool {
    let mut listed = settings.origins.iter();
    listed.any(|listed| listed == "*" || is_same(listed, origin))
}

/// Whether two texts name one origin.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    without_default_port(one).eq_ignore_ascii_case(without_default_port(other))
}

/// Answers a browser that asks whether a page of `origin` may ask.
pub(crate) fn preflight(
    settings: &Cors,
    origin: Option<&HeaderValue>,
    request: &Request,
) -> Option<Response> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    origin?;
    let text = |name: HeaderName| request.headers().get(name).map(HeaderValue::to_str);
    let method = text(header::ACCESS_CONTROL_REQUEST_METHOD)?.ok()?;
    let methods = methods(settings);
    let wanted = match text(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        Some(wanted) => wanted.ok()?,
        None => "",
    };
    if !methods.contains(&method) || !headers_are_known(settings, wanted) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, settings.max_age.into());
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods.join(", ")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.to_owned()),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Some(response)
}

/// Says in an answer whose it may be.
pub(crate) fn mark(settings: &Cors, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    if settings.origins.is_empty() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else {
        return;
    };
    // Pages of anybody may come from `null`, too.
    let anyone = origin == "null" || settings.origins.iter().any(|named| named == "*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if settings.credentials && !anyone {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    }
}

fn methods(settings: &Cors) -> Vec<&str> {
    match settings.methods.is_empty() {
        true => METHODS.to_vec(),
        false => settings.methods.iter().map(String::as_str).collect(),
    }
}

fn headers_are_known(settings: &Cors, wanted: &str) -> bool {
    let mut wanted = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
    wanted.all(|name| {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        HEADERS.into_iter().any(is) || settings.headers.iter().any(|known| is(known))
    })
}

/// Browsers leave it out.
fn without_default_port(origin: &str) -> &str {
    let rest = match origin.strip_prefix("https://") {
        Some(_) => origin.strip_suffix(":443"),
        None => origin.strip_suffix(":80"),
    };
    rest.unwrap_or(origin)
}
