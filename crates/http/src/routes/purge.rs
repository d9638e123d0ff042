//! `_purge` and `_purged_infos`: removing leaves without a trace, and the memory that it was done.

use crate::app::blocking;
use crate::audit::{self, Who};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::{Db, doc_id};
use crate::respond;
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::partition;
use trunkline_wire as wire;

/// Documents and revisions in one request: CouchDB's `max_document_id_number` and `max_revisions_number`.
const DOCUMENTS_MAX: usize = 100;
const REVISIONS_MAX: usize = 1000;

pub(super) async fn purge(Db(db): Db, who: Who, body: JsonBody) -> Result<Response> {
    let asked = wire::revs_diff::parse(&body.0)?;
    if asked.len() > DOCUMENTS_MAX {
        return Err(Error::bad("Exceeded maximum number of documents."));
    }
    if asked.iter().map(|(_, revs)| revs.len()).sum::<usize>() > REVISIONS_MAX {
        return Err(Error::bad("Exceeded maximum number of revisions."));
    }
    let asked = asked
        .into_iter()
        .map(|(id, revs)| Ok((doc_id(&id)?, revs)))
        .collect::<Result<Vec<_>>>()?;
    let name = db.name().clone();
    let ids = audit::listed(asked.iter().map(|(id, _)| id.as_str()));
    let answer = blocking(move || {
        if db.is_partitioned()? {
            let mut ids = asked.iter().map(|(id, _)| id.as_str());
            ids.try_for_each(partition::check)?;
        }
        let removed = db.purge(&asked)?;
        let mut out = Vec::new();
        wire::purge::write(
            &mut out,
            asked
                .iter()
                .zip(&removed)
                .map(|((id, _), revs)| (id.as_str(), revs.as_slice())),
        );
        Ok(out)
    })
    .await?;
    audit::purged(&who, name.as_str(), &ids);
    Ok(respond::json(StatusCode::CREATED, answer))
}

pub(super) async fn infos(Db(db): Db) -> Result<Response> {
    let answer = blocking(move || {
        let infos = db.purged_infos()?;
        let mut out = Vec::new();
        wire::purge::write_infos(
            &mut out,
            infos.iter().map(|(_, id, revs)| (id.as_str(), revs.as_slice())),
        );
        Ok(out)
    })
    .await?;
    Ok(respond::json(StatusCode::OK, answer))
}
