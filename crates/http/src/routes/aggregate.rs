//! `_aggregate`: groups of documents, and what they come to.

mod answer;

use super::find::{plan, within};
use crate::app::App;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::{Moment, Query as Asked, format};
use crate::respond::{self, Chunks, Gone};
use answer::Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_core::limits::AGGREGATE_WAIT_MS;
use trunkline_query::mango::Gathering;
use trunkline_wire::find::{FindRequest, parse_aggregate};
use trunkline_wire::format::Format;

pub(super) async fn aggregate(
    State(app): State<App>,
    Moment(db): Moment,
    asked: Asked,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let format = asked.text("format").map_or(Ok(Format::Json), format)?;
    let turn = turn(&app).await?;
    let parsed = app.search(&db, move || Ok(parse_aggregate(&body)?));
    let request = parsed.await?;
    // Of a moment that was kept before, whoever kept it knows for how long.
    let is_kept = db.pin_number().is_some();
    let named = !request.use_index.is_empty();
    let aggregate = Arc::new(request.aggregate);
    let mut find = FindRequest::new(request.selector);
    find.fields = aggregate
        .fields()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    // Where no field is asked for, an index of any tells enough.
    find.fields.push("_id".to_owned());
    find.use_index = request.use_index;
    find.allow_fallback = request.allow_fallback;
    find.update = request.update;
    find.execution_stats = request.execution_stats;
    let query = plan(&app, &db, within(&asked, find)?).await?;
    let (opening, asking, told) = (app.clone(), db.clone(), aggregate.clone());
    let opened = app.search(&db, move || {
        let gathering = Gathering::new(
            &asking,
            query.index(&opening, &asking)?,
            query.selector.clone(),
            &query.plan,
            told,
            named,
        )?;
        Ok((query, gathering))
    });
    let (query, mut gathering) = opened.await?;
    while !gathering.is_done() {
        let stepped = app.search(&db, move || {
            gathering.step()?;
            Ok(gathering)
        });
        gathering = stepped
            .await
            .map_err(|error| if is_kept { error } else { too_long(error) })?;
    }
    let (skip, limit) = (request.skip, request.limit);
    let share = app.unsent.share_of(&db);
    let finished = app.render_found(&share, &db, move || {
        let stats = gathering.stats();
        let report = gathering.finish(skip, limit);
        let mut answer = Answer::new(query, report, stats, format, turn);
        let mut out = Vec::new();
        answer.open(&mut out);
        answer.chunk(&mut out);
        Ok((answer, out))
    });
    let (answer, mut out) = finished.await?;
    if answer.is_done() {
        answer.close(&mut out);
        return Ok(respond::formatted(respond::json(StatusCode::OK, out), format));
    }
    let (chunks, body) = respond::chunks(share);
    tokio::spawn(async move {
        let _ = finish(&app, answer, out, &chunks).await;
    });
    Ok(respond::formatted(respond::streamed(body), format))
}

/// Waits until no more than a few others gather theirs: each uses all cores, and memory.
async fn turn(app: &App) -> Result<OwnedSemaphorePermit> {
    let turn = app.aggregates.clone().acquire_owned();
    match tokio::time::timeout(Duration::from_millis(AGGREGATE_WAIT_MS), turn).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(Error::Mango(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_aggregates",
            "Other reports take all the room there is for them. Ask again later.".to_owned(),
        )),
    }
}

fn too_long(error: Error) -> Error {
    match error {
        Error::SnapshotEnded => Error::Mango(
            StatusCode::SERVICE_UNAVAILABLE,
            "aggregate_too_long",
            "The report took longer than one moment of the database is kept. Narrow the selector, or create an index."
                .to_owned(),
        ),
        other => other,
    }
}

/// Sends what is left.
async fn finish(app: &App, mut answer: Answer, mut out: Vec<u8>, chunks: &Chunks) -> Result<(), Gone> {
    while !answer.is_done() {
        chunks.send(std::mem::take(&mut out)).await?;
        let step = app.render(chunks, move || {
            answer.chunk(&mut out);
            Ok((answer, out))
        });
        match step.await {
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
