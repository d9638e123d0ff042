//! `_local_docs`: the local documents in id order.

use super::local::rev as local_rev;
use crate::app::blocking;
use crate::body::JsonBody;
use crate::error::Result;
use crate::request::docs_range::DocsRange;
use crate::request::{Db, Query};
use crate::respond;
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::doc_id::LocalId;
use trunkline_store::Database;
use trunkline_wire::all_docs::{self, Writer};
use trunkline_wire::local_doc;

const PREFIX: &str = "_local/";

/// Local documents read in one go.
const PAGE: usize = 1000;

pub(super) async fn list(Db(db): Db, query: Query) -> Result<Response> {
    let range = DocsRange::parse(&query, None)?;
    answer(db, vec![range], false).await
}

pub(super) async fn list_posted(
    Db(db): Db,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let range = DocsRange::parse(&query, Some(&all_docs::parse(&body)?))?;
    answer(db, vec![range], false).await
}

pub(super) async fn queries(Db(db): Db, query: Query, JsonBody(body, _room): JsonBody) -> Result<Response> {
    let queries = all_docs::parse_queries(&body)?;
    let ranges = queries
        .iter()
        .map(|posted| DocsRange::parse_one_of(&query, posted));
    answer(db, ranges.collect::<Result<_>>()?, true).await
}

async fn answer(db: Database, ranges: Vec<DocsRange>, many: bool) -> Result<Response> {
    let text = blocking(move || {
        let mut out = Vec::new();
        for (place, range) in ranges.iter().enumerate() {
            if many {
                out.extend_from_slice(if place == 0 {
                    b"{\"results\":[\r\n"
                } else {
                    b",\r\n"
                });
            }
            write(&db, range, &mut out)?;
            if many {
                out.pop();
            }
        }
        if many {
            out.extend_from_slice(if ranges.is_empty() {
                b"{\"results\":[\r\n\r\n]}\n"
            } else {
                b"\r\n]}\n"
            });
        }
        Ok(out)
    });
    Ok(respond::json(StatusCode::OK, text.await?))
}

fn write(db: &Database, range: &DocsRange, out: &mut Vec<u8>) -> Result<()> {
    let mut writer = Writer::open(out, None, None);
    if let Some(keys) = &range.keys {
        for key in range.page(keys.iter()) {
            let id: Option<String> = serde_json::from_str(key).ok();
            let local = id
                .as_deref()
                .and_then(|id| id.strip_prefix(PREFIX))
                .and_then(|id| LocalId::parse(id).ok());
            let found = local.as_ref().map(|local| db.local(local)).transpose()?.flatten();
            match (local, found) {
                (Some(local), Some((number, body))) => {
                    row(&mut writer, out, range, local.as_str(), number, &body)
                }
                _ => writer.missing(out, key),
            }
        }
    } else {
        let rows = all(db)?;
        let within = |row: &&(String, u64, String)| range.holds(&format!("{PREFIX}{}", row.0));
        let rows: Box<dyn Iterator<Item = _>> = if range.descending {
            Box::new(rows.iter().rev())
        } else {
            Box::new(rows.iter())
        };
        for (id, number, body) in range.page(rows.filter(within)) {
            row(&mut writer, out, range, id, *number, body);
        }
    }
    writer.close(out, None);
    Ok(())
}

fn row(writer: &mut Writer, out: &mut Vec<u8>, range: &DocsRange, id: &str, number: u64, body: &str) {
    let rev = local_rev(number);
    let mut doc = |out: &mut Vec<u8>| local_doc::write(out, id, Some(number), body);
    let doc = range
        .include_docs
        .then_some(&mut doc as &mut dyn FnMut(&mut Vec<u8>));
    writer.row(out, &format!("{PREFIX}{id}"), &rev, doc);
}

/// All of them: there are as many as replications, which is not many.
fn all(db: &Database) -> Result<Vec<(String, u64, String)>> {
    let mut rows: Vec<(String, u64, String)> = Vec::new();
    loop {
        // The page starts with the last row of the one before.
        let start = rows.pop();
        let page = db.locals(start.as_ref().map_or("", |(id, _, _)| id), PAGE)?;
        let last = page.len() < PAGE;
        rows.extend(page);
        if last {
            return Ok(rows);
        }
    }
}
