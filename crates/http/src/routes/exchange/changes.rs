//! A feed of rows with their documents, as frames.

use crate::admission::Lasting;
use crate::app::App;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::feeds;
use crate::filters::settle;
use crate::request::Db;
use crate::respond::{self, Chunks, Gone};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use trunkline_core::doc::ReplicatedEdit;
use trunkline_core::limits::{EXCHANGE_HEARTBEAT_MS, SCAN_CHUNK_BYTES};
use trunkline_replicate::peer::{Change, Changes, ChangesAsk, DocContent};
use trunkline_replicate::{LocalPeer, Peer, PeerError, PeerErrorKind};
use trunkline_wire::exchange::{self, Progress};

/// How often a quiet feed gives a sign of life where the connection itself gives none.
const HEARTBEAT: Duration = Duration::from_secs(10);

pub(in crate::routes) async fn feed(
    State(app): State<App>,
    version: Version,
    Db(db): Db,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let length = body.len();
    let mut room = app.filters.take(&body, true).await?;
    let parsed = app.search(&db, move || Ok(exchange::parse_ask(&body)?));
    let ask = parsed.await?;
    let patterns = ask.selector.as_ref();
    let pattern_bytes = patterns.map_or(0, |(_, selector)| selector.pattern_bytes());
    settle(&mut room, pattern_bytes, length, ask.continuous);
    let ask = ChangesAsk {
        since: ask.since,
        continuous: ask.continuous,
        main_only: ask.main_only,
        doc_ids: ask.doc_ids,
        selector: ask.selector,
        filter: None,
        feed_name: ask.feed_name,
        docs: Arc::new(AtomicBool::new(ask.docs)),
        contents: ask.contents,
        until: ask.until,
        without_deleted: ask.without_deleted,
        far: false,
    };
    if let Some(name) = &ask.feed_name {
        feeds::built(&app, &db, name).await?;
    }
    let (since, lasts) = (ask.since.clone(), ask.continuous);
    let share = app.unsent.share_of(&db);
    let peer = LocalPeer::from(&db).within(share.clone());
    let rows = peer.changes(ask).await.map_err(error)?;
    let (chunks, body) = match lasts {
        true => respond::lasting_chunks(share),
        false => respond::chunks(share),
    };
    let heartbeat = match version < Version::HTTP_2 {
        true => HEARTBEAT,
        false => Duration::from_millis(EXCHANGE_HEARTBEAT_MS),
    };
    tokio::spawn(async move {
        // Until its end.
        let _room = room;
        let _ = run(&app.stopping, rows, since, heartbeat, &chunks).await;
    });
    let mut response = respond::streamed(body);
    *response.status_mut() = StatusCode::OK;
    if lasts {
        response.extensions_mut().insert(Lasting);
    }
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(exchange::CONTENT_TYPE),
    );
    Ok(response)
}

/// Sends frames until the feed ends, and why it ended.
async fn run(
    stopping: &CancellationToken,
    mut rows: BoxStream<'static, Result<Changes, PeerError>>,
    since: Option<Box<str>>,
    heartbeat: Duration,
    chunks: &Chunks,
) -> Result<(), Gone> {
    let mut out = Vec::new();
    let mut last = Progress {
        last_seq: since.unwrap_or_else(|| "0".into()),
        ..Progress::default()
    };
    exchange::start(&mut out);
    chunks.send(out).await?;
    loop {
        let mut out = Vec::new();
        let next = async {
            chunks.wanted().await.ok();
            rows.next().await
        };
        let mut next = std::pin::pin!(next);
        let next = loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    let (_, word, reason) = Error::Closing.row();
                    exchange::write_fault(&mut out, word, &reason);
                    return chunks.send(out).await;
                }
                () = chunks.closed() => return Err(Gone),
                next = &mut next => break next,
                () = tokio::time::sleep(heartbeat) => {
                    let mut sign = Vec::new();
                    exchange::write_progress(&mut sign, &last);
                    // Not waited for: room that is there would wait along.
                    chunks.send_sign(sign);
                }
            }
        };
        match next {
            Some(Ok(changes)) => {
                out.reserve(SCAN_CHUNK_BYTES * 2);
                last = write(&mut out, &changes);
                drop(changes);
                chunks.send(out).await?;
                // A sign of life tells nothing that is old.
                last.oldest_age_ms = None;
            }
            Some(Err(failed)) => {
                let failed = error(failed);
                let (_, word, reason) = failed.row();
                exchange::write_fault(&mut out, word, &reason);
                return chunks.send(out).await;
            }
            None => {
                exchange::write_end(&mut out);
                return chunks.send(out).await;
            }
        }
    }
}

fn write(out: &mut Vec<u8>, changes: &Changes) -> Progress {
    for row in &changes.rows {
        let docs: Vec<&ReplicatedEdit> = edits(row);
        exchange::write_row(out, &row.id, &row.revs, docs.into_iter());
    }
    let progress = Progress {
        last_seq: changes.last_seq.clone(),
        pending: changes.pending,
        oldest_age_ms: changes.oldest_ms.map(|oldest_ms| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now_ms = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
            now_ms.saturating_sub(oldest_ms)
        }),
    };
    exchange::write_progress(out, &progress);
    progress
}

/// A row's documents, all or none.
fn edits(row: &Change) -> Vec<&ReplicatedEdit> {
    let edits = row.docs.iter().map(|doc| match &doc.content {
        DocContent::Edit(edit) => Some(edit),
        DocContent::Json(_) => None,
    });
    edits.collect::<Option<_>>().unwrap_or_default()
}

fn error(error: PeerError) -> Error {
    match error.kind {
        PeerErrorKind::DatabaseMissing => Error::DatabaseMissing,
        PeerErrorKind::Recreated => Error::StaleSeq(error.reason),
        PeerErrorKind::Invalid => Error::bad(error.reason),
        _ => Error::Internal(error.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::limits::EXCHANGE_SILENCE_MS;
    use trunkline_replicate::Unsent;
    use trunkline_wire::exchange::{Frame, Reader};

    /// Frames of a feed that is quiet for as long as a peer waits.
    #[tokio::test(start_paused = true)]
    async fn a_quiet_feed_gives_signs_of_life_that_move_nothing() {
        for since in [None, Some(Box::from("\"7-x\""))] {
            let (chunks, body) = respond::chunks(Unsent::new(1 << 20).share(""));
            let (stopping, asked) = (CancellationToken::new(), since.clone());
            let heartbeat = Duration::from_millis(EXCHANGE_HEARTBEAT_MS);
            let feed = async {
                let rows = futures_util::stream::pending().boxed();
                run(&stopping, rows, asked, heartbeat, &chunks).await
            };
            let read = async {
                let mut reader = Reader::new();
                let mut body = body.into_data_stream();
                let silence = Duration::from_millis(EXCHANGE_SILENCE_MS);
                let mut signs = 0;
                while signs < 3 {
                    let chunk = tokio::time::timeout(silence / 2, body.next());
                    reader.feed(&chunk.await.unwrap().unwrap().unwrap());
                    while let Some(frame) = reader.next_frame().unwrap() {
                        let Frame::Progress(progress) = frame else {
                            panic!("{frame:?}");
                        };
                        assert_eq!(&*progress.last_seq, since.as_deref().unwrap_or("0"));
                        signs += 1;
                    }
                }
            };
            tokio::select! {
                _ = feed => panic!("it ended"),
                () = read => {}
            }
        }
    }
}
