//! A local database's changes, chunk by chunk, each on a fresh snapshot.

use super::LocalPeer;
use crate::peer::{Change, Changes, ChangesAsk, Doc, DocContent, PeerError, PeerErrorKind};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trunkline_core::Seq;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::{Body, ReplicatedEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::REPLICATION_BATCH_ROWS;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;
use trunkline_store::{ChangeRow, ChangesScan, Database};
use trunkline_wire::seq::{self, Since};

pub(super) async fn open(
    peer: LocalPeer,
    ask: ChangesAsk,
) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
    let (database, suffix, last) = peer
        .with_database(|peer, database| {
            let info = database.info().map_err(|error| peer.error(&error))?;
            let suffix: Box<str> = seq::suffix(&info.uuid).into();
            Ok((database, suffix, info.update_seq))
        })
        .await?;
    let since = start(&peer, ask.since.as_deref(), &suffix, &database).await?;
    let feed = Feed {
        since,
        until: if ask.continuous { Seq::MAX } else { last },
        ended: false,
        filter: Arc::new(Filter {
            main_only: ask.main_only,
            doc_ids: ask.doc_ids.map(|ids| ids.into_iter().collect()),
            selector: ask.selector.map(|(_, selector)| selector),
            docs: ask.docs,
        }),
        continuous: ask.continuous,
        suffix,
        database,
        peer,
    };
    Ok(stream::unfold(feed, |mut feed| async move {
        feed.next().await.map(|changes| (changes, feed))
    })
    .boxed())
}

async fn start(
    peer: &LocalPeer,
    since: Option<&str>,
    suffix: &str,
    database: &Database,
) -> Result<Seq, PeerError> {
    let Some(since) = since else { return Ok(0) };
    let invalid = |kind, reason| PeerError::new(peer.name.as_str(), kind, reason);
    match seq::parse(since) {
        Ok(Since::Start) => Ok(0),
        Ok(Since::Now) => database.last_seq().map_err(|error| peer.error(&error)),
        Ok(Since::Seq {
            suffix: Some(other), ..
        }) if *other != *suffix => {
            let reason = format!("seq {since} is of another incarnation of the database");
            Err(invalid(PeerErrorKind::Recreated, reason))
        }
        Ok(Since::Seq { seq, .. }) => Ok(seq),
        Ok(Since::Time(time_ms)) => {
            let at = move |peer: &LocalPeer, database: Database| {
                database.seq_at(time_ms).map_err(|error| peer.error(&error))
            };
            peer.with_database(at).await
        }
        Err(_) => Err(invalid(PeerErrorKind::Invalid, format!("{since} is no seq"))),
    }
}

struct Feed {
    peer: LocalPeer,
    database: Database,
    suffix: Box<str>,
    since: Seq,
    until: Seq,
    ended: bool,
    continuous: bool,
    filter: Arc<Filter>,
}

struct Filter {
    main_only: bool,
    doc_ids: Option<HashSet<String>>,
    selector: Option<Selector>,
    docs: Arc<AtomicBool>,
}

impl Feed {
    async fn next(&mut self) -> Option<Result<Changes, PeerError>> {
        if self.ended {
            return None;
        }
        loop {
            // Taken before looking, so that no commit falls between.
            let listener = self.database.listen();
            let scanned = self.chunk().await;
            match scanned {
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                Ok(Some(changes)) => return Some(Ok(changes)),
                Ok(None) if self.continuous => listener.await,
                Ok(None) => {
                    self.ended = true;
                    return None;
                }
            }
        }
    }

    /// The next rows; `None` when there are none after `since`.
    async fn chunk(&mut self) -> Result<Option<Changes>, PeerError> {
        let (peer, database, filter) = (self.peer.clone(), self.database.clone(), Arc::clone(&self.filter));
        let scan = ChangesScan {
            since: self.since,
            until: self.until,
            descending: false,
            bodies: filter.docs.load(Ordering::Relaxed) || filter.selector.is_some(),
            limit: REPLICATION_BATCH_ROWS,
        };
        let scanned = move || {
            let newest = database.last_seq().map_err(|error| peer.error(&error))?;
            let mut rows = Vec::new();
            let mut take = |row: ChangeRow<'_>| {
                rows.extend(filter.change(row));
                ControlFlow::Continue(())
            };
            let end = database
                .changes(&scan, &mut take)
                .map_err(|error| peer.error(&error))?;
            Ok((rows, end.last, newest))
        };
        let (rows, last, newest) = self.peer.blocking(scanned).await?;
        let Some(last) = last.filter(|last| *last > self.since) else {
            return Ok(None);
        };
        self.since = last;
        Ok(Some(Changes {
            rows,
            last_seq: seq::json(last, &self.suffix).into(),
            pending: Some(newest.saturating_sub(last)),
        }))
    }
}

impl Filter {
    fn change(&self, row: ChangeRow<'_>) -> Option<Change> {
        if self.doc_ids.as_ref().is_some_and(|ids| !ids.contains(row.id)) {
            return None;
        }
        let mut leaves = row.leaves;
        let (winner, deleted) = leaves.next()?;
        let winners_body = row.winner.as_ref();
        if let Some(selector) = &self.selector {
            let body = Body::from_stored(winners_body?.body);
            if !selector.matches(row.id, &winner, deleted, &body) {
                return None;
            }
        }
        let mut revs = vec![winner];
        if !self.main_only {
            revs.extend(leaves.map(|(rev, _)| rev));
        }
        let doc = match (revs.as_slice(), winners_body) {
            ([only], Some(winner)) if self.docs.load(Ordering::Relaxed) => {
                whole_document(row.id, only, deleted, winner.body, &winner.attachments)
            }
            _ => None,
        };
        Some(Change {
            id: row.id.into(),
            revs,
            doc,
        })
    }
}

/// The document, where its row tells all of it.
fn whole_document(id: &str, rev: &Rev, deleted: bool, body: &str, attachments: &[Attachment]) -> Option<Doc> {
    if rev.generation != 1 || !attachments.is_empty() {
        return None;
    }
    let edit = ReplicatedEdit {
        id: DocId::parse(id).ok()?,
        path: rev.clone().into(),
        deleted,
        body: Body::from_stored(body),
        attachments: Vec::new(),
    };
    Some(Doc {
        id: id.into(),
        rev: rev.clone(),
        content: DocContent::Edit(edit),
    })
}
