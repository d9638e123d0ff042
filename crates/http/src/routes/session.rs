//! `/_session`: who is asking. There are no users yet, so everyone is the administrator.

use crate::error::Error;
use crate::respond;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

pub(super) async fn show() -> Response {
    let session = json!({
        "ok": true,
        "userCtx": { "name": null, "roles": ["_admin"] },
        "info": { "authentication_handlers": [] },
    });
    respond::value(StatusCode::OK, &session)
}

/// 404 and nothing else makes CouchDB's replicator go on with Basic authentication.
pub(super) async fn log_in() -> Error {
    Error::NotFound("This server has no users to log in.".into())
}

pub(super) async fn log_out() -> Response {
    respond::ok(StatusCode::OK)
}
