//! Views: rows of a design document's index, streamed chunk by chunk.

mod documents;
pub(super) mod index;
mod listing;

use super::listed::{self, Listed};
use crate::app::App;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::view_query::{Update, ViewQuery};
use crate::request::{Query, captures, granted, header_value, matches_etag, moment};
use crate::views::{open, refresh};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use listing::Listing;
use std::sync::Arc;
use trunkline_query::Opened;
use trunkline_store::Database;
use trunkline_wire::all_docs as wire;

/// The view named in the path.
pub(super) struct Named {
    db: Database,
    /// Of the design document, with `_design/`.
    id: String,
    view: String,
}

impl FromRequestParts<App> for Named {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Named> {
        let (mut db, mut id, mut view) = (None, String::new(), String::new());
        for (capture, value) in &captures(parts).await? {
            match capture {
                "db" => db = Some(granted(parts)?),
                "design" => id = format!("_design/{value}"),
                "view" => value.clone_into(&mut view),
                _ => {}
            }
        }
        let db = db.ok_or_else(|| Error::Internal("a route without database".to_owned()))?;
        let db = moment(parts, app, db)?;
        Ok(Named { db, id, view })
    }
}

pub(super) async fn one(
    State(app): State<App>,
    named: Named,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    answer(app, named, ViewQuery::parse(&query, None)?, &headers).await
}

pub(super) async fn one_posted(
    State(app): State<App>,
    named: Named,
    query: Query,
    headers: HeaderMap,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let asked = ViewQuery::parse(&query, Some(&wire::parse(&body)?))?;
    answer(app, named, asked, &headers).await
}

/// Several listings, one after the other, as elements of `results`.
pub(super) async fn queries(
    State(app): State<App>,
    named: Named,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let asked: Vec<ViewQuery> = wire::parse_queries(&body)?
        .iter()
        .map(|posted| ViewQuery::parse_one_of(&query, posted))
        .collect::<Result<_>>()?;
    let opened = open(&app, &named.db, named.id).await?;
    let view = opened.view(&named.view)?;
    for asked in &asked {
        asked.check_partition(opened.design.partitioned)?;
        if asked.grouping(view.reduce.is_some())?.is_some() && !named.db.is_whole() {
            return Err(trunkline_query::Error::ReducesAll.into());
        }
    }
    if asked.iter().any(|asked| asked.update == Update::First) {
        refresh(&app, &opened).await?;
    } else if asked.iter().any(|asked| asked.update == Update::Lazy) {
        refresh_later(app.clone(), opened.clone());
    }
    let (opening, share) = (app.clone(), app.unsent.share_of(&named.db));
    let listings = asked.into_iter().map(move |asked| {
        let (app, opened, name) = (opening.clone(), opened.clone(), named.view.clone());
        move |out: &mut Vec<u8>| {
            let source = app.views.whole(&opened, &name)?;
            Ok(Listing::open(&app, &source, &name, asked, out)?.0)
        }
    });
    Ok(listed::several(app, share, listings))
}

/// Brings an index up to date behind the answer.
fn refresh_later(app: App, opened: Arc<Opened>) {
    tokio::spawn(async move {
        if let Err(error) = refresh(&app, &opened).await {
            tracing::warn!(?error, design = opened.id, "an index stays behind");
        }
    });
}

/// One listing: in one piece when a chunk holds it all.
async fn answer(app: App, named: Named, asked: ViewQuery, headers: &HeaderMap) -> Result<Response> {
    let opened = open(&app, &named.db, named.id).await?;
    asked.check_partition(opened.design.partitioned)?;
    asked.grouping(opened.view(&named.view)?.reduce.is_some())?;
    if asked.update == Update::First {
        refresh(&app, &opened).await?;
    }
    let share = app.unsent.share_of(&named.db);
    let lazy = asked.update == Update::Lazy;
    let (opening, asked_of, name) = (app.clone(), opened.clone(), named.view);
    let first = app.render(&share, move || {
        let source = opening.views.whole(&asked_of, &name)?;
        let mut out = Vec::with_capacity(1024);
        let (mut listing, etag) = Listing::open(&opening, &source, &name, asked, &mut out)?;
        listing.chunk(&mut out)?;
        Ok((listing, etag, out))
    });
    let (listing, etag, out) = first.await?;
    if lazy {
        refresh_later(app.clone(), opened);
    }
    if matches_etag(headers, &etag) {
        return Err(Error::not_modified(&etag));
    }
    let mut response = listed::answer(app, share, listing, out);
    if let Some(etag) = header_value(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}
