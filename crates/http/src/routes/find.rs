//! `_find`, `_explain` and `_count`: documents by what they say.

mod answer;
mod explain;
mod query;

pub(super) use explain::explain;
pub(super) use query::within;

use crate::app::App;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::filters::settle;
use crate::request::{Moment, Query as Asked, format};
use crate::respond::{self, Chunks, Gone};
use answer::Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
pub(super) use query::Query;
use serde_json::json;
use trunkline_core::limits::{PLANS_MAX, SCAN_CHUNK_BYTES};
use trunkline_store::Database;
use trunkline_wire::find::{self as wire, FindRequest};
use trunkline_wire::format::Format;

pub(super) async fn find(
    State(app): State<App>,
    Moment(db): Moment,
    asked: Asked,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let format = asked.text("format").map_or(Ok(Format::Json), format)?;
    let mut room = app.filters.take(&body, false).await?;
    let parsed = app.search(&db, move || {
        let request = match format {
            Format::Json => wire::parse(&body)?,
            Format::Ndjson | Format::Csv => wire::parse_export(&body)?,
        };
        within(&asked, request)
    });
    let mut query = plan(&app, &db, parsed.await?).await?;
    settle(&mut room, query.selector.pattern_bytes(), 0, false);
    query.room = room;
    let (opening, asking) = (app.clone(), db.clone());
    let share = app.unsent.share_of(&db);
    let opened = app.render_found(&share, &db, move || {
        let search = query.search(&opening, &asking)?;
        let mut out = Vec::with_capacity(1024);
        let mut answer = Answer::open(query, search, format, &mut out)?;
        answer.chunk(&mut out)?;
        Ok((answer, out))
    });
    let (mut answer, mut out) = opened.await?;
    if answer.is_done() {
        answer.close(&mut out);
        return Ok(respond::formatted(respond::json(StatusCode::OK, out), format));
    }
    // What was found decides what is sent first: an error before that is an error of the whole.
    while !answer.is_done() && out.len() < SCAN_CHUNK_BYTES / 2 {
        (answer, out) = step(&app, &share, &db, answer, out).await?;
    }
    if answer.is_done() {
        answer.close(&mut out);
        return Ok(respond::formatted(respond::json(StatusCode::OK, out), format));
    }
    let (chunks, body) = respond::chunks(share);
    tokio::spawn(async move {
        let _ = finish(&app, &db, answer, out, &chunks).await;
    });
    Ok(respond::formatted(respond::streamed(body), format))
}

/// Chooses an index, and has it brought up to date.
pub(super) async fn plan(app: &App, db: &Database, request: FindRequest) -> Result<Query> {
    for _ in 0..PLANS_MAX {
        let (planning, planned, asked) = (app.clone(), db.clone(), request.clone());
        let query = app.search(db, move || {
            let query = Query::new(&planning, &planned, asked)?;
            let is_ready = query.is_ready(&planning, &planned)?;
            Ok((query, is_ready))
        });
        let (query, is_ready) = query.await?;
        if is_ready || query.refresh(app, db).await? {
            return Ok(query);
        }
    }
    Err(Error::Mango(
        StatusCode::SERVICE_UNAVAILABLE,
        "index_changed",
        "The design document of the index changed each time that it was chosen. Ask again.".to_owned(),
    ))
}

/// Sends what is left.
async fn finish(
    app: &App,
    db: &Database,
    mut answer: Answer,
    mut out: Vec<u8>,
    chunks: &Chunks,
) -> Result<(), Gone> {
    while !answer.is_done() {
        // What is empty is not sent, and yet it is known then whether anyone still waits.
        let full = out.len() >= SCAN_CHUNK_BYTES / 2;
        let ready = if full {
            std::mem::take(&mut out)
        } else {
            Vec::new()
        };
        chunks.send(ready).await?;
        match step(app, chunks, db, answer, out).await {
            Ok(stepped) => (answer, out) = stepped,
            Err(error) => {
                chunks.fail(error).await;
                return Err(Gone);
            }
        }
    }
    answer.close(&mut out);
    chunks.send(out).await
}

async fn step(
    app: &App,
    of: impl Into<respond::Answer<'_>>,
    db: &Database,
    mut answer: Answer,
    mut out: Vec<u8>,
) -> Result<(Answer, Vec<u8>)> {
    app.render_found(of, db, move || {
        answer.chunk(&mut out)?;
        Ok((answer, out))
    })
    .await
}

pub(super) async fn count(
    State(app): State<App>,
    Moment(db): Moment,
    asked: Asked,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let mut room = app.filters.take(&body, false).await?;
    let parsed = app.search(&db, move || {
        within(&asked, Query::count(wire::parse_count(&body)?))
    });
    let query = plan(&app, &db, parsed.await?).await?;
    settle(&mut room, query.selector.pattern_bytes(), 0, false);
    let (opening, asking) = (app.clone(), db.clone());
    let mut search = app.search(&db, move || query.search(&opening, &asking)).await?;
    while !search.is_done() {
        let chunk = app.search(&db, move || {
            search.chunk(&mut |_| {})?;
            Ok(search)
        });
        search = chunk.await?;
    }
    let count = search.stats().results;
    Ok(respond::value(StatusCode::OK, &json!({ "count": count })))
}
