//! `_local_docs`: the local documents in id order, streamed chunk by chunk.

use super::listed::{self, Listed};
use super::local::rev as local_rev;
use crate::app::App;
use crate::body::JsonBody;
use crate::error::Result;
use crate::request::docs_range::DocsRange;
use crate::request::{Db, Query};
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use trunkline_core::doc_id::LocalId;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_store::Database;
use trunkline_wire::all_docs::{self, Writer};
use trunkline_wire::local_doc;

const PREFIX: &str = "_local/";

/// Bytes that are counted for a row beside its id and its document.
const ROW_BYTES: usize = 128;

pub(super) async fn list(State(app): State<App>, Db(db): Db, query: Query) -> Result<Response> {
    one(app, db, DocsRange::parse(&query, None)?).await
}

pub(super) async fn list_posted(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let range = DocsRange::parse(&query, Some(&all_docs::parse(&body)?))?;
    one(app, db, range).await
}

pub(super) async fn queries(
    State(app): State<App>,
    Db(db): Db,
    query: Query,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let queries = all_docs::parse_queries(&body)?;
    let ranges = queries
        .iter()
        .map(|posted| DocsRange::parse_one_of(&query, posted));
    let ranges: Vec<DocsRange> = ranges.collect::<Result<_>>()?;
    // An error of an answer that has begun has no status.
    if !db.is_whole() && ranges.iter().any(|range| range.keys.is_none()) {
        return Err(trunkline_store::Error::NotWhole.into());
    }
    let share = app.unsent.share_of(&db);
    let listings = ranges.into_iter().map(move |range| {
        let db = db.clone();
        move |out: &mut Vec<u8>| Ok(Listing::open(db, range, out))
    });
    Ok(listed::several(app, share, listings))
}

async fn one(app: App, db: Database, range: DocsRange) -> Result<Response> {
    let share = app.unsent.share_of(&db);
    let opened = app.render(&share, move || {
        let mut out = Vec::new();
        let mut listing = Listing::open(db, range, &mut out);
        listing.chunk(&mut out)?;
        Ok((listing, out))
    });
    let (listing, out): (Listing, Vec<u8>) = opened.await?;
    Ok(listed::answer(app, share, listing, out))
}

/// One listing; nothing is held between two chunks.
struct Listing {
    db: Database,
    range: DocsRange,
    source: Source,
    rows: Rows,
}

enum Source {
    /// Behind this one, or from the beginning on.
    Scan(Option<String>),
    /// Keys still to look up, the next one last.
    Keys(Vec<String>),
    Done,
}

/// What rows are made of, and how many.
struct Rows {
    writer: Writer,
    include_docs: bool,
    skip: usize,
    limit: usize,
}

impl Listed for Listing {
    fn is_done(&self) -> bool {
        self.rows.limit == 0 || matches!(self.source, Source::Done)
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match std::mem::replace(&mut self.source, Source::Done) {
            _ if self.rows.limit == 0 => Ok(()),
            Source::Scan(behind) => self.scan(behind, out),
            Source::Keys(keys) => self.look_up(keys, out),
            Source::Done => Ok(()),
        }
    }

    fn close(self, out: &mut Vec<u8>) {
        self.rows.writer.close(out, None);
    }
}

impl Listing {
    /// Appends the head of a listing.
    fn open(db: Database, mut range: DocsRange, out: &mut Vec<u8>) -> Listing {
        let source = match range.keys.take() {
            Some(mut keys) => {
                keys.reverse();
                keys.truncate(keys.len().saturating_sub(range.skip));
                range.skip = 0;
                Source::Keys(keys)
            }
            None => Source::Scan(None),
        };
        let rows = Rows {
            writer: Writer::open(out, None, None),
            include_docs: range.include_docs,
            skip: range.skip,
            limit: range.limit.unwrap_or(usize::MAX),
        };
        Listing {
            db,
            range,
            source,
            rows,
        }
    }

    fn scan(&mut self, mut behind: Option<String>, out: &mut Vec<u8>) -> Result<()> {
        let Listing { db, range, rows, .. } = self;
        let (from, mut read) = (behind.take(), 0);
        let done = db.locals(from.as_deref(), range.descending, &mut |id, number, body| {
            read += ROW_BYTES + id.len() + body.len();
            if range.holds(&format!("{PREFIX}{id}")) {
                rows.add(out, id, number, body);
            }
            if rows.limit > 0 && read < SCAN_CHUNK_BYTES {
                return ControlFlow::Continue(());
            }
            behind = Some(id.to_owned());
            ControlFlow::Break(())
        })?;
        if !done {
            self.source = Source::Scan(behind);
        }
        Ok(())
    }

    fn look_up(&mut self, mut keys: Vec<String>, out: &mut Vec<u8>) -> Result<()> {
        let mut read = 0;
        while self.rows.limit > 0 && read < SCAN_CHUNK_BYTES {
            let Some(key) = keys.pop() else { break };
            read += ROW_BYTES + key.len();
            let id: Option<String> = serde_json::from_str(&key).ok();
            let id = id.as_deref().and_then(|id| id.strip_prefix(PREFIX));
            let local = id.and_then(|id| LocalId::parse(id).ok());
            let found = local.as_ref().map(|local| self.db.local(local)).transpose()?;
            match (local, found.flatten()) {
                (Some(local), Some((number, body))) => {
                    read += body.len();
                    self.rows.add(out, local.as_str(), number, &body);
                }
                _ => {
                    self.rows.writer.missing(out, &key);
                    self.rows.limit -= 1;
                }
            }
        }
        if !keys.is_empty() {
            self.source = Source::Keys(keys);
        }
        Ok(())
    }
}

impl Rows {
    fn add(&mut self, out: &mut Vec<u8>, id: &str, number: u64, body: &str) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.limit -= 1;
        let rev = local_rev(number);
        let mut doc = |out: &mut Vec<u8>| local_doc::write(out, id, Some(number), body);
        let doc = self
            .include_docs
            .then_some(&mut doc as &mut dyn FnMut(&mut Vec<u8>));
        self.writer.row(out, &format!("{PREFIX}{id}"), &rev, doc);
    }
}
