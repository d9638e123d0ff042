//! `/`, `/_up`, `/_membership`, `/favicon.ico`: what the server is.

use crate::app::App;
use crate::respond;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The name a single CouchDB node has; tools that walk `/_node/` look for it here.
const NODE: &str = "nonode@nohost";

pub(super) async fn welcome(State(app): State<App>) -> Response {
    let welcome = json!({
        "couchdb": "Welcome",
        "version": app.config.couchdb_version,
        "uuid": app.store.uuid(),
        "features": ["until", "time_since", "atomic_bulk_docs", "exchange"],
        "vendor": { "name": "Trunkline", "version": app.config.version },
    });
    respond::value(StatusCode::OK, &welcome)
}

pub(super) async fn up() -> Response {
    respond::value(StatusCode::OK, &json!({ "status": "ok", "seeds": {} }))
}

pub(super) async fn membership() -> Response {
    respond::value(
        StatusCode::OK,
        &json!({ "all_nodes": [NODE], "cluster_nodes": [NODE] }),
    )
}

/// Browsers ask for it on their own; an empty answer keeps their consoles and our logs quiet.
pub(super) async fn favicon() -> Response {
    (
        StatusCode::NO_CONTENT,
        [(header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400"))],
    )
        .into_response()
}
