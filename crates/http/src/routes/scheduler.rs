//! `_scheduler`: the replications of this node, those of its `_replicator` documents, and what did not get through.

use crate::app::{App, blocking};
use crate::body::Whole;
use crate::error::{Error, Result};
use crate::request::Query;
use crate::{jobs, respond};
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::{Map, Value, json};
use trunkline_core::db_name::DbName;
use trunkline_replicate::{Became, JobState, PeerErrorKind, Retried};
use trunkline_store as store;

/// Jobs in an answer that was not asked for more: CouchDB's number.
const LIMIT_DEFAULT: usize = 100;

pub(super) async fn jobs(State(app): State<App>, query: Query) -> Result<Response> {
    let (skip, limit) = (number(&query, "skip")?, number(&query, "limit")?);
    let mut all = app.replications.jobs();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let offset = skip.unwrap_or(0).min(all.len());
    let shown = all.iter().skip(offset).take(limit.unwrap_or(LIMIT_DEFAULT));
    let shown: Vec<Value> = shown.map(jobs::job).collect();
    let answer = json!({ "total_rows": all.len(), "offset": offset, "jobs": shown });
    Ok(respond::value(StatusCode::OK, &answer))
}

pub(super) async fn job(State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let job = app.replications.job(&id).ok_or(Error::MISSING)?;
    Ok(respond::value(StatusCode::OK, &jobs::job(&job)))
}

pub(super) async fn failures(State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let list = app.replications.failures(&id).await.ok_or(Error::MISSING)?;
    let rows: Vec<Value> = list.failures.iter().map(jobs::failure).collect();
    let total = rows.len() as u64 + list.unlisted;
    let answer = json!({ "total": total, "unlisted": list.unlisted, "failures": rows });
    Ok(respond::value(StatusCode::OK, &answer))
}

pub(super) async fn retry(
    State(app): State<App>,
    Path(id): Path<String>,
    Whole(body, _room): Whole,
) -> Result<Response> {
    let ids = ids(crate::body::text(&body)?)?;
    let retried = app.replications.retry(&id, ids.as_deref()).await;
    let retried = retried.ok_or(Error::MISSING)?.map_err(|error| {
        let word = match error.kind {
            PeerErrorKind::Unauthorized => "unauthorized",
            _ => "replication_error",
        };
        Error::Replication(StatusCode::BAD_GATEWAY, word, error.to_string())
    })?;
    let written = retried.iter().filter(|one| one.became == Became::Written).count();
    let results: Vec<Value> = retried.iter().map(result).collect();
    let answer = json!({ "ok": true, "retried": results.len(), "written": written, "results": results });
    Ok(respond::value(StatusCode::OK, &answer))
}

/// Crosses off all failures of a job, or those of the documents that `id` names, once or several times.
pub(super) async fn dismiss(
    State(app): State<App>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response> {
    let named = query.pairs().filter(|(name, _)| *name == "id");
    let ids: Vec<String> = named.map(|(_, id)| id.to_owned()).collect();
    let ids = (!ids.is_empty()).then_some(ids);
    let dismissed = app.replications.dismiss(&id, ids.as_deref()).await;
    let answer = json!({ "ok": true, "dismissed": dismissed.ok_or(Error::MISSING)? });
    Ok(respond::value(StatusCode::OK, &answer))
}

/// `ids` of a body that may be empty: all documents then.
fn ids(body: &str) -> Result<Option<Vec<String>>> {
    if body.trim().is_empty() {
        return Ok(None);
    }
    let body: Map<String, Value> = serde_json::from_str(body).map_err(|_| crate::body::INVALID_JSON)?;
    let Some(ids) = body.get("ids") else {
        return Ok(None);
    };
    let wrong = || Error::bad("`ids` must be a list of strings");
    let ids = ids.as_array().ok_or_else(wrong)?;
    let text = |id: &Value| id.as_str().map(str::to_owned).ok_or_else(wrong);
    ids.iter().map(text).collect::<Result<_>>().map(Some)
}

fn result(retried: &Retried) -> Value {
    let Retried { failure, became } = retried;
    match became {
        Became::Written => json!({ "id": failure.id, "rev": failure.rev, "ok": true }),
        Became::Gone => json!({ "id": failure.id, "rev": failure.rev, "ok": true, "gone": true }),
        Became::Refused(error, reason) => {
            json!({ "id": failure.id, "rev": failure.rev, "error": error, "reason": reason })
        }
    }
}

pub(super) async fn docs(State(app): State<App>, query: Query) -> Result<Response> {
    list(app, "_replicator".to_owned(), query).await
}

/// `docs/{db}` and `docs/{db}/{doc}`, where the name of a database may be spelled with its slashes.
pub(super) async fn docs_of(State(app): State<App>, uri: Uri, query: Query) -> Result<Response> {
    let (database, doc) = split(uri.path());
    match doc {
        None => list(app, database, query).await,
        Some(id) => one(app, database, id).await,
    }
}

/// Database and document of a path behind `docs/`.
fn split(raw: &str) -> (String, Option<String>) {
    let raw = raw.split_once("/docs/").map_or("", |(_, rest)| rest);
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let mut segments = raw.split('/').map(decode);
    let mut database = segments.next().unwrap_or_default();
    let is_whole = |name: &str| name == "_replicator" || name.ends_with("/_replicator");
    while !is_whole(&database) {
        let Some(segment) = segments.next() else { break };
        database = format!("{database}/{segment}");
    }
    let doc = segments.collect::<Vec<_>>().join("/");
    (database, Some(doc).filter(|doc| !doc.is_empty()))
}

async fn list(app: App, database: String, query: Query) -> Result<Response> {
    let states = states(&query)?;
    let skip = number(&query, "skip")?.unwrap_or(0);
    let limit = number(&query, "limit")?.unwrap_or(usize::MAX);
    let name = DbName::parse(&database).map_err(|_| Error::DatabaseMissing)?;
    let answer = blocking(move || {
        let (mut total, mut shown) = (0_usize, Vec::new());
        let listed = app.replications.documents(&name, &mut |doc| {
            if states.as_ref().is_none_or(|states| states.contains(&doc.state)) {
                if total >= skip && shown.len() < limit {
                    shown.push(jobs::doc(&doc));
                }
                total += 1;
            }
        });
        match listed {
            // It is made once somebody writes to it.
            Err(store::Error::DatabaseMissing(_)) if name.as_str() == "_replicator" => {}
            listed => listed?,
        }
        Ok(json!({ "total_rows": total, "offset": skip.min(total), "docs": shown }))
    });
    Ok(respond::value(StatusCode::OK, &answer.await?))
}

async fn one(app: App, database: String, id: String) -> Result<Response> {
    let name = DbName::parse(&database).map_err(|_| Error::DatabaseMissing)?;
    let doc = blocking(move || Ok(app.replications.document(&name, &id)?)).await?;
    let doc = doc.ok_or(Error::MISSING)?;
    Ok(respond::value(StatusCode::OK, &jobs::doc(&doc)))
}

fn states(query: &Query) -> Result<Option<Vec<JobState>>> {
    let Some(text) = query.text("states").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let state = |name: &str| {
        let unknown = || Error::QueryParse(format!("Unknown replication state: {name}"));
        JobState::of_name(&name.trim().to_lowercase()).ok_or_else(unknown)
    };
    text.split(',').map(state).collect::<Result<_>>().map(Some)
}

fn number(query: &Query, name: &str) -> Result<Option<usize>> {
    let wrong = |_| Error::QueryParse(format!("`{name}` must be a number of rows, 0 or more"));
    query
        .text(name)
        .map(|text| text.parse().map_err(wrong))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_databases_with_and_without_escapes() {
        for (raw, database, doc) in [
            ("/_scheduler/docs/_replicator", "_replicator", None),
            ("/_scheduler/docs/_replicator/a%2Fb", "_replicator", Some("a/b")),
            ("/_scheduler/docs/x%2F_replicator", "x/_replicator", None),
            ("/_scheduler/docs/x/_replicator", "x/_replicator", None),
            ("/_scheduler/docs/x/y/_replicator/a", "x/y/_replicator", Some("a")),
            ("/_scheduler/docs/other", "other", None),
        ] {
            assert_eq!(split(raw), (database.to_owned(), doc.map(str::to_owned)), "{raw}");
        }
    }
}
