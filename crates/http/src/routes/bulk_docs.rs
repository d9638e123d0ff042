//! `_bulk_docs`: many edits in one request, each with its own outcome; or with `all_or_nothing`, one for all.

use super::local::{self, local_id};
use super::uuids::new_id;
use crate::app::{App, blocking, update};
use crate::auth::users_db;
use crate::body::JsonBody;
use crate::edit;
use crate::error::{Error, Result};
use crate::request::{Db, DocPath, Query, doc_id};
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::doc::{Body, Edit};
use trunkline_core::doc_id::LocalId;
use trunkline_core::partition;
use trunkline_core::rev::Rev;
use trunkline_store::{Batch, Database, Outcome, StagedContents, Written};
use trunkline_wire::bulk_docs::{Request, parse, write_error, write_ok};
use trunkline_wire::document::IncomingDoc;
use trunkline_wire::local_doc;

/// A document's id, and its revision as the client gave it.
type Named = (String, Option<Rev>);

pub(super) async fn write(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    JsonBody(body, room): JsonBody,
) -> Result<Response> {
    let durability = edit::WriteOptions::parse(&query).durability;
    let (asked, new_edits, atomic) = {
        let db = db.clone();
        blocking(move || {
            let request = parse(&body)?;
            drop(body);
            let (new_edits, atomic) = (request.new_edits, request.atomic);
            let mut staged = StagedContents::new(&db);
            let asked = prepare(&app, &mut staged, request)?;
            Ok(((asked, staged), new_edits, atomic))
        })
        .await?
    };
    let (Asked { names, edits, locals }, staged) = asked;
    staged.taken_by(&edits);
    let outcomes = if edits.is_empty() {
        Vec::new()
    } else {
        update(
            &db,
            Batch {
                edits,
                durability,
                atomic,
                ..Batch::default()
            },
            room,
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
    let text = blocking(move || {
        let outcomes = with_locals(&db, outcomes, locals)?;
        Ok(answer(&names, outcomes, new_edits))
    });
    Ok(respond::json(status, text.await?))
}

/// A request taken apart.
#[derive(Default)]
struct Asked {
    /// Of every document, in order.
    names: Vec<Named>,
    edits: Vec<Edit>,
    /// Local documents, which know no conflicts: each with its place among the others.
    locals: Vec<(usize, LocalEdit)>,
}

struct LocalEdit {
    id: LocalId,
    number: u64,
    /// `None` to delete it.
    body: Option<Body>,
}

/// The edits asked for, whose contents `staged` holds. As in CouchDB, one document that cannot be an edit fails the request, and nothing is written.
fn prepare(app: &App, staged: &mut StagedContents, request: Request) -> Result<Asked> {
    let mut asked = Asked::default();
    asked.names.reserve(request.docs.len());
    asked.edits.reserve(request.docs.len());
    let partitioned = staged.database().is_partitioned()?;
    users_db::count(staged.database(), request.docs.iter().flatten())?;
    for doc in request.docs {
        let mut doc = doc?;
        let id = doc.id.take().unwrap_or_else(new_id);
        let rev = doc.rev.clone();
        match DocPath::new(id) {
            DocPath::Local(_) if request.atomic => {
                return Err(Error::bad("`all_or_nothing` takes no _local documents."));
            }
            DocPath::Local(local) => {
                asked.locals.push((asked.names.len(), local_edit(&local, doc)?));
                asked.names.push((format!("_local/{local}"), rev));
            }
            DocPath::Doc(id) => {
                if partitioned {
                    partition::check(doc_id(&id)?.as_str())?;
                }
                asked
                    .edits
                    .push(edit::build_blocking(app, staged, &id, doc, request.new_edits)?);
                asked.names.push((id, rev));
            }
        }
    }
    Ok(asked)
}

fn local_edit(id: &str, doc: IncomingDoc) -> Result<LocalEdit> {
    let number = doc
        .rev
        .map(|rev| local_doc::parse_rev(&rev.to_string()))
        .transpose()?;
    Ok(LocalEdit {
        id: local_id(id)?,
        number: number.unwrap_or(0),
        body: (!doc.deleted).then_some(doc.body),
    })
}

/// Writes the local documents, and puts what came of them between the other outcomes.
fn with_locals(
    db: &Database,
    mut outcomes: Vec<Outcome>,
    locals: Vec<(usize, LocalEdit)>,
) -> Result<Vec<Outcome>> {
    for (place, LocalEdit { id, number, body }) in locals {
        let number = db.put_local(&id, number, body.as_ref().map(Body::as_str))?;
        let written = Written {
            rev: local::rev(number),
            seq: 0,
        };
        outcomes.insert(place.min(outcomes.len()), Ok(written));
    }
    Ok(outcomes)
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
