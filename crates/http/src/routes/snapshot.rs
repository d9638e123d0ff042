//! `_snapshot`: one moment of a database, for several questions whose answers are to agree.

use super::database::seq_text;
use crate::app::{App, blocking};
use crate::auth::{User, users_db};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond;
use crate::snapshots::{Kept, Whose, end_in_time};
use crate::views::{open, refresh};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;
use trunkline_core::limits::{SNAPSHOT_AGE_MAX_MS, SNAPSHOT_SECONDS_DEFAULT};
use trunkline_query::Opened;
use trunkline_store::Database;
use trunkline_wire::snapshot_request as wire;

const NOT_OF_USERS: &str = "Snapshots of this database are for its administrators.";

pub(super) async fn make(
    State(app): State<App>,
    Db(db): Db,
    Extension(user): Extension<Arc<User>>,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    // For one document nobody needs a moment of all.
    if users_db::is(&db) && !db.is_whole() {
        return Err(Error::Forbidden(NOT_OF_USERS.to_owned()));
    }
    let asked = wire::parse(&body)?;
    let seconds = asked.expires_in.unwrap_or(SNAPSHOT_SECONDS_DEFAULT);
    if seconds > SNAPSHOT_AGE_MAX_MS / 1000 {
        let most = SNAPSHOT_AGE_MAX_MS / 1000;
        return Err(Error::bad(format!(
            "A snapshot is kept for at most {most} seconds."
        )));
    }
    let opened = indexes(&app, &db, asked.designs).await?;
    // Waited for as views wait; what comes after that is little, and is done while others are held up.
    for opened in &opened {
        refresh(&app, opened).await?;
    }
    let making = app.clone();
    let designs = opened.iter().map(|opened| opened.design.clone()).collect();
    let runtime = Handle::current();
    let made = blocking(move || {
        let (snapshots, indexes) = (&making.snapshots, &making.views.indexes);
        let counted = db.is_whole();
        let (token, kept) = snapshots.make(indexes, &db, designs, (Whose::of(&user), seconds))?;
        // Here, since the client may be gone, and nobody waits for this.
        runtime.spawn(end_in_time(making.clone(), token.clone(), kept.clone()));
        Ok((token, kept, counted))
    });
    let (token, kept, counted) = made.await?;
    let shown = blocking(move || shown(&token, &kept, counted)).await?;
    Ok(respond::value(StatusCode::CREATED, &shown))
}

/// The indexes of the design documents asked for. Of all, those that cannot be opened are left out: they answer nothing.
async fn indexes(app: &App, db: &Database, asked: Option<Vec<String>>) -> Result<Vec<Arc<Opened>>> {
    let all = asked.is_none();
    let ids = match asked {
        Some(ids) => ids,
        None => {
            let (asking, db) = (app.clone(), db.clone());
            app.scan(move || Ok(asking.views.indexes.designs(&db)?)).await?
        }
    };
    let mut found = Vec::new();
    for id in ids {
        match open(app, db, id).await {
            Ok(opened) if opened.design.maps.is_empty() => {}
            Ok(opened) => found.push(opened),
            Err(_) if all => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

pub(super) async fn show(
    State(app): State<App>,
    Db(db): Db,
    Path((_, token)): Path<(String, String)>,
) -> Result<Response> {
    let kept = app.snapshots.find(db.name(), &token)?;
    let shown = blocking(move || shown(&token, &kept, db.is_whole())).await?;
    Ok(respond::value(StatusCode::OK, &shown))
}

/// `counted`: how many documents there are is told to one who sees them all.
fn shown(token: &str, kept: &Kept, counted: bool) -> Result<Value> {
    let info = kept.db.whole().info()?;
    let mut told = json!({
        "snapshot": token,
        "update_seq": seq_text(info.update_seq, &info.uuid),
        "expires_in": kept.seconds(),
    });
    if let (true, Some(members)) = (counted, told.as_object_mut()) {
        members.insert("doc_count".to_owned(), info.doc_count.into());
    }
    Ok(told)
}

pub(super) async fn end(
    State(app): State<App>,
    Db(db): Db,
    Path((_, token)): Path<(String, String)>,
) -> Result<Response> {
    app.snapshots.find(db.name(), &token)?;
    app.snapshots.end(&app.views.indexes, &token);
    Ok(respond::ok(StatusCode::OK))
}
