//! `/{db}/_security`: who may do what in a database. Kept and given back as it was set.

use crate::app::{App, blocking};
use crate::audit::{self, Who};
use crate::body::{INVALID_JSON, Whole};
use crate::error::Result;
use crate::request::Db;
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use trunkline_wire::functions::DEFAULT_SECURITY;
use trunkline_wire::security;

pub(super) async fn show(Db(db): Db) -> Result<Response> {
    let security = blocking(move || Ok(db.security()?)).await?;
    let mut text = security
        .unwrap_or_else(|| DEFAULT_SECURITY.to_owned())
        .into_bytes();
    text.push(b'\n');
    Ok(respond::json(StatusCode::OK, text))
}

pub(super) async fn set(
    State(app): State<App>,
    Db(db): Db,
    who: Who,
    Whole(body, _room): Whole,
) -> Result<Response> {
    let (name, written) = (db.name().clone(), db.clone());
    // Selectors of grants are compiled.
    let set = app.search(&db, move || {
        let given: Value = serde_json::from_slice(&body).map_err(|_| INVALID_JSON)?;
        let text = given.to_string();
        security::parse(&text)?;
        Ok(written.set_security(&text)?)
    });
    set.await?;
    audit::changed(&who, "_security", name.as_str());
    Ok(respond::ok(StatusCode::OK))
}
