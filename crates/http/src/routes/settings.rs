//! `/{db}/_revs_limit` and `/{db}/_purged_infos_limit`: one positive integer each; `/{db}/_mirror`: `true` or `false`.

use crate::app::blocking;
use crate::audit::{self, Who};
use crate::body::Whole;
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond;
use axum::http::StatusCode;
use axum::response::Response;

pub(super) async fn revs_limit(Db(db): Db) -> Result<Response> {
    let limit = blocking(move || Ok(db.revs_limit()?)).await?;
    Ok(respond::json(StatusCode::OK, format!("{limit}\n").into_bytes()))
}

pub(super) async fn set_revs_limit(Db(db): Db, who: Who, Whole(body, _room): Whole) -> Result<Response> {
    let limit = positive(&body, "revs_limit must be an integer of at least 1")?;
    let name = db.name().clone();
    blocking(move || Ok(db.set_revs_limit(limit)?)).await?;
    audit::changed(&who, "_revs_limit", name.as_str());
    Ok(respond::ok(StatusCode::OK))
}

pub(super) async fn purged_infos_limit(Db(db): Db) -> Result<Response> {
    let limit = blocking(move || Ok(db.purged_infos_limit()?)).await?;
    Ok(respond::json(StatusCode::OK, format!("{limit}\n").into_bytes()))
}

pub(super) async fn set_purged_infos_limit(
    Db(db): Db,
    who: Who,
    Whole(body, _room): Whole,
) -> Result<Response> {
    let limit = positive(&body, "`purge_infos_limit` must be positive integer")?;
    let name = db.name().clone();
    blocking(move || Ok(db.set_purged_infos_limit(limit)?)).await?;
    audit::changed(&who, "_purged_infos_limit", name.as_str());
    Ok(respond::ok(StatusCode::OK))
}

pub(super) async fn mirror(Db(db): Db) -> Result<Response> {
    let mirror = blocking(move || Ok(db.is_mirror()?)).await?;
    Ok(respond::json(StatusCode::OK, format!("{mirror}\n").into_bytes()))
}

pub(super) async fn set_mirror(Db(db): Db, who: Who, Whole(body, _room): Whole) -> Result<Response> {
    let mirror = match std::str::from_utf8(&body).unwrap_or_default().trim() {
        "true" => true,
        "false" => false,
        _ => return Err(Error::bad("`_mirror` must be true or false")),
    };
    let name = db.name().clone();
    blocking(move || Ok(db.set_mirror(mirror)?)).await?;
    audit::changed(&who, "_mirror", name.as_str());
    Ok(respond::ok(StatusCode::OK))
}

fn positive(body: &[u8], reason: &'static str) -> Result<u32> {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    text.parse()
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or(Error::bad(reason))
}
