//! `/{db}/_security`: kept and given back as it was set. Nobody is refused for it yet.

use crate::app::blocking;
use crate::body::{INVALID_JSON, Whole};
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use trunkline_wire::functions::DEFAULT_SECURITY;

pub(super) async fn show(Db(db): Db) -> Result<Response> {
    let security = blocking(move || Ok(db.security()?)).await?;
    let mut text = security
        .unwrap_or_else(|| DEFAULT_SECURITY.to_owned())
        .into_bytes();
    text.push(b'\n');
    Ok(respond::json(StatusCode::OK, text))
}

pub(super) async fn set(Db(db): Db, Whole(body, _room): Whole) -> Result<Response> {
    let security: Value = serde_json::from_slice(&body).map_err(|_| INVALID_JSON)?;
    check(&security)?;
    blocking(move || Ok(db.set_security(&security.to_string())?)).await?;
    Ok(respond::ok(StatusCode::OK))
}

fn check(security: &Value) -> Result<()> {
    let Some(members) = security.as_object() else {
        return Err(Error::bad("Request body must be a JSON object"));
    };
    for group in ["admins", "members", "readers"] {
        let Some(group) = members.get(group) else { continue };
        let Some(group) = group.as_object() else {
            return Err(Error::bad("must be a JSON object"));
        };
        for (list, reason) in [
            ("names", "names must be a JSON list of strings"),
            ("roles", "roles must be a JSON list of strings"),
        ] {
            let strings = |value: &Value| {
                value
                    .as_array()
                    .is_some_and(|all| all.iter().all(Value::is_string))
            };
            if !group.get(list).is_none_or(strings) {
                return Err(Error::bad(reason));
            }
        }
    }
    Ok(())
}
