//! `_compact`, `_ensure_full_commit`, and resources of CouchDB that have nothing behind them here.

use super::database::instance_start_time;
use crate::app::{App, blocking};
use crate::audit::{self, Who};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond;
use crate::tasks::Compaction;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// Everything written so far becomes durable, relaxed writes too.
pub(super) async fn ensure_full_commit(Db(db): Db, _: JsonBody) -> Result<Response> {
    let info = blocking(move || {
        db.flush()?;
        Ok(db.info()?)
    })
    .await?;
    let answer = json!({ "ok": true, "instance_start_time": instance_start_time(&info) });
    Ok(respond::value(StatusCode::CREATED, &answer))
}

/// Starts a compaction; `_active_tasks` shows it while it runs.
pub(super) async fn compact(State(app): State<App>, Db(db): Db, who: Who, _: JsonBody) -> Result<Response> {
    audit::changed(&who, "compaction begun", db.name().as_str());
    if let Some(compaction) = Compaction::start(&app, db.name().as_str()) {
        tokio::task::spawn_blocking(move || {
            if let Err(error) = db.compact() {
                tracing::error!(database = db.name().as_str(), %error, "compaction failed");
            }
            drop(compaction);
        });
    }
    Ok(respond::ok(StatusCode::ACCEPTED))
}

/// What CouchDB starts here happens by itself, or has nothing to do.
pub(super) async fn nothing_to_do(Db(_): Db) -> Response {
    respond::ok(StatusCode::ACCEPTED)
}

pub(super) async fn no_shards(Db(_): Db) -> Error {
    Error::NotImplemented("Databases here are not sharded; every node holds the whole of each.")
}
