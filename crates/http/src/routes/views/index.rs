//! What there is to know of the index of a design document's views, and what there is to do about it.

use crate::app::{App, blocking};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::{Db, Target};
use crate::respond;
use crate::views::{compact as rebuild, open};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use trunkline_core::collate::SORT_KEY_VERSION;
use trunkline_query::Opened;
use trunkline_query::design::Design;
use trunkline_store::Database;
use trunkline_wire::design_doc::{self, Language};

/// `_design/x/_info`
pub(in crate::routes) async fn info(State(app): State<App>, target: Target) -> Result<Response> {
    let crate::request::DocPath::Doc(id) = target.path else {
        return Err(Error::MISSING);
    };
    // How much is in it, and how much is to come, is told of all documents together.
    if !target.db.is_whole() {
        return Err(trunkline_store::Error::NotWhole.into());
    }
    let opened = open(&app, &target.db, id).await?;
    let asking = app.clone();
    let answer = app.scan(move || described(&asking, &opened)).await?;
    Ok(respond::value(StatusCode::OK, &answer))
}

fn described(app: &App, opened: &Opened) -> Result<Value> {
    let index = &opened.index;
    let state = index.state()?.unwrap_or_default();
    let line = app.views.line(index);
    let pass = line.pass();
    let compacts = pass.as_ref().is_some_and(|pass| pass.compacts);
    let pending = index.database().count_changes(state.seq)?;
    let rows_bytes = index.rows_bytes()?;
    let language = match &opened.design.language {
        Language::JavaScript => "javascript",
        Language::Query => "query",
        Language::Other(name) => name,
    };
    Ok(json!({
        "name": opened.id.trim_start_matches("_design/"),
        "view_index": {
            "signature": opened.design.signature.to_string(),
            "language": language,
            "sizes": { "file": index.file_bytes(), "external": rows_bytes, "active": rows_bytes },
            "updater_running": pass.is_some() && !compacts,
            "waiting_clients": line.waiting(),
            "waiting_commit": false,
            "compact_running": compacts,
            "update_seq": state.seq,
            "purge_seq": state.purge_seq,
            "updates_pending": { "minimum": pending, "preferred": pending, "total": pending },
            "collator_versions": [SORT_KEY_VERSION.to_string()],
        },
    }))
}

/// `_view_cleanup`: deletes the files of indexes that no design document makes any more.
pub(in crate::routes) async fn clean(State(app): State<App>, Db(db): Db) -> Result<Response> {
    blocking(move || {
        let live = live(&app, &db)?;
        let deleted = app.views.indexes.clean(&db, &live)?;
        tracing::info!(
            database = db.name().as_str(),
            deleted,
            "index files were cleaned up"
        );
        Ok(())
    })
    .await?;
    Ok(respond::ok(StatusCode::ACCEPTED))
}

fn live(app: &App, db: &Database) -> Result<Vec<(String, Design)>> {
    let mut live = Vec::new();
    for id in app.views.indexes.designs(db)? {
        let Some(leaf) = db.get(&id, None)? else { continue };
        // What cannot be read makes no index.
        if let Ok(document) = design_doc::parse(leaf.body.as_str()) {
            live.push((id, Design::of(db, &document)?));
        }
    }
    Ok(live)
}

/// `_compact/x`: builds the index anew beside the old one, which answers meanwhile.
pub(in crate::routes) async fn compact(
    State(app): State<App>,
    Db(db): Db,
    Path((_, design)): Path<(String, String)>,
    _: JsonBody,
) -> Result<Response> {
    let opened = open(&app, &db, format!("_design/{design}")).await?;
    tokio::spawn(async move {
        let opened: Arc<Opened> = opened;
        if let Err(error) = rebuild(&app, &opened).await {
            tracing::warn!(?error, design = opened.id, "compacting an index failed");
        }
    });
    Ok(respond::ok(StatusCode::ACCEPTED))
}
