//! `/_uuids`: ids for new documents. Time-ordered (UUID v7), so that documents that get them land side by side.

use crate::error::{Error, Result};
use crate::request::Query;
use crate::respond;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use uuid::Uuid;

/// Ids in one answer: CouchDB's `max_count`.
const COUNT_MAX: i64 = 1000;

pub(super) async fn make(query: Query) -> Result<Response> {
    let count = match query.text("count").unwrap_or("1").parse::<i64>() {
        Err(_) => return Err(Error::bad("count is not an integer")),
        Ok(count) if count < 0 => return Err(Error::bad("invalid count")),
        Ok(count) if count > COUNT_MAX => return Err(Error::bad("count parameter too large")),
        Ok(count) => count,
    };
    let uuids: Vec<String> = (0..count).map(|_| new_id()).collect();
    let mut response = respond::value(StatusCode::OK, &serde_json::json!({ "uuids": uuids }));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::EXPIRES,
        HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"),
    );
    if let Ok(etag) = HeaderValue::try_from(format!("\"{}\"", new_id())) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

/// A new document id: 32 hexadecimal digits.
pub(super) fn new_id() -> String {
    Uuid::now_v7().simple().to_string()
}
