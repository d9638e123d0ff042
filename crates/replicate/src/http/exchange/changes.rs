//! A feed of rows with their documents.

use super::ask as ask_for;
use crate::http::client::{Client, SILENCE};
use crate::peer::{Change, Changes, ChangesAsk, Doc, DocContent, PeerError, PeerErrorKind};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, Version};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::SemaphorePermit;
use trunkline_core::doc::ReplicatedEdit;
use trunkline_core::limits::{EXCHANGE_ROWS_BYTES_MAX, EXCHANGE_SILENCE_MS};
use trunkline_wire::exchange::{self, Ask, Frame, Progress, Reader, Row};
use trunkline_wire::fault::Fault;

/// A continuous feed that ended sooner, without a row, is not simply opened again.
const SHORT_FEED: Duration = Duration::from_secs(1);

/// Opens a feed; `None` when the peer has no such path after all.
pub(in crate::http) async fn open(
    client: Client,
    ask: &ChangesAsk,
) -> Result<Option<BoxStream<'static, Result<Changes, PeerError>>>, PeerError> {
    let mut feed = Feed {
        since: ask.since.clone(),
        docs: ask.docs.load(Ordering::Relaxed),
        wide: if ask.far && !ask.continuous {
            client.wide()
        } else {
            None
        },
        ask: ask.clone(),
        client,
        open: None,
        rows: Vec::new(),
        rows_bytes: 0,
        ended: false,
    };
    let Some(answer) = ask_for(&feed.client, feed.request(), SILENCE).await? else {
        return Ok(None);
    };
    feed.open = Some(Open::new(answer));
    let feed = stream::unfold(feed, |mut feed| async move {
        if feed.ended {
            return None;
        }
        let next = feed.next().await;
        feed.ended |= !matches!(next, Ok(Some(_)));
        next.transpose().map(|changes| (changes, feed))
    });
    Ok(Some(feed.boxed()))
}

struct Feed {
    client: Client,
    ask: ChangesAsk,
    since: Option<Box<str>>,
    /// Whether rows of this answer carry documents.
    docs: bool,
    open: Option<Open>,
    /// What it is asked for with, where it has far to go.
    wide: Option<(reqwest::Client, SemaphorePermit<'static>)>,
    /// Those of which it is not told yet how far they reach.
    rows: Vec<Change>,
    rows_bytes: usize,
    ended: bool,
}

/// One answer under way.
struct Open {
    /// The body alone: the headers of ten thousand feeds are megabytes.
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    http2: bool,
    reader: Reader,
    since: Instant,
    /// It told of something new.
    moved: bool,
}

impl Open {
    fn new(answer: Response) -> Open {
        Open {
            http2: answer.version() == Version::HTTP_2,
            body: answer.bytes_stream().boxed(),
            reader: Reader::new(),
            since: Instant::now(),
            moved: false,
        }
    }
}

impl Feed {
    fn request(&self) -> RequestBuilder {
        let ask = Ask {
            since: self.since.clone(),
            until: self.ask.until.clone(),
            continuous: self.ask.continuous,
            docs: self.docs,
            contents: self.ask.contents,
            main_only: self.ask.main_only,
            without_deleted: self.ask.without_deleted,
            doc_ids: self.ask.doc_ids.clone(),
            selector: self.ask.selector.clone(),
            feed_name: self.ask.feed_name.clone(),
        };
        let mut body = Vec::new();
        exchange::write_ask(&mut body, &ask);
        let url = self.client.address.below("_exchange/changes");
        let request = match &self.wide {
            Some((wide, _)) => self.client.request_with(wide, Method::POST, url),
            None => self.client.post(url),
        };
        let request = request.header(CONTENT_TYPE, "application/json");
        request.body(body)
    }

    /// The next rows; `None` at the end of a feed that has one.
    async fn next(&mut self) -> Result<Option<Changes>, PeerError> {
        loop {
            if self.open.is_none() {
                // Boxed: a feed that waits for rows need not hold what opens another.
                self.open = Some(Box::pin(self.reopened()).await?);
            }
            if let Some(next) = self.read()? {
                return Ok(next);
            }
            self.fill().await?;
        }
    }

    /// The next rows, or the end, where enough came for that.
    fn read(&mut self) -> Result<Option<Option<Changes>>, PeerError> {
        while let Some(open) = &mut self.open {
            let bad = |error| self.client.bad_answer(error);
            match open.reader.next_frame().map_err(bad)? {
                Some(Frame::Row(row)) => {
                    self.row(row);
                    if self.rows_bytes > EXCHANGE_ROWS_BYTES_MAX {
                        let reason = "rows without end: the feed does not tell how far they reach";
                        return Err(self.client.error(PeerErrorKind::Protocol, reason));
                    }
                }
                Some(Frame::Progress(progress)) => {
                    if self.rows.is_empty() && self.since.as_ref() == Some(&progress.last_seq) {
                        continue;
                    }
                    open.moved = true;
                    self.since = Some(progress.last_seq.clone());
                    // When the wish for documents changed, the next answer goes on from here.
                    if self.docs != self.ask.docs.load(Ordering::Relaxed) {
                        self.open = None;
                    }
                    return Ok(Some(Some(self.changes(progress))));
                }
                Some(Frame::End) if self.ask.continuous && self.ask.until.is_none() => self.cut()?,
                Some(Frame::End) => return Ok(Some(None)),
                Some(Frame::Fault(fault)) => return Err(self.fault(&fault)),
                Some(Frame::Document(_) | Frame::Log(_)) => {
                    let reason = "the feed holds what only goes to a target";
                    return Err(self.client.error(PeerErrorKind::Protocol, reason));
                }
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn reopened(&mut self) -> Result<Open, PeerError> {
        self.docs = self.ask.docs.load(Ordering::Relaxed);
        let answer = self.client.ok(self.request(), SILENCE).await?;
        Ok(Open::new(answer))
    }

    /// A continuous answer ended: the feed goes on with another, from the last rows that it is known of how far they
    /// reach.
    fn cut(&mut self) -> Result<(), PeerError> {
        self.rows.clear();
        self.rows_bytes = 0;
        match self.open.take() {
            Some(open) if !open.moved && open.since.elapsed() < SHORT_FEED => {
                let reason = "the feed ended at once";
                Err(self.client.error(PeerErrorKind::Unavailable, reason))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the next bytes. On HTTP/2 a feed may be silent for long: the connection asks whether its other end
    /// lives, and the feed only has to tell that this is still the peer.
    async fn fill(&mut self) -> Result<(), PeerError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let limit = match open.http2 {
            true => Duration::from_millis(EXCHANGE_SILENCE_MS),
            false => SILENCE,
        };
        let chunk = self.client.unless_silent(limit, open.body.next()).await?;
        match chunk.transpose().map_err(|error| self.client.broke_off(&error))? {
            Some(chunk) => open.reader.feed(&chunk),
            None if self.ask.continuous => self.cut()?,
            None => {
                let reason = "the feed stopped without its end";
                return Err(self.client.error(PeerErrorKind::Unavailable, reason));
            }
        }
        Ok(())
    }

    fn row(&mut self, row: Row) {
        let id = row.id;
        let docs = row.docs.into_iter().filter_map(|edit| doc(&id, edit));
        let mut docs: Vec<Doc> = docs.collect();
        // With one short the rest would pass for all: they are fetched instead.
        if !row.revs.iter().all(|rev| docs.iter().any(|doc| doc.rev == *rev)) {
            docs.clear();
        }
        let change = Change {
            docs,
            revs: row.revs,
            odd_revs: Vec::new(),
            id: id.clone(),
        };
        self.rows_bytes += change.bytes();
        self.rows.push(change);
    }

    fn changes(&mut self, progress: Progress) -> Changes {
        self.rows_bytes = 0;
        Changes {
            rows: std::mem::take(&mut self.rows),
            last_seq: progress.last_seq,
            pending: progress.pending,
            oldest_ms: progress
                .oldest_age_ms
                .map(|age_ms| now_ms().saturating_sub(age_ms)),
        }
    }

    fn fault(&self, fault: &Fault) -> PeerError {
        let kind = match fault.error.as_str() {
            "not_found" => PeerErrorKind::DatabaseMissing,
            "stale_seq" => PeerErrorKind::Recreated,
            "bad_request" => PeerErrorKind::Protocol,
            _ => PeerErrorKind::Unavailable,
        };
        self.client.error(kind, format!("the feed broke off: {fault}"))
    }
}

fn doc(id: &str, edit: ReplicatedEdit) -> Option<Doc> {
    Some(Doc {
        id: id.into(),
        rev: edit.path.rev()?,
        content: DocContent::Edit(edit),
    })
}

fn now_ms() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
