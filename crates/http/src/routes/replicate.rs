//! `_replicate`: to be written.
use axum::http::StatusCode;
pub(super) async fn replicate() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
