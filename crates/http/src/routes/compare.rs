//! Digests of ranges of documents, and their leaves: how two of our nodes find out where they differ.

use crate::app::blocking;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond;
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::limits::REQUEST_ITEMS_MAX;
use trunkline_replicate::LocalPeer;
use trunkline_wire as wire;

pub(super) async fn digests(Db(db): Db, JsonBody(body, _room): JsonBody) -> Result<Response> {
    let answer = blocking(move || {
        let ask = wire::digests::parse_ask(&body)?;
        if let wire::digests::Ranges::Each { at_most, .. } = ask.ranges
            && at_most > REQUEST_ITEMS_MAX
        {
            return Err(Error::bad(format!(
                "at most {REQUEST_ITEMS_MAX} ranges can be asked for"
            )));
        }
        let mut out = Vec::new();
        wire::digests::write(&mut out, &LocalPeer::digests_of(&db, &ask)?);
        out.push(b'\n');
        Ok(out)
    });
    Ok(respond::json(StatusCode::OK, answer.await?))
}

pub(super) async fn leaves(Db(db): Db, JsonBody(body, _room): JsonBody) -> Result<Response> {
    let answer = blocking(move || {
        let ask = wire::digests::parse_leaves_ask(&body)?;
        let limit = ask.limit.min(REQUEST_ITEMS_MAX);
        let rows = db.leaves_of(ask.after.as_deref(), ask.until.as_deref(), limit)?;
        let mut out = Vec::new();
        let rows = rows.iter().map(|(id, revs)| (&**id, revs.as_slice()));
        wire::revs_diff::write_request(&mut out, rows);
        out.push(b'\n');
        Ok(out)
    });
    Ok(respond::json(StatusCode::OK, answer.await?))
}
