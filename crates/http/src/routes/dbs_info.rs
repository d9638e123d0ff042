//! `/_dbs_info`: what `GET /{db}` says, for many databases in one answer.

use super::database::info;
use crate::app::{App, blocking};
use crate::body::{INVALID_JSON, JsonBody};
use crate::error::{Error, Result};
use crate::request::Query;
use crate::request::range::NameRange;
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use trunkline_core::db_name::DbName;

/// Databases in one answer by name: CouchDB's `max_db_number_for_dbs_info_req`.
const KEYS_MAX: usize = 100;

pub(super) async fn all(State(app): State<App>, query: Query) -> Result<Response> {
    let range = NameRange::parse(&query)?;
    let names = app.store.names();
    let names = range
        .select(&names)
        .map(|name| name.as_str().to_owned())
        .collect();
    answer(app, names).await
}

pub(super) async fn some(State(app): State<App>, body: JsonBody) -> Result<Response> {
    let body: Value = serde_json::from_str(body.text()?).map_err(|_| INVALID_JSON)?;
    if !body.is_object() {
        return Err(Error::bad("Request body must be a JSON object"));
    }
    let Some(keys) = body.get("keys") else {
        return Err(Error::bad("`keys` member must exist."));
    };
    let Some(keys) = keys.as_array() else {
        return Err(Error::bad("`keys` member must be an array."));
    };
    if keys.len() > KEYS_MAX {
        return Err(Error::bad(format!(
            "`keys` must not name more than {KEYS_MAX} databases."
        )));
    }
    let names: Option<Vec<String>> = keys.iter().map(|key| key.as_str().map(str::to_owned)).collect();
    answer(
        app,
        names.ok_or_else(|| Error::bad("`keys` must be database names."))?,
    )
    .await
}

async fn answer(app: App, names: Vec<String>) -> Result<Response> {
    let rows = blocking(move || {
        let row = |name: &String| match DbName::parse(name)
            .map_err(|_| Error::DatabaseMissing)
            .and_then(|name| info(&app.database(&name)?))
        {
            Ok(info) => Ok(json!({ "key": name, "info": info })),
            Err(Error::DatabaseMissing) => Ok(json!({ "key": name, "error": "not_found" })),
            Err(error @ (Error::Closing | Error::Busy)) => Err(error),
            // One that does not open does not hide the others.
            Err(error) => {
                tracing::error!(database = name, ?error, "no information on a database");
                Ok(json!({ "key": name, "error": "internal_server_error" }))
            }
        };
        names.iter().map(row).collect::<Result<Vec<Value>>>()
    });
    Ok(respond::value(StatusCode::OK, &Value::Array(rows.await?)))
}
