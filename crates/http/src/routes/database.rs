//! `/{db}`: making, describing and deleting a database, and adding a document to it.

use super::uuids::new_id;
use super::{document, local};
use crate::app::{App, blocking};
use crate::audit::{self, Who};
use crate::body::JsonBody;
use crate::edit;
use crate::error::{Error, Result};
use crate::request::{Db, DocPath, Moment, Query, captures, location};
use crate::respond;
use crate::tasks::Compaction;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use trunkline_core::Seq;
use trunkline_core::db_name::DbName;
use trunkline_core::limits::DB_NAME_BYTES_MAX;
use trunkline_store::{Database, DatabaseOptions, Info};
use trunkline_wire as wire;

/// The name in the path, whether or not such a database can be.
pub(super) struct Name(String);

impl FromRequestParts<App> for Name {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Name> {
        let captures = captures(parts).await?;
        let (_, name) = captures.iter().next().unwrap_or_default();
        Ok(Name(name.to_owned()))
    }
}

pub(super) async fn create(
    State(app): State<App>,
    Name(name): Name,
    who: Who,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    let partitioned = match query.text("partitioned") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::bad("Invalid `partitioned` parameter")),
    };
    if name.len() > DB_NAME_BYTES_MAX {
        return Err(Error::DatabaseNameTooLong(name));
    }
    let parsed = DbName::parse(&name).map_err(|_| Error::IllegalDatabaseName(name.clone()))?;
    blocking(move || Ok(app.store.create_with(&parsed, DatabaseOptions { partitioned })?)).await?;
    audit::changed(&who, "database made", &name);
    let mut response = respond::ok(StatusCode::CREATED);
    if let Some(location) = location(&headers, &[&name]) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn show(State(app): State<App>, Moment(db): Moment) -> Result<Response> {
    let compacting = Compaction::runs(&app, db.name().as_str());
    let mut info = blocking(move || info(&db)).await?;
    if let (true, Some(member)) = (compacting, info.get_mut("compact_running")) {
        *member = true.into();
    }
    Ok(respond::value(StatusCode::OK, &info))
}

/// What `GET /{db}` says.
pub(super) fn info(db: &Database) -> Result<Value> {
    let info = db.info()?;
    let props = match db.is_partitioned()? {
        true => json!({ "partitioned": true }),
        false => json!({}),
    };
    let mut told = json!({
        "instance_start_time": instance_start_time(&info),
        "db_name": db.name().as_str(),
        "purge_seq": seq_text(info.purge_seq, &info.uuid),
        "update_seq": seq_text(info.update_seq, &info.uuid),
        "sizes": { "file": info.file_bytes, "external": info.external_bytes, "active": info.active_bytes },
        "props": props,
        "doc_del_count": info.doc_del_count,
        "doc_count": info.doc_count,
        "disk_format_version": 8,
        "compact_running": false,
        "cluster": { "q": 1, "n": 1, "w": 1, "r": 1 },
    });
    if let (false, Some(members)) = (db.is_whole(), told.as_object_mut()) {
        // Of others' documents as well.
        for member in ["sizes", "doc_del_count", "doc_count"] {
            members.remove(member);
        }
    }
    let bounds = db.asker().and_then(|asker| asker.own_locals.as_deref());
    let bounds = bounds.filter(|bounds| !bounds.is_empty());
    if let (Some(bounds), Some(members)) = (bounds, told.as_object_mut()) {
        // Under other bounds, a replication is another one, and begins anew.
        members.insert("bounds".to_owned(), bounds.into());
    }
    Ok(told)
}

/// A seq as it stands in a value.
pub(super) fn seq_text(seq: Seq, uuid: &str) -> String {
    wire::seq::json(seq, wire::seq::suffix(uuid))
        .trim_matches('"')
        .to_owned()
}

/// Tells one incarnation of a database from the next: replicators compare it for equality.
pub(super) fn instance_start_time(info: &Info) -> String {
    info.created_ms.to_string()
}

pub(super) async fn delete(
    State(app): State<App>,
    Name(name): Name,
    who: Who,
    query: Query,
) -> Result<Response> {
    if query.text("rev").is_some() {
        return Err(Error::bad(
            "You tried to DELETE a database with a ?=rev parameter. Did you mean to DELETE a document instead?",
        ));
    }
    let parsed = DbName::parse(&name).map_err(|_| Error::DatabaseMissing)?;
    blocking(move || Ok(app.store.delete(&parsed)?)).await?;
    audit::changed(&who, "database deleted", &name);
    Ok(respond::ok(StatusCode::OK))
}

pub(super) async fn add_document(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    headers: HeaderMap,
    JsonBody(body, room): JsonBody,
) -> Result<Response> {
    let mut doc = wire::document::parse(&body)?;
    let id = doc.id.take().unwrap_or_else(new_id);
    if let DocPath::Local(id) = DocPath::new(id.clone()) {
        return local::write(db, id, body).await;
    }
    let options = edit::WriteOptions::parse(&query);
    let edit = edit::build(&app, &db, &id, doc, true).await?;
    let outcome = document::submit(&db, edit, &id, options.durability, room).await?;
    let mut response = document::written(&id, &outcome, false, options.durability);
    response.headers_mut().remove(header::ETAG);
    if let Some(location) = location(&headers, &[db.name().as_str(), &id]) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
