//! `/_all_dbs`: the names of all databases, or of a range.

use crate::app::App;
use crate::error::Result;
use crate::request::Query;
use crate::request::range::NameRange;
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

pub(super) async fn list(State(app): State<App>, query: Query) -> Result<Response> {
    let range = NameRange::parse(&query)?;
    let names = app.store.names();
    let names: Vec<&str> = range.select(&names).map(|name| name.as_str()).collect();
    Ok(respond::value(StatusCode::OK, &serde_json::json!(names)))
}
