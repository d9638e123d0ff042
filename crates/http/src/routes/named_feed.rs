//! `/{db}/_feed/{design}/{name}`: what a named feed takes, and whether it is built.

use crate::app::App;
use crate::error::{Error, Result};
use crate::request::Db;
use crate::respond;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_store::{self as store, Database, FeedState};
use trunkline_wire::feeds::{self, FeedInfo};

pub(super) async fn show(
    State(app): State<App>,
    Db(db): Db,
    Path((_, design, name)): Path<(String, String, String)>,
) -> Result<Response> {
    app.scan(move || {
        let feed = format!("{design}/{name}");
        let FeedState {
            selector,
            built,
            pending,
            ..
        } = match db.feed(&feed) {
            Err(store::Error::FeedMissing(_)) => return Err(why_missing(&db, &design, &name)),
            state => state?,
        };
        let mut out = Vec::new();
        // Whoever sees some documents only learns that it is there: numbers and words may be about the others.
        let whole = db.is_whole();
        let rows = whole.then(|| db.count_feed(&feed, 0)).transpose()?;
        let info = FeedInfo {
            name: &feed,
            selector: whole.then_some(&*selector),
            rows,
            built,
            pending: whole.then_some(pending),
        };
        feeds::write(&mut out, &info);
        Ok(respond::json(StatusCode::OK, out))
    })
    .await
}

/// One that is declared, but wrongly, is told of as such.
fn why_missing(db: &Database, design: &str, name: &str) -> Error {
    let missing = Error::NotFound(feeds::MISSING.into());
    let Ok(Some(leaf)) = db.get(&format!("_design/{design}"), None) else {
        return missing;
    };
    match feeds::parse(leaf.body.as_str()).map(|mut feeds| feeds.remove(name)) {
        Err(invalid) | Ok(Some(Err(invalid))) if !leaf.deleted => invalid.into(),
        _ => missing,
    }
}
