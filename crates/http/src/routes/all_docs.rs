//! `_all_docs` and `_design_docs`: documents in id order, streamed chunk by chunk.

mod listing;

use super::listed::{self, Listed};
use crate::app::App;
use crate::body::JsonBody;
use crate::error::Result;
use crate::request::docs_range::DocsRange;
use crate::request::{Moment, Query};
use axum::extract::State;
use axum::response::Response;
use listing::Listing;
use trunkline_store::Database;
use trunkline_wire::all_docs as wire;

/// Which documents a resource lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    Designs,
}

pub(super) async fn all(State(app): State<App>, Moment(db): Moment, query: Query) -> Result<Response> {
    one(app, db, Kind::All, DocsRange::parse(&query, None)?).await
}

pub(super) async fn all_posted(
    State(app): State<App>,
    Moment(db): Moment,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    one(
        app,
        db,
        Kind::All,
        DocsRange::parse(&query, Some(&wire::parse(&body)?))?,
    )
    .await
}

pub(super) async fn all_queries(
    State(app): State<App>,
    Moment(db): Moment,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    Ok(many(app, db, Kind::All, ranges(&query, &body)?))
}

pub(super) async fn designs(State(app): State<App>, Moment(db): Moment, query: Query) -> Result<Response> {
    one(app, db, Kind::Designs, DocsRange::parse(&query, None)?).await
}

pub(super) async fn designs_posted(
    State(app): State<App>,
    Moment(db): Moment,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    one(
        app,
        db,
        Kind::Designs,
        DocsRange::parse(&query, Some(&wire::parse(&body)?))?,
    )
    .await
}

pub(super) async fn designs_queries(
    State(app): State<App>,
    Moment(db): Moment,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    Ok(many(app, db, Kind::Designs, ranges(&query, &body)?))
}

fn ranges(query: &Query, body: &[u8]) -> Result<Vec<DocsRange>> {
    wire::parse_queries(body)?
        .iter()
        .map(|posted| DocsRange::parse_one_of(query, posted))
        .collect()
}

/// One listing: in one piece when a chunk holds it all.
async fn one(app: App, db: Database, kind: Kind, range: DocsRange) -> Result<Response> {
    let opening = app.clone();
    let share = app.unsent.share_of(&db);
    let opened = app.render(&share, move || {
        let mut out = Vec::with_capacity(1024);
        let mut listing = Listing::open(&opening, db, kind, range, &mut out)?;
        listing.chunk(&mut out)?;
        Ok((listing, out))
    });
    let (listing, out) = opened.await?;
    Ok(listed::answer(app, share, listing, out))
}

/// Several listings, one after the other, as elements of `results`.
fn many(app: App, db: Database, kind: Kind, ranges: Vec<DocsRange>) -> Response {
    let (opening, share) = (app.clone(), app.unsent.share_of(&db));
    let listings = ranges.into_iter().map(move |range| {
        let (app, db) = (opening.clone(), db.clone());
        move |out: &mut Vec<u8>| Listing::open(&app, db, kind, range, out)
    });
    listed::several(app, share, listings)
}
