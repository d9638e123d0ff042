//! `_revs_diff` and `_missing_revs`: which of the revisions asked about are not here.

use crate::app::blocking;
use crate::body::JsonBody;
use crate::error::Result;
use crate::request::Db;
use crate::respond;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::{BTreeMap, HashSet};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_store::Database;
use trunkline_wire as wire;

/// What is asked and found of one document: id, missing, possible ancestors.
type Row = (String, Vec<Rev>, Vec<Rev>);

pub(super) async fn revs_diff(Db(db): Db, JsonBody(body, _room): JsonBody) -> Result<Response> {
    answer(db, body, |out, rows| {
        let rows = rows
            .iter()
            .map(|(id, missing, ancestors)| (id.as_str(), missing.as_slice(), ancestors.as_slice()));
        wire::revs_diff::write(out, rows);
    })
    .await
}

pub(super) async fn missing_revs(Db(db): Db, JsonBody(body, _room): JsonBody) -> Result<Response> {
    answer(db, body, |out, rows| {
        let rows = rows.iter().filter(|(_, missing, _)| !missing.is_empty());
        wire::revs_diff::write_missing_revs(
            out,
            rows.map(|(id, missing, _)| (id.as_str(), missing.as_slice())),
        );
    })
    .await
}

async fn answer(db: Database, body: Bytes, write: fn(&mut Vec<u8>, &[Row])) -> Result<Response> {
    let answer = blocking(move || {
        let rows = compare(&db, once(wire::revs_diff::parse(&body)?))?;
        let mut out = Vec::new();
        write(&mut out, &rows);
        out.push(b'\n');
        Ok(out)
    });
    Ok(respond::json(StatusCode::OK, answer.await?))
}

/// Each document once: the answer for one may be thousands of times as long as its name.
fn once(asked: Vec<(String, Vec<Rev>)>) -> Vec<(String, Vec<Rev>)> {
    let names: HashSet<&str> = asked.iter().map(|(id, _)| id.as_str()).collect();
    if names.len() == asked.len() {
        return asked;
    }
    let mut rows = BTreeMap::<String, Vec<Rev>>::new();
    for (id, revs) in asked {
        rows.entry(id).or_default().extend(revs);
    }
    rows.into_iter().collect()
}

fn compare(db: &Database, asked: Vec<(String, Vec<Rev>)>) -> Result<Vec<Row>> {
    // An id that no document can have is simply missing.
    let (known, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(id, _)| DocId::parse(id).is_ok());
    let ask: Vec<(DocId, Vec<Rev>)> = known
        .into_iter()
        .filter_map(|(id, revs)| Some((DocId::parse(&id).ok()?, revs)))
        .collect();
    let found = db.revs_diff(&ask)?;
    let rows = ask
        .iter()
        .zip(found)
        .map(|((id, _), (missing, ancestors))| (id.as_str().to_owned(), missing, ancestors));
    Ok(rows
        .chain(others.into_iter().map(|(id, revs)| (id, revs, Vec::new())))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_answered_once_however_often_it_is_named() {
        let asked = |text: &str| once(wire::revs_diff::parse(text.as_bytes()).unwrap());
        let ids = |rows: &[(String, Vec<Rev>)]| {
            let ids = rows.iter().map(|(id, revs)| format!("{id} {}", revs.len()));
            ids.collect::<Vec<_>>()
        };
        assert_eq!(
            ids(&asked(r#"{"b":["1-a"],"a":["1-b"],"b":["1-c","2-d"]}"#)),
            ["a 1", "b 3"]
        );
        assert_eq!(ids(&asked(r#"{"b":["1-a"],"a":[]}"#)), ["b 1", "a 0"]);
    }
}
