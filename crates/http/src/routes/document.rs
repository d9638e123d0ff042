//! One document: reading, writing, deleting and copying it.

mod form;
mod open_revs;
mod read;
mod stream;

pub(super) use form::submit_form;
pub(super) use read::{read, readable};
pub(super) use stream::{item, json as part_json, random, sent};

use super::local;
use crate::app::{App, blocking, update};
use crate::edit::{self, WriteOptions};
use crate::error::{Error, Result, rev};
use crate::request::{DocPath, Query, Target, doc_id, header_text, header_value, if_match, location};
use crate::room::Room;
use crate::{body, respond, upload};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::InvalidDocId;
use trunkline_core::rev::Rev;
use trunkline_store::{Batch, Database, Durability, Leaf, StagedContents, Written};
use trunkline_wire as wire;

pub(super) async fn write(
    State(app): State<App>,
    target: Target,
    query: Query,
    request: Request,
) -> Result<Response> {
    let Target { db, path, .. } = target;
    let id = match path {
        DocPath::Local(id) => {
            let (text, _room) = body::read(request, &app).await?;
            return local::write(db, id, text).await;
        }
        DocPath::Doc(id) => id,
    };
    doc_id(&id)?;
    let options = WriteOptions::parse(&query);
    let location = location(request.headers(), &[db.name().as_str(), &id]);
    let header_rev = if_match(request.headers())?;
    let query_rev = query.text("rev").map(rev).transpose()?;

    let is_related = header_text(request.headers(), header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/related"));
    let (mut doc, attachments, room) = if is_related {
        let (doc, attachments, room) =
            upload::receive_related(&app, &db, (&id, options.interactive), request).await?;
        (doc, Some(attachments), room)
    } else {
        let (text, room) = body::read(request, &app).await?;
        (wire::document::parse(&text)?, None, room)
    };
    doc.rev = settle_rev(doc.rev, query_rev, header_rev)?;
    let deleted = doc.deleted;
    let (edit, staged) = match attachments {
        Some((attachments, staged)) => {
            let edit = edit::build_staged(&app, &db, &id, doc, attachments, options.interactive);
            (edit.await?, staged)
        }
        None => edit::build(&app, &db, &id, doc, options.interactive).await?,
    };
    let outcome = submit(&db, (edit, staged), &id, options.durability, room).await?;
    let mut response = written(&id, &outcome, deleted, options.durability);
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The revision to replace: where body, query and `If-Match` name several, they must agree.
fn settle_rev(in_body: Option<Rev>, in_query: Option<Rev>, in_header: Option<Rev>) -> Result<Option<Rev>> {
    if in_body.is_some() && in_query.is_some() && in_body != in_query {
        return Err(Error::bad(
            "Document rev from request body and query string have different values",
        ));
    }
    let explicit = in_body.or(in_query);
    if explicit.is_some() && in_header.is_some() && explicit != in_header {
        return Err(Error::bad("Document rev and etag have different values"));
    }
    Ok(explicit.or(in_header))
}

/// One edit through the door, with what holds its staged contents and the room that its request takes.
pub(super) async fn submit(
    db: &Database,
    (edit, staged): (Edit, StagedContents),
    id: &str,
    durability: Durability,
    room: Room,
) -> Result<Written> {
    staged.taken_by([&edit]);
    let outcomes = update(
        db,
        Batch {
            edits: vec![edit],
            durability,
            atomic: false,
            ..Batch::default()
        },
        room,
    )
    .await?;
    match outcomes.into_iter().next() {
        Some(Ok(written)) => Ok(written),
        Some(Err(refused)) => Err(Error::refused(refused, id)),
        None => Err(Error::Internal("an edit without outcome".to_owned())),
    }
}

/// The answer to an edit that was taken.
pub(super) fn written(id: &str, written: &Written, deleted: bool, durability: Durability) -> Response {
    let mut out = Vec::with_capacity(64 + id.len());
    if durability == Durability::Relaxed {
        // As in CouchDB, an answer to `batch=ok` names no revision.
        out.extend_from_slice(b"{\"ok\":true,\"id\":");
        trunkline_core::json::quote(id, &mut out);
        out.extend_from_slice(b"}\n");
        return respond::json(StatusCode::ACCEPTED, out);
    }
    wire::bulk_docs::write_ok(&mut out, id, &written.rev);
    out.push(b'\n');
    let mut response = respond::json(
        if deleted {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        },
        out,
    );
    if let Some(etag) = header_value(&etag(&written.rev)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// The tag of a document's revision.
pub(super) fn etag(rev: &Rev) -> String {
    format!("\"{rev}\"")
}

pub(super) async fn delete(target: Target, query: Query, headers: HeaderMap) -> Result<Response> {
    let Target { db, path, .. } = target;
    let id = match path {
        DocPath::Local(id) => return local::delete(db, id, &query).await,
        DocPath::Doc(id) => id,
    };
    let query_rev = query.text("rev").map(rev).transpose()?;
    let parent = settle_rev(None, query_rev, if_match(&headers)?)?;
    let durability = WriteOptions::parse(&query).durability;
    // Without a parent the edit would make a tombstone of a document that never was.
    if parent.is_none() {
        leaf(&db, &id, None).await?;
    }
    let edit = Edit::Interactive(InteractiveEdit {
        id: doc_id(&id)?,
        parent,
        deleted: true,
        body: Body::empty(),
        attachments: Vec::new(),
    });
    let none = StagedContents::new(&db);
    match submit(&db, (edit, none), &id, durability, Room::default()).await {
        Ok(outcome) => Ok(written(&id, &outcome, true, durability)),
        Err(Error::Conflict) => {
            leaf(&db, &id, None).await?;
            Err(Error::Conflict)
        }
        Err(error) => Err(error),
    }
}

/// A leaf: the winner, unless it is deleted, or the one named.
pub(super) async fn leaf(db: &Database, id: &str, rev: Option<Rev>) -> Result<Leaf> {
    let (db, id) = (db.clone(), id.to_owned());
    blocking(move || match db.get(&id, rev.as_ref())? {
        None => Err(not_there(&db, &id)?),
        Some(leaf) if leaf.deleted && rev.is_none() => Err(Error::DELETED),
        Some(leaf) => Ok(leaf),
    })
    .await
}

/// Why a document is not there. Blocks.
pub(super) fn not_there(db: &Database, id: &str) -> Result<Error> {
    let unpartitioned = !id.starts_with('_') && !id.contains(':');
    match unpartitioned && db.is_partitioned()? {
        true => Ok(Error::IllegalDocId(InvalidDocId::Unpartitioned)),
        false => Ok(Error::MISSING),
    }
}

/// COPY, and every method that a document does not have.
pub(super) async fn copy(target: Target, query: Query, request: Request) -> Result<Response> {
    if request.method().as_str() != "COPY" {
        return Err(Error::MethodNotAllowed(
            "COPY,DELETE,GET,HEAD,POST,PUT".to_owned(),
        ));
    }
    let Target { db, path, .. } = target;
    let DocPath::Doc(source) = path else {
        return Err(Error::bad("_local documents cannot be copied."));
    };
    let headers = request.headers();
    let source_rev = settle_rev(None, query.text("rev").map(rev).transpose()?, if_match(headers)?)?;
    let (id, parent) = destination(headers)?;
    let leaf = leaf(&db, &source, source_rev).await?;
    edit::check(&db, &id, &leaf.body, leaf.deleted).await?;
    let mut staged = StagedContents::new(&db);
    let mut attachments = Vec::with_capacity(leaf.attachments.len());
    for attachment in &leaf.attachments {
        // Who does not see all names no content that only another document has.
        let source = match db.is_whole() {
            true => AttachmentSource::Named(attachment.content.clone()),
            false => edit::stage_again(&attachment.content, &mut staged).await?,
        };
        attachments.push(AttachmentEdit {
            name: attachment.name.clone(),
            content_type: Some(attachment.content_type.clone()),
            revpos: None,
            source,
        });
    }
    let edit = Edit::Interactive(InteractiveEdit {
        id: doc_id(&id)?,
        parent,
        deleted: leaf.deleted,
        body: leaf.body.clone(),
        attachments,
    });
    let outcome = submit(&db, (edit, staged), &id, Durability::Durable, Room::default()).await?;
    let mut response = written(&id, &outcome, false, Durability::Durable);
    if let Some(location) = location(headers, &[db.name().as_str(), &id]) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The `Destination` of a copy: a document id, and with `?rev=` the revision it replaces.
fn destination(headers: &HeaderMap) -> Result<(String, Option<Rev>)> {
    let name = HeaderName::from_static("destination");
    let text = header_text(headers, name).ok_or(Error::bad("Destination header is mandatory for COPY."))?;
    if text.contains("://") {
        return Err(Error::bad("Destination URL must be relative."));
    }
    let (id, query) = text.split_once('?').unwrap_or((text, ""));
    let id = percent_encoding::percent_decode_str(id)
        .decode_utf8()
        .map_err(|_| Error::bad("invalid UTF-8 in the Destination header"))?;
    Ok((
        id.into_owned(),
        Query::parse(query)?.text("rev").map(rev).transpose()?,
    ))
}
