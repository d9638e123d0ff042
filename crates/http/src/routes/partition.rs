//! `/{db}/_partition/{partition}`: what it holds, and the way in to what it can be asked.

use crate::app::App;
use crate::error::{Error, Result};
use crate::request::{Db, Query, captures, granted};
use crate::respond;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::uri::Uri;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use trunkline_core::partition::Partition;
use trunkline_store::{Counts, DocsScan};

/// The option that says in which partition.
const OPTION: &str = "partition";

/// Makes of the partition in the path an option of the query string, which is where handlers look for it.
pub(super) async fn enter(app: &App, request: Request) -> Result<Request> {
    let (mut parts, body) = request.into_parts();
    let captures = captures(&mut parts).await?;
    let named = captures.iter().find(|(capture, _)| *capture == OPTION);
    let (_, name) = named.unwrap_or_default();
    let db = granted(&parts)?;
    let partitioned = app.scan(move || Ok(db.is_partitioned()?)).await?;
    if !partitioned {
        return Err(Error::bad("database is not partitioned"));
    }
    let partition = Partition::parse(name)?;
    let given = parts.uri.query().unwrap_or_default();
    match Query::parse(given)?.text(OPTION) {
        None => {
            let name = utf8_percent_encode(partition.as_str(), NON_ALPHANUMERIC);
            let path = parts.uri.path();
            let asked = format!("{path}?{OPTION}={name}&{given}").parse::<Uri>();
            parts.uri = asked.map_err(|_| Error::bad("the path is no path"))?;
        }
        Some(given) if given == partition.as_str() => {}
        Some(_) => return Err(Error::bad("Conflicting value for `partition` in query string")),
    }
    Ok(Request::from_parts(parts, body))
}

/// Counts and sizes.
pub(super) async fn info(State(app): State<App>, Db(db): Db, query: Query) -> Result<Response> {
    let partition = Partition::parse(query.text(OPTION).unwrap_or_default())?;
    let (low, high) = partition.ids();
    let mut scan = DocsScan {
        start: Some(low),
        after_start: false,
        end: Some(high),
        inclusive_end: false,
        descending: false,
        bodies: false,
        limit: usize::MAX,
    };
    let mut counts = Counts::default();
    loop {
        let (reading, from) = (db.clone(), scan.clone());
        let counted = app.scan(move || {
            let end = reading.count(&from, &mut counts)?;
            Ok((counts, end))
        });
        let end;
        (counts, end) = counted.await?;
        match end.last {
            Some(last) if !end.done => (scan.start, scan.after_start) = (Some(last), true),
            _ => break,
        }
    }
    let answer = json!({
        "db_name": db.name().as_str(),
        "sizes": { "active": counts.active_bytes, "external": counts.external_bytes },
        "partition": partition.as_str(),
        "doc_count": counts.docs,
        "doc_del_count": counts.deleted,
    });
    Ok(respond::value(StatusCode::OK, &answer))
}

/// Nothing else is by partition.
pub(super) async fn nothing_there() -> Error {
    Error::MISSING
}

/// `/{db}/_partition`
pub(super) async fn unnamed(Db(_): Db) -> Error {
    Error::bad("invalid_partition_req")
}
