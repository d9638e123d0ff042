//! `_changes`: to be written.
use axum::http::StatusCode;
pub(super) async fn feed() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
pub(super) async fn feed_posted() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
