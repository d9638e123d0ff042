//! `_aggregate`: groups of documents, and what they come to.

use super::find::{Query, plan};
use crate::app::App;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond::{self, Chunks, Gone};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_core::aggregate::{Aggregate, Report};
use trunkline_core::json;
use trunkline_core::limits::{AGGREGATE_WAIT_MS, SCAN_CHUNK_BYTES};
use trunkline_query::mango::{Gathering, Stats};
use trunkline_wire::find::{self as wire, FindRequest};

/// Rows on their way to the client, and the turn that they take.
struct Answer {
    query: Query,
    aggregate: Arc<Aggregate>,
    report: Report,
    stats: Stats,
    rows: u64,
    _turn: OwnedSemaphorePermit,
}

pub(super) async fn aggregate(
    State(app): State<App>,
    Db(db): Db,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let request = wire::parse_aggregate(&body)?;
    let turn = turn(&app).await?;
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
    let query = plan(&app, &db, find).await?;
    let (opening, asked) = (app.clone(), aggregate.clone());
    let opened = app.scan(move || {
        let gathering = Gathering::new(
            &db,
            query.index(&opening, &db)?,
            query.selector.clone(),
            &query.plan,
            asked,
            named,
        )?;
        Ok((query, gathering))
    });
    let (query, mut gathering) = opened.await?;
    while !gathering.is_done() {
        let stepped = app.scan(move || {
            gathering.step()?;
            Ok(gathering)
        });
        gathering = stepped.await.map_err(too_long)?;
    }
    let (skip, limit) = (request.skip, request.limit);
    let finished = app.scan(move || {
        let stats = gathering.stats();
        let mut answer = Answer {
            query,
            aggregate,
            report: gathering.finish(skip, limit),
            stats,
            rows: 0,
            _turn: turn,
        };
        let mut out = b"{\"rows\":[".to_vec();
        answer.chunk(&mut out);
        Ok((answer, out))
    });
    let (answer, mut out) = finished.await?;
    if answer.is_done() {
        answer.close(&mut out);
        return Ok(respond::json(StatusCode::OK, out));
    }
    let (chunks, body) = respond::chunks();
    tokio::spawn(async move {
        let _ = finish(&app, answer, out, &chunks).await;
    });
    Ok(respond::streamed(body))
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
        let step = app.scan(move || {
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

impl Answer {
    fn is_done(&self) -> bool {
        self.report.len() == 0
    }

    fn chunk(&mut self, out: &mut Vec<u8>) {
        while out.len() < SCAN_CHUNK_BYTES
            && let Some(row) = self.report.next()
        {
            out.extend_from_slice(if self.rows == 0 { b"\r\n" } else { b",\r\n" });
            wire::write_row(self.aggregate.columns(), &row, out);
            self.rows += 1;
        }
    }

    fn close(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n]");
        self.query.write_stats(self.stats, self.rows, out);
        if !self.query.plan.warnings.is_empty() {
            out.extend_from_slice(b",\r\n\"warning\": ");
            json::quote(&self.query.plan.warnings.join("\n"), out);
        }
        // Writing to a Vec cannot fail.
        let _ = out.write_all(b"}\r\n");
    }
}
