//! `_explain`: how a query would be answered.

use super::query::{self, Query};
use crate::app::App;
use crate::body::JsonBody;
use crate::error::Result;
use crate::request::{Moment, Query as Asked};
use crate::respond;
use crate::routes::find_index::shown;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use trunkline_core::partition::Partition;
use trunkline_query::mango::Source;
use trunkline_wire::find as wire;

pub(in crate::routes) async fn explain(
    State(app): State<App>,
    Moment(db): Moment,
    asked: Asked,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let name = db.name().as_str().to_owned();
    let (planning, planned) = (app.clone(), db.clone());
    let query = app.search(&db, move || {
        let request = query::within(&asked, wire::parse(&body)?)?;
        Query::new(&planning, &planned, request)
    });
    let query = query.await?;
    Ok(respond::value(StatusCode::OK, &explanation(&name, &query)))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn explanation(database: &str, query: &Query) -> Value {
    let Query {
        request,
        selector,
        plan,
        ..
    } = query;
    let (index, keys, covering) = match &plan.source {
        Source::Documents(ids) => (None, ids.texts(), false),
        Source::Index {
            index,
            keys,
            covering,
            ..
        } => (Some(index), keys.clone(), *covering),
    };
    let (start, end) = match plan.descending {
        false => (keys.start, keys.end),
        true => (keys.end, keys.start),
    };
    let bounds = match plan.nothing {
        true => [Value::Null, Value::Null],
        false => [parsed(&start), parsed(&end)],
    };
    let [start, end] = bounds;
    let direction = if plan.descending { "desc" } else { "asc" };
    let sort = request.sort.fields.iter();
    let sort: Value = sort
        .map(|field| (field.clone(), Value::from(direction)))
        .collect();
    let candidate = |index| {
        json!({
            "index": shown(Some(index)),
            "analysis": { "usable": true },
        })
    };
    json!({
        "dbname": database,
        "index": shown(index),
        "partitioned": query.partitioned,
        "selector": parsed(&selector.canonical()),
        "opts": {
            "use_index": request.use_index,
            "bookmark": request.bookmark.as_deref().unwrap_or("nil"),
            "limit": request.limit,
            "skip": request.skip,
            "sort": sort,
            "fields": request.fields,
            "partition": request.partition.as_ref().map_or("", Partition::as_str),
            "r": request.r,
            "conflicts": request.conflicts,
            "stale": false,
            "update": request.update,
            "stable": request.stable,
            "execution_stats": request.execution_stats,
            "allow_fallback": request.allow_fallback,
        },
        "limit": request.limit,
        "skip": request.skip,
        "fields": request.fields,
        "index_candidates": plan.passed_over.iter().map(candidate).collect::<Vec<_>>(),
        "mrargs": {
            "include_docs": !covering,
            "view_type": "map",
            "reduce": false,
            "partition": request.partition.as_ref().map(Partition::as_str),
            "start_key": start,
            "end_key": end,
            "direction": if plan.descending { "rev" } else { "fwd" },
            "stable": request.stable,
            "update": request.update,
            "conflicts": if request.conflicts { Value::from(true) } else { Value::from("undefined") },
        },
        "covering": covering,
    })
}
