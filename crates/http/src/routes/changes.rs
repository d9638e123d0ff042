//! `_changes`: what happened to a database since a place in its history, in the four feeds.

mod judge;
mod options;
mod scan;

use crate::app::{App, blocking};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::feed::{Feed, Pulse};
use crate::feeds;
use crate::filters::settle;
use crate::function_request::FunctionRequest;
use crate::request::{Db, Query, header_value, matches_etag};
use crate::respond::{self, Answer, Chunks, Gone};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use options::{Filter, Options};
use scan::{Progress, Scan};
use std::sync::Arc;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_store::Database;
use trunkline_wire as wire;
use trunkline_wire::changes::Writer;

pub(super) async fn feed(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    request: FunctionRequest,
) -> Result<Response> {
    let (listed, lasts) = (query.text("doc_ids").unwrap_or_default(), lasts(&query));
    let mut room = app.filters.take(listed.as_bytes(), lasts).await?;
    let mut options = Options::parse(&query, &request.headers, b"")?;
    settle(&mut room, 0, listed.len(), lasts);
    options.room = room;
    open(app, db, options, request, None).await
}

pub(super) async fn feed_posted(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    request: FunctionRequest,
    body: JsonBody,
) -> Result<Response> {
    let (length, lasts) = (body.0.len(), lasts(&query));
    let mut room = app.filters.take(&body.0, lasts).await?;
    // A selector's patterns are compiled.
    let parsed = app.search(&db, move || {
        let options = Options::parse(&query, &request.headers, &body.0)?;
        Ok((options, request, body))
    });
    let (mut options, request, body) = parsed.await?;
    settle(&mut room, options.filter.pattern_bytes(), length, lasts);
    options.room = room;
    open(app, db, options, request, Some(body)).await
}

/// Whether the feed goes on when all is told.
fn lasts(query: &Query) -> bool {
    query.text("feed").is_some_and(|feed| feed != "normal")
}

async fn open(
    app: App,
    db: Database,
    options: Options,
    request: FunctionRequest,
    posted: Option<JsonBody>,
) -> Result<Response> {
    if let Some(name) = &options.feed_name {
        feeds::built(&app, &db, name).await?;
    }
    let options = Arc::new(options);
    let inline_bytes_max = app.config().request_buffer_bytes_max as u64;
    let is_normal = options.feed == Feed::Normal;
    let asked = Arc::clone(&options);
    // The first chunk is rendered before the answer starts: what is wrong with the request still gets its status, and
    // a short feed leaves in one piece.
    let (scanned, behalf) = (db.clone(), db);
    let share = app.unsent.share_of(&behalf);
    let open = move || {
        let db = scanned;
        let etag = etag(&db)?;
        if is_normal && matches_etag(&request.headers, &etag) {
            return Err(Error::not_modified(&etag));
        }
        let posted = posted.as_ref().map(JsonBody::text).transpose()?;
        let mut scan = Scan::start(db, asked, &request, posted, inline_bytes_max)?;
        let mut out = Vec::new();
        let mut writer = scan.open(&mut out);
        let progress = if is_normal {
            scan.chunk(&mut writer, &mut out)?
        } else {
            Progress::More
        };
        Ok(((scan, writer), progress, out, etag))
    };
    let first = match (is_normal, &options.filter) {
        (true, _) => chunk(&app, &share, &behalf, &options, open).await?,
        // Rows come behind.
        (false, Filter::Selector(_)) => app.search(&behalf, open).await?,
        (false, _) => app.scan(open).await?,
    };
    let (state, progress, mut out, etag) = first;
    if is_normal && matches!(progress, Progress::CaughtUp | Progress::Over) {
        close(state, &mut out).await?;
        return Ok(tagged(respond::json(StatusCode::OK, out), &etag));
    }
    let (chunks, body) = match is_normal {
        true => respond::chunks(share),
        false => respond::lasting_chunks(share),
    };
    let feed = options.feed;
    tokio::spawn(async move {
        let _ = run(&app, &options, state, out, &chunks).await;
    });
    Ok(if is_normal {
        tagged(respond::streamed(body), &etag)
    } else {
        feed.response(body)
    })
}

/// Runs a chunk on a thread that may block: what a selector may make long in turn with others.
async fn chunk<T: Send + 'static>(
    app: &App,
    answer: impl Into<Answer<'_>>,
    db: &Database,
    options: &Options,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match options.filter {
        Filter::Selector(_) => app.render_found(answer, db, work).await,
        _ => app.render(answer, work).await,
    }
}

/// The same as long as nothing is written.
fn etag(db: &Database) -> Result<String> {
    let info = db.info()?;
    let incarnation = wire::seq::suffix(&info.uuid);
    Ok(format!(
        "\"{}-{}-{incarnation}\"",
        info.update_seq, info.purge_seq
    ))
}

fn tagged(mut response: Response, etag: &str) -> Response {
    if let Some(etag) = header_value(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

type FeedState = (Scan, Writer);

/// Sends rows until the feed ends; then how it ended.
async fn run(
    app: &App,
    options: &Options,
    state: FeedState,
    out: Vec<u8>,
    chunks: &Chunks,
) -> Result<(), Gone> {
    let mut feed = Live {
        state,
        out,
        pulse: Pulse::new(options.clock),
        feed: options.feed,
        is_behind: false,
    };
    match feed.rows(app, chunks).await {
        // A database that is deleted ends its feeds as a shutdown does.
        Ok(()) | Err(Stopped::Failed(Error::DatabaseMissing | Error::Closing)) => {}
        Err(Stopped::Gone) => return Err(Gone),
        Err(Stopped::Failed(error)) => {
            chunks.fail(error).await;
            return Err(Gone);
        }
    }
    let Live { state, mut out, .. } = feed;
    match close(state, &mut out).await {
        Ok(()) => chunks.send(out).await,
        Err(error) => {
            chunks.fail(error).await;
            Err(Gone)
        }
    }
}

enum Stopped {
    Gone,
    Failed(Error),
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Stopped {
        Stopped::Gone
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Failed(error)
    }
}

struct Live {
    state: FeedState,
    out: Vec<u8>,
    pulse: Pulse,
    feed: Feed,
    /// Whether the chunk before was full: the next one may be, too.
    is_behind: bool,
}

impl Live {
    async fn rows(&mut self, app: &App, chunks: &Chunks) -> Result<(), Stopped> {
        loop {
            // Taken before looking: what is committed while looking wakes it.
            let listener = self.state.0.db.listen();
            let rows_before = self.state.1.rows();
            let progress = self.catch_up(app, chunks).await?;
            let ends = match self.feed {
                Feed::Normal => true,
                Feed::Longpoll => self.state.1.rows() > 0,
                Feed::Continuous | Feed::EventSource => false,
            };
            if ends || progress == Progress::Over {
                return Ok(());
            }
            if self.state.1.rows() > rows_before {
                self.pulse.row_sent();
            }
            chunks.send(std::mem::take(&mut self.out)).await?;
            if !self.pulse.wait(self.feed, listener, app, chunks).await? {
                return Ok(());
            }
        }
    }

    /// Renders and sends chunks until nothing more is there; the last one stays in `out`.
    async fn catch_up(&mut self, app: &App, chunks: &Chunks) -> Result<Progress, Stopped> {
        // What was rendered before the answer began.
        if self.out.len() >= SCAN_CHUNK_BYTES / 2 {
            chunks.send(std::mem::take(&mut self.out)).await?;
        }
        loop {
            if self.feed != Feed::Normal {
                chunks.wanted().await?;
                if !self.pulse.room(self.feed, app, chunks).await? {
                    return Ok(Progress::Over);
                }
            }
            let progress = match self.chunk(app, chunks).await {
                // Others were faster.
                Err(Stopped::Failed(Error::Overloaded)) if self.feed != Feed::Normal => continue,
                progress => progress?,
            };
            if progress == Progress::Unbuilt {
                let scan = &self.state.0;
                let name = scan.feed_name().unwrap_or_default();
                feeds::built(app, &scan.db, name).await?;
                continue;
            }
            if progress != Progress::More || (app.stopping.is_cancelled() && self.feed != Feed::Normal) {
                return Ok(progress);
            }
            if self.out.is_empty() {
                // A filter that lets nothing pass must not make the feed look dead.
                self.pulse.beat_if_due(self.feed, chunks).await?;
            } else {
                chunks.send(std::mem::take(&mut self.out)).await?;
                self.is_behind = true;
                self.pulse.row_sent();
            }
        }
    }

    async fn chunk(&mut self, app: &App, chunks: &Chunks) -> Result<Progress, Stopped> {
        // A copy: when the chunk fails, the feed still knows where it stood.
        let (mut scan, mut writer) = self.state.clone();
        let mut out = self.out.clone();
        let (db, options) = (scan.db.clone(), Arc::clone(scan.options()));
        let bytes = if self.is_behind { SCAN_CHUNK_BYTES * 2 } else { 0 };
        let answer = match self.feed {
            Feed::Normal => Answer::More(chunks),
            _ => Answer::Now(chunks),
        };
        let rendered = chunk(app, answer, &db, &options, move || {
            out.reserve(bytes);
            let progress = scan.chunk(&mut writer, &mut out)?;
            Ok(((scan, writer), progress, out))
        });
        let (state, progress, out) = rendered.await?;
        self.state = state;
        self.out = out;
        self.is_behind = false;
        Ok(progress)
    }
}

async fn close((scan, writer): FeedState, out: &mut Vec<u8>) -> Result<()> {
    let last_seq = scan.last_seq();
    // A database that is gone has nothing pending.
    let pending = blocking(move || match scan.pending() {
        Err(Error::DatabaseMissing | Error::Closing) => Ok(Some(0)),
        other => other,
    });
    writer.close(out, &last_seq, pending.await?);
    if out.last().is_some_and(|last| *last != b'\n') {
        out.push(b'\n');
    }
    Ok(())
}
