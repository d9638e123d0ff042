//! One `_local/` document.

use super::document::etag;
use crate::app::blocking;
use crate::error::{Error, Result};
use crate::request::{Query, header_value, matches_etag};
use crate::respond;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use trunkline_core::doc_id::LocalId;
use trunkline_core::rev::{Digest, Rev};
use trunkline_store::Database;
use trunkline_wire::local_doc;

pub(super) async fn read(db: Database, id: String, headers: HeaderMap) -> Result<Response> {
    let answer = blocking(move || {
        let (number, body) = db.local(&local_id(&id)?)?.ok_or(Error::MISSING)?;
        let etag = etag(&rev(number));
        if matches_etag(&headers, &etag) {
            return Err(Error::not_modified(&etag));
        }
        let mut out = Vec::with_capacity(body.len() + id.len() + 48);
        local_doc::write(&mut out, &id, Some(number), &body);
        out.push(b'\n');
        Ok((out, etag))
    });
    let (text, etag) = answer.await?;
    let mut response = respond::json(StatusCode::OK, text);
    if let Some(etag) = header_value(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The revision of a local document: `0-N`.
pub(super) fn rev(number: u64) -> Rev {
    Rev {
        generation: 0,
        digest: Digest::from_bytes(number.to_string().as_bytes()),
    }
}

/// Writes a local document. Whatever number the client gives counts as current, as in CouchDB: replicators write
/// their checkpoints blindly.
pub(super) async fn write(db: Database, id: String, text: Bytes) -> Result<Response> {
    let answer = blocking(move || {
        let doc = local_doc::parse(&text)?;
        let body = (!doc.deleted).then(|| doc.body.as_str());
        let number = db.put_local(&local_id(&id)?, doc.number.unwrap_or(0), body)?;
        Ok((
            if doc.deleted {
                StatusCode::OK
            } else {
                StatusCode::CREATED
            },
            outcome(&id, number),
        ))
    });
    let (status, answer) = answer.await?;
    Ok(respond::json(status, answer))
}

pub(super) async fn delete(db: Database, id: String, query: &Query) -> Result<Response> {
    if let Some(rev) = query.text("rev") {
        local_doc::parse_rev(rev)?;
    }
    let answer = blocking(move || {
        let number = db.put_local(&local_id(&id)?, 0, None)?;
        Ok(outcome(&id, number))
    });
    Ok(respond::json(StatusCode::OK, answer.await?))
}

fn outcome(id: &str, number: u64) -> Vec<u8> {
    let mut out = b"{\"ok\":true,\"id\":".to_vec();
    trunkline_core::json::quote(&format!("_local/{id}"), &mut out);
    out.extend_from_slice(format!(",\"rev\":\"0-{number}\"}}\n").as_bytes());
    out
}

pub(super) fn local_id(id: &str) -> Result<LocalId> {
    LocalId::parse(id).map_err(|_| Error::bad("Invalid _local document id."))
}
