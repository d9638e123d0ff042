//! `/_db_updates`: databases created, updated and deleted, in the four feeds.

use crate::app::App;
use crate::auth::User;
use crate::error::{Error, Result};
use crate::feed::{Clock, Feed, Pulse};
use crate::request::Query;
use crate::respond::{self, Chunks, Gone};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use std::io::Write;
use std::sync::Arc;
use trunkline_core::json::quote;
use trunkline_store::{DbEvent, DbUpdate};

pub(super) async fn feed(
    State(app): State<App>,
    Extension(user): Extension<Arc<User>>,
    query: Query,
) -> Result<Response> {
    let feed = Feed::parse(query.text("feed"))?;
    let clock = Clock::parse(query.text("heartbeat"), query.text("timeout"))?;
    let since = match query.text("since").unwrap_or("0") {
        "now" => app.store.db_updates(u64::MAX).1,
        text => own_seq(&app, text)?,
    };
    let (chunks, body) = respond::lasting_chunks(app.unsent.share(user.name.as_deref().unwrap_or_default()));
    tokio::spawn(async move {
        let _ = run(&app, feed, clock, since, &chunks).await;
    });
    Ok(if feed == Feed::Normal {
        respond::streamed(body)
    } else {
        feed.response(body)
    })
}

/// A seq as this opening of the store gave it; one from before a restart starts over, since the order does.
fn own_seq(app: &App, text: &str) -> Result<u64> {
    let text = text.trim_matches('"');
    let (number, suffix) = text.split_once('-').unwrap_or((text, ""));
    let number: u64 = number
        .parse()
        .map_err(|_| Error::bad("Malformed sequence supplied in 'since' parameter."))?;
    Ok(if suffix.is_empty() || suffix == app.boot {
        number
    } else {
        0
    })
}

async fn run(app: &App, feed: Feed, clock: Clock, mut since: u64, chunks: &Chunks) -> Result<(), Gone> {
    let mut pulse = Pulse::new(clock);
    let mut out = feed.opening().to_vec();
    let mut first = true;
    loop {
        let listener = app.store.listen();
        let (rows, last) = app.store.db_updates(since);
        for row in &rows {
            write_row(&mut out, feed, row, &app.boot, first);
            first = false;
        }
        // A `since` from the future is brought back to the present.
        since = last;
        if !rows.is_empty() {
            pulse.row_sent();
        }
        let ends = match feed {
            Feed::Normal => true,
            Feed::Longpoll => !first,
            Feed::Continuous | Feed::EventSource => false,
        };
        if ends || app.stopping.is_cancelled() {
            break;
        }
        chunks.send(std::mem::take(&mut out)).await?;
        if !pulse.wait(feed, listener, app, chunks).await? {
            break;
        }
    }
    let seq = format!("\"{since}-{}\"", app.boot);
    feed.closing(&mut out, &seq, None);
    chunks.send(out).await
}

fn write_row(out: &mut Vec<u8>, feed: Feed, row: &DbUpdate, boot: &str, first: bool) {
    let event = match row.event {
        DbEvent::Created => "created",
        DbEvent::Updated => "updated",
        DbEvent::Deleted => "deleted",
    };
    feed.before_row(out, first);
    out.extend_from_slice(b"{\"db_name\":");
    quote(row.name.as_str(), out);
    let seq = row.seq;
    let _ = write!(out, ",\"type\":\"{event}\",\"seq\":\"{seq}-{boot}\"}}");
    feed.after_row(out, &format!("\"{seq}-{boot}\""));
}
