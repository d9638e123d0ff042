//! `_index`: Mango indexes, which are design documents in the language `query`.

use super::document;
use crate::app::{App, blocking};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::{Db, Query, doc_id};
use crate::respond;
use crate::room::Room;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use trunkline_core::attachment::AttachmentEdit;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_query::mango::{Catalog, MangoIndex};
use trunkline_store::{Database, Durability, Leaf, StagedContents};
use trunkline_wire::find as wire;

/// An index as CouchDB shows it; that of all documents, when there is none.
pub(super) fn shown(index: Option<&MangoIndex>) -> Value {
    match index {
        None => json!({
            "ddoc": null,
            "name": "_all_docs",
            "type": "special",
            "def": { "fields": [{ "_id": "asc" }] },
        }),
        Some(index) => json!({
            "ddoc": format!("_design/{}", index.ddoc),
            "name": index.name,
            "type": "json",
            "partitioned": index.design.partitioned,
            "def": serde_json::from_str::<Value>(&index.definition.json()).unwrap_or_default(),
        }),
    }
}

pub(super) async fn list(Db(db): Db, query: Query) -> Result<Response> {
    let wrong = || {
        Error::Mango(
            StatusCode::BAD_REQUEST,
            "invalid_list_index_params",
            "Index parameter ranges: limit > 1, skip > 0".to_owned(),
        )
    };
    let number = |name: &str, default: usize| match query.text(name) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| wrong()),
    };
    let (limit, skip) = (number("limit", usize::MAX)?, number("skip", 0)?);
    if limit == 0 {
        return Err(wrong());
    }
    let catalog = blocking(move || Ok(Catalog::read(&db)?)).await?;
    let all = std::iter::once(shown(None)).chain(catalog.indexes.iter().map(|index| shown(Some(index))));
    let some: Vec<Value> = all.skip(skip).take(limit).collect();
    let answer = json!({ "total_rows": catalog.indexes.len() + 1, "indexes": some });
    Ok(respond::value(StatusCode::OK, &answer))
}

pub(super) async fn create(
    State(app): State<App>,
    Db(db): Db,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let index = app.search(&db, move || Ok(wire::parse_index(&body)?)).await?;
    // The same definition has the same name on every node.
    let named = || {
        let hash = blake3::hash(index.definition.map().as_bytes()).to_hex();
        hash.as_str().chars().take(40).collect::<String>()
    };
    let id = format!("_design/{}", index.ddoc.clone().unwrap_or_else(named));
    let name = index.name.clone().unwrap_or_else(named);
    let before = winner(&db, &id).await?;
    if index.partitioned == Some(true) && !has_partitions(&db).await? {
        let reason = "partitioned option cannot be true in a non-partitioned database.";
        return Err(Error::Design("invalid_design_doc", reason.to_owned()));
    }
    let body = before
        .as_ref()
        .filter(|leaf| !leaf.deleted)
        .map(|leaf| leaf.body.as_str());
    let result = match wire::add_index((&id, body), &name, &index)? {
        None => "exists",
        Some(body) => {
            write(&db, &id, before.as_ref(), Some(Body::from_stored(body))).await?;
            "created"
        }
    };
    let answer = json!({ "result": result, "id": id, "name": name });
    Ok(respond::value(StatusCode::OK, &answer))
}

pub(super) async fn delete(
    Db(db): Db,
    Path((_, ddoc, kind, name)): Path<(String, String, String, String)>,
) -> Result<Response> {
    let ddoc = ddoc.strip_prefix("_design/").unwrap_or(&ddoc);
    if kind != "json" || !remove(&db, ddoc, |index| index.name == name).await? {
        return Err(Error::MISSING);
    }
    Ok(respond::ok(StatusCode::OK))
}

pub(super) async fn bulk_delete(Db(db): Db, JsonBody(body, _room): JsonBody) -> Result<Response> {
    let (mut success, mut fail) = (Vec::new(), Vec::new());
    for ddoc in wire::parse_bulk_delete(&body)? {
        let id = format!("_design/{ddoc}");
        match remove(&db, &ddoc, |_| true).await {
            Ok(true) => success.push(json!({ "id": id, "ok": true })),
            Ok(false) => fail.push(json!({ "id": id, "error": "not_found" })),
            Err(error) => fail.push(json!({ "id": id, "error": error.row().1 })),
        }
    }
    let answer = json!({ "success": success, "fail": fail });
    Ok(respond::value(StatusCode::OK, &answer))
}

/// Takes the only index of a design document that `is_meant` out of it, and deletes what is left empty; whether there was
/// one.
async fn remove(db: &Database, ddoc: &str, is_meant: impl Fn(&MangoIndex) -> bool) -> Result<bool> {
    let id = format!("_design/{ddoc}");
    let Some(leaf) = winner(db, &id).await?.filter(|leaf| !leaf.deleted) else {
        return Ok(false);
    };
    let mut catalog = Catalog::default();
    catalog.add(ddoc, leaf.body.as_str());
    let mut meant = catalog.indexes.into_iter().filter(is_meant);
    let (Some(index), None) = (meant.next(), meant.next()) else {
        return Ok(false);
    };
    let left = wire::remove_index(leaf.body.as_str(), &index.name)?;
    write(db, &id, Some(&leaf), left.map(Body::from_stored)).await?;
    Ok(true)
}

async fn has_partitions(db: &Database) -> Result<bool> {
    let db = db.clone();
    blocking(move || Ok(db.is_partitioned()?)).await
}

async fn winner(db: &Database, id: &str) -> Result<Option<Leaf>> {
    let (db, id) = (db.clone(), id.to_owned());
    blocking(move || Ok(db.get(&id, None)?)).await
}

/// Writes a design document; without a body, deletes it.
async fn write(db: &Database, id: &str, before: Option<&Leaf>, body: Option<Body>) -> Result<()> {
    let live = before.filter(|leaf| !leaf.deleted);
    let kept = live.filter(|_| body.is_some());
    let attachments: Vec<AttachmentEdit> = kept
        .iter()
        .flat_map(|leaf| leaf.attachments.iter().map(crate::edit::keep))
        .collect();
    let edit = Edit::Interactive(InteractiveEdit {
        id: doc_id(id)?,
        parent: live.map(|leaf| leaf.rev.clone()),
        deleted: body.is_none(),
        body: body.unwrap_or_else(Body::empty),
        attachments,
    });
    let none = StagedContents::new(db);
    match document::submit(db, (edit, none), id, Durability::Durable, Room::default()).await {
        Ok(_) => Ok(()),
        Err(Error::Conflict) => Err(Error::Mango(
            StatusCode::INTERNAL_SERVER_ERROR,
            "error_saving_ddoc",
            "Encountered a conflict while saving the design document.".to_owned(),
        )),
        Err(error) => Err(error),
    }
}
