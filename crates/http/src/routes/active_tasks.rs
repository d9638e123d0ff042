//! `/_active_tasks`: replications, compactions, passes over indexes and builds of named feeds that run now.

use crate::app::App;
use crate::{respond, tasks};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

pub(super) async fn list(State(app): State<App>) -> Response {
    respond::value(StatusCode::OK, &tasks::active(&app).into())
}
