//! A peer's `_changes`, read row by row as they arrive.

use super::address::escaped;
use super::client::{Client, QUICK, SILENCE};
use super::documents::speaks_of_attachments;
use crate::peer::{Change, Changes, ChangesAsk, Doc, DocContent, PeerError, PeerErrorKind, PeerKind};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use trunkline_core::json;
use trunkline_core::rev::Rev;
use trunkline_wire::changes::{Event, IncomingRow, Reader};
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::replication;

/// How often a quiet peer gives a sign of life; three missed ones in a row are silence.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Rows of one request to a peer that builds its whole answer in memory.
const PAGE_ROWS: usize = 1000;
/// Rows after which it shows whether documents in rows are of use.
const DOCS_TRIAL_ROWS: u64 = 2000;
/// A continuous feed that ended sooner, without a row, is not simply opened again.
const SHORT_FEED: Duration = Duration::from_secs(1);

pub(super) async fn open(
    client: Client,
    kind: PeerKind,
    ask: ChangesAsk,
) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
    if ask.until.is_some() && kind != PeerKind::Trunkline {
        // Its seqs have no order that others could tell, and a row of just this seq need not be there.
        let reason = "its feed cannot be told to end at a seq (until)";
        return Err(client.error(PeerErrorKind::Invalid, reason));
    }
    let mut feed = Feed {
        since: ask.since.clone(),
        with_docs: ask.docs.load(Ordering::Relaxed) && kind == PeerKind::Trunkline,
        carries_docs: kind == PeerKind::Trunkline,
        paged: kind == PeerKind::PouchDbServer,
        waiting: false,
        client,
        ask,
        open: None,
        rows: 0,
        docs_used: 0,
        ended: false,
    };
    feed.open = Some(feed.request().await?);
    Ok(stream::unfold(feed, |mut feed| async move {
        if feed.ended {
            return None;
        }
        let next = feed.next().await;
        // Its last rows may have come with its end.
        feed.ended |= !matches!(next, Ok(Some(_)));
        next.transpose().map(|changes| (changes, feed))
    })
    .boxed())
}

/// How many changes there are behind a seq.
pub(super) async fn pending(client: &Client, since: &str) -> Result<Option<u64>, PeerError> {
    let url = client
        .address
        .below(&format!("_changes?limit=0&since={}", since_text(since)));
    let answer = client.read(client.get(url), QUICK).await?;
    let mut reader = Reader::new();
    reader.feed(&answer);
    while let Some(event) = reader.next_event().map_err(|error| client.bad_answer(error))? {
        if let Event::End { pending, .. } = event {
            return Ok(pending);
        }
    }
    Ok(None)
}

/// A seq as it goes into a URL: a string as it is, anything else as JSON.
fn since_text(since: &str) -> String {
    let text = json::string(since);
    escaped(text.as_deref().unwrap_or(since))
}

struct Feed {
    client: Client,
    ask: ChangesAsk,
    since: Option<Box<str>>,
    with_docs: bool,
    /// The peer is one that puts whole documents into rows.
    carries_docs: bool,
    /// Asked for page by page.
    paged: bool,
    /// A page was not full: the next request waits for changes.
    waiting: bool,
    open: Option<Open>,
    rows: u64,
    docs_used: u64,
    ended: bool,
}

/// One answer under way.
struct Open {
    answer: Response,
    reader: Reader,
    since: Instant,
    rows: usize,
    /// It told of something new.
    moved: bool,
    waiting: bool,
}

impl Feed {
    async fn request(&self) -> Result<Open, PeerError> {
        let feed = match (self.ask.continuous, self.paged) {
            (true, false) => "continuous",
            (true, true) if self.waiting => "longpoll",
            _ => "normal",
        };
        let style = if self.ask.main_only {
            "main_only"
        } else {
            "all_docs"
        };
        let mut url = self
            .client
            .address
            .below(&format!("_changes?feed={feed}&style={style}"));
        if feed != "normal" || !self.paged {
            url.push_str(&format!("&heartbeat={}", HEARTBEAT.as_millis()));
        }
        if self.paged {
            url.push_str(&format!("&limit={PAGE_ROWS}"));
        }
        if self.with_docs || self.judges() {
            url.push_str("&include_docs=true");
        }
        if let Some(since) = &self.since {
            url.push_str(&format!("&since={}", since_text(since)));
        }
        if let Some(until) = &self.ask.until {
            url.push_str(&format!("&until={}", since_text(until)));
        }
        if let Some(filter) = &self.ask.filter {
            url.push_str(&super::filter::query(filter));
        }
        if let Some(name) = &self.ask.feed_name {
            url.push_str(&super::named_feed::query(name));
        }
        let mut body = Vec::new();
        if let Some(ids) = &self.ask.doc_ids {
            url.push_str("&filter=_doc_ids");
            replication::write_doc_ids_filter(&mut body, ids.iter().map(String::as_str));
        } else if let Some((selector, _)) = &self.ask.selector
            && !self.judges()
        {
            url.push_str("&filter=_selector");
            replication::write_selector_filter(&mut body, selector);
        }
        let http = &self.client;
        let request = match body.is_empty() {
            true => http.get(url),
            false => http.post(url).header(CONTENT_TYPE, "application/json").body(body),
        };
        let answer = self.client.ok(request, SILENCE).await?;
        Ok(Open {
            answer,
            reader: Reader::new(),
            since: Instant::now(),
            rows: 0,
            moved: false,
            waiting: feed != "normal",
        })
    }

    /// The next rows; `None` at the end of a feed that has one.
    async fn next(&mut self) -> Result<Option<Changes>, PeerError> {
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.request().await?,
            };
            let Some(chunk) = self.client.chunk(&mut open.answer).await? else {
                self.bad(open.reader.finish())?;
                if !self.ask.continuous {
                    let reason = "the feed stopped without its end";
                    return Err(self.client.error(PeerErrorKind::Unavailable, reason));
                }
                self.reopen(&open)?;
                continue;
            };
            open.reader.feed(&chunk);
            let mut changes = Changes {
                last_seq: self.since.clone().unwrap_or_default(),
                ..Changes::default()
            };
            let mut end = false;
            while let Some(event) = self.bad(open.reader.next_event())? {
                match event {
                    Event::Row(row) => {
                        changes.last_seq = row.seq.clone();
                        open.rows += 1;
                        // A winner is deleted only where all leaves are.
                        if !(row.deleted && self.ask.without_deleted) && self.takes(&row) {
                            changes.rows.push(self.change(row));
                        }
                    }
                    Event::End { last_seq, pending } => {
                        changes.last_seq = last_seq;
                        changes.pending = pending;
                        end = true;
                    }
                }
            }
            let moved = self.since.as_ref() != Some(&changes.last_seq) && !changes.last_seq.is_empty();
            if moved {
                self.since = Some(changes.last_seq.clone());
                open.moved = true;
            }
            let with_docs = self.wants_docs();
            if end {
                self.end(&open)?;
            } else if self.with_docs == with_docs {
                self.open = Some(open);
            }
            self.with_docs = with_docs;
            if moved {
                return Ok(Some(changes));
            }
            if self.ended {
                return Ok(None);
            }
        }
    }

    /// The answer is at its end; the feed may not be.
    fn end(&mut self, open: &Open) -> Result<(), PeerError> {
        let full = self.paged && open.rows >= PAGE_ROWS;
        self.waiting = self.paged && !full;
        // A server that goes down ends its feeds, too; one that is at the seq ends the next one at once.
        let ends = match self.ask.continuous {
            true => self.ask.until.is_some() && !open.moved && open.since.elapsed() < SHORT_FEED,
            false => true,
        };
        self.ended = !full && ends;
        if open.waiting && !self.ended {
            return self.reopen(open);
        }
        Ok(())
    }

    fn reopen(&self, open: &Open) -> Result<(), PeerError> {
        if !open.moved && open.since.elapsed() < SHORT_FEED {
            return Err(self
                .client
                .error(PeerErrorKind::Unavailable, "the feed ended at once"));
        }
        Ok(())
    }

    fn bad<T>(&self, read: Result<T, trunkline_wire::invalid::BadAnswer>) -> Result<T, PeerError> {
        read.map_err(|error| self.client.bad_answer(error))
    }

    /// Whether documents are judged here: PouchDB Server ends its process over a filter that it does not know, as it
    /// knows no selectors.
    fn judges(&self) -> bool {
        self.paged && self.ask.selector.is_some()
    }

    /// Whether the selector takes a row, by its winner: no other leaf comes with it.
    fn takes(&self, row: &IncomingRow) -> bool {
        let Some((_, selector)) = self.ask.selector.as_ref().filter(|_| self.judges()) else {
            return true;
        };
        let doc = row.doc.as_deref().map(|doc| document::parse(doc.as_bytes()));
        // One that cannot be read is fetched, and told of, by itself.
        let (Some(Ok(doc)), Some(rev)) = (doc, row.revs.first()) else {
            return true;
        };
        let pieces = Pieces {
            id: &row.id,
            rev: doc.rev.as_ref().unwrap_or(rev),
            deleted: doc.deleted,
            body: doc.body.as_str(),
            attachments: &[],
        };
        document::is_selected(selector, pieces, &[])
    }

    fn change(&mut self, row: IncomingRow) -> Change {
        self.rows += u64::from(self.with_docs);
        let doc = match (row.revs.as_slice(), row.doc) {
            // The document is the winner; a selector may have taken another leaf.
            ([rev], Some(doc)) if rev.generation == 1 && is_whole(&doc, rev) => {
                self.docs_used += 1;
                let json = Bytes::from(doc.into_boxed_bytes());
                Some(Doc {
                    id: row.id.clone(),
                    rev: rev.clone(),
                    content: DocContent::Json(json),
                })
            }
            _ => None,
        };
        Change {
            id: row.id,
            revs: row.revs,
            odd_revs: row.odd_revs,
            docs: doc.into_iter().collect(),
        }
    }

    /// Whether rows are to carry documents: not when most must be fetched all the same, or the target has most.
    fn wants_docs(&self) -> bool {
        let useless = self.rows >= DOCS_TRIAL_ROWS && self.docs_used * 2 < self.rows;
        self.carries_docs && !useless && self.ask.docs.load(Ordering::Relaxed)
    }
}

/// Whether the text is this revision, without attachments. One that only speaks of attachments is fetched by itself,
/// which is as right.
fn is_whole(doc: &str, rev: &Rev) -> bool {
    matches!(replication::rev_of(doc), Some(Ok(of)) if of == *rev) && !speaks_of_attachments(doc.as_bytes())
}
