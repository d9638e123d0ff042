//! `/`, `/_up`, `/_membership`, `/favicon.ico`: what the server is.

use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs::NODE;
use crate::request::Query;
use crate::respond;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_replicate::Job;

pub(super) async fn welcome(State(app): State<App>) -> Response {
    let welcome = json!({
        "couchdb": "Welcome",
        "version": app.config().couchdb_version,
        "uuid": app.store.uuid(),
        "features": ["until", "time_since", "atomic_bulk_docs", "exchange"],
        "vendor": { "name": "Trunkline", "version": app.config().version },
    });
    respond::value(StatusCode::OK, &welcome)
}

/// With `max_lag`, whether every continuous replication is at most so many seconds behind; those that are not are named.
pub(super) async fn up(State(app): State<App>, query: Query) -> Result<Response> {
    let up = respond::value(StatusCode::OK, &json!({ "status": "ok", "seeds": {} }));
    let Some(text) = query.text("max_lag") else {
        return Ok(up);
    };
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.ok_or(Error::BadRequest("max_lag must be a number of seconds".into()))?;
    let jobs = app.replications.jobs();
    let lag = |job: &Job| job.lag_ms as f64 / 1000.0;
    let behind = jobs.iter().filter(|job| job.continuous && lag(job) > seconds);
    let behind: Vec<_> = behind
        .map(|job| {
            json!({
                "job": job.id,
                "source": job.source,
                "target": job.target,
                "state": job.state.name(),
                "lag_seconds": lag(job),
            })
        })
        .collect();
    if behind.is_empty() {
        return Ok(up);
    }
    let answer = json!({ "status": "behind", "seeds": {}, "max_lag": seconds, "behind": behind });
    Ok(respond::value(StatusCode::SERVICE_UNAVAILABLE, &answer))
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
