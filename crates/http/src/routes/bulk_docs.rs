//! `_bulk_docs`: many edits in one request, each with its own outcome; or with `all_or_nothing`, one for all.

use super::uuids::new_id;
use crate::app::{App, blocking, update};
use crate::body::JsonBody;
use crate::edit;
use crate::error::{Error, Result};
use crate::request::{Db, Query};
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::doc::Edit;
use trunkline_core::rev::Rev;
use trunkline_store::{Batch, Database, Outcome};
use trunkline_wire::bulk_docs::{Request, parse, write_error, write_ok};

/// A document's id, and its revision as the client gave it.
type Named = (String, Option<Rev>);

pub(super) async fn write(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let durability = edit::WriteOptions::parse(&query).durability;
    let (names, edits, new_edits, atomic) = {
        let db = db.clone();
        blocking(move || {
            let request = parse(&body)?;
            drop(body);
            let (new_edits, atomic) = (request.new_edits, request.atomic);
            let (names, edits) = prepare(&app, &db, request)?;
            Ok((names, edits, new_edits, atomic))
        })
        .await?
    };
    let outcomes = if edits.is_empty() {
        Vec::new()
    } else {
        update(
            &db,
            Batch {
                edits,
                durability,
                atomic,
            },
        )
        .await?
    };
    // CouchDB's status for an aborted `all_or_nothing`.
    let aborted = atomic && outcomes.iter().any(Result::is_err);
    let status = if aborted {
        StatusCode::EXPECTATION_FAILED
    } else {
        StatusCode::CREATED
    };
    let text = blocking(move || Ok(answer(&names, outcomes, new_edits)));
    Ok(respond::json(status, text.await?))
}

/// The edits asked for. As in CouchDB, one document that cannot be an edit fails the request, and nothing is written.
fn prepare(app: &App, db: &Database, request: Request) -> Result<(Vec<Named>, Vec<Edit>)> {
    let mut names = Vec::with_capacity(request.docs.len());
    let mut edits = Vec::with_capacity(request.docs.len());
    for doc in request.docs {
        let mut doc = doc?;
        let id = doc.id.take().filter(|id| !id.is_empty()).unwrap_or_else(new_id);
        let rev = doc.rev.clone();
        edits.push(edit::build_blocking(app, db, &id, doc, request.new_edits)?);
        names.push((id, rev));
    }
    Ok((names, edits))
}

fn answer(names: &[Named], outcomes: Vec<Outcome>, new_edits: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(names.len() * 96 + 3);
    out.push(b'[');
    for ((id, rev), outcome) in names.iter().zip(outcomes) {
        if !new_edits && outcome.is_ok() {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        match outcome {
            Ok(written) => write_ok(&mut out, id, &written.rev),
            Err(refused) => {
                let error = Error::refused(refused, id);
                let (_, word, reason) = error.row();
                write_error(&mut out, id, rev.as_ref().filter(|_| !new_edits), word, &reason);
            }
        }
    }
    out.extend_from_slice(b"]\n");
    out
}
