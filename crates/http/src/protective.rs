//! Headers that keep browsers from doing with answers what nobody wants.

use axum::http::{HeaderMap, HeaderValue, header};

/// Where the pages of the administrator's interface are.
const PAGES: &str = "/_utils";
/// They load nothing from elsewhere, and are shown in no frame.
const PAGES_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; \
     frame-ancestors 'none'",
);
/// What users have stored, and what their functions make, runs nothing in the name of this server.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox");

/// Adds them to the answer for a path.
pub(crate) fn protect(path: &str, headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let is_page = path
        .strip_prefix(PAGES)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, PAGES_POLICY);
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    } else if !is_json(headers) {
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
}

/// With the header above, browsers take it for nothing else.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}
