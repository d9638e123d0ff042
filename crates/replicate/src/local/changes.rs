//! A local database's changes, chunk by chunk, each on a fresh snapshot.

use super::LocalPeer;
use super::carry::Carry;
use crate::peer::{Change, Changes, ChangesAsk, Doc, Oldest, Peer, PeerError, PeerErrorKind};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::limits::{REPLICATION_BATCH_BYTES, REPLICATION_BATCH_ROWS};
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;
use trunkline_store::{ChangeRow, ChangesScan, Database, Error, Want, WantRevs};
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::seq::{self, Since};

pub(super) async fn open(
    peer: LocalPeer,
    ask: ChangesAsk,
) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
    if let Some(filter) = &ask.filter {
        Peer::filter_code(&peer, filter).await?;
    }
    let feed_name = ask.feed_name.clone();
    let (database, suffix, last) = peer
        .with_database(move |peer, database| {
            // First: what building moves belongs to the feed.
            if let Some(name) = feed_name {
                database.build_feed(&name).map_err(|error| peer.error(&error))?;
            }
            let info = database.info().map_err(|error| peer.error(&error))?;
            let suffix: Box<str> = seq::suffix(&info.uuid).into();
            Ok((database, suffix, info.update_seq))
        })
        .await?;
    let since = start(&peer, ask.since.as_deref(), &suffix, &database).await?;
    let until = match &ask.until {
        Some(until) => start(&peer, Some(until), &suffix, &database).await?,
        None => Seq::MAX,
    };
    let feed = Feed {
        since,
        until: if ask.continuous { until } else { until.min(last) },
        ended: false,
        name: ask.feed_name,
        filter: Arc::new(Filter {
            main_only: ask.main_only,
            doc_ids: ask.doc_ids.map(|ids| ids.into_iter().collect()),
            selector: ask.selector.map(|(_, selector)| selector),
            without_deleted: ask.without_deleted,
            carry: Carry {
                docs: ask.docs,
                contents: ask.contents,
            },
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

/// How many changes there are behind a seq.
pub(super) async fn pending(peer: &LocalPeer, since: &str) -> Result<Option<u64>, PeerError> {
    let (database, suffix) = looked_up(peer).await?;
    let since = start(peer, Some(since), &suffix, &database).await?;
    peer.with_database(move |peer, database| {
        let count = database.count_changes(since);
        count.map(Some).map_err(|error| peer.error(&error))
    })
    .await
}

/// When the first change behind a seq was made.
pub(super) async fn oldest_after(peer: &LocalPeer, since: &str) -> Result<Oldest, PeerError> {
    let (database, suffix) = looked_up(peer).await?;
    let since = start(peer, Some(since), &suffix, &database).await?;
    peer.with_database(move |peer, database| {
        let oldest = database.oldest_after(since).map_err(|error| peer.error(&error))?;
        Ok(oldest.map_or(Oldest::Nothing, Oldest::Since))
    })
    .await
}

async fn looked_up(peer: &LocalPeer) -> Result<(Database, Box<str>), PeerError> {
    peer.with_database(|peer, database| {
        let info = database.info().map_err(|error| peer.error(&error))?;
        Ok((database, seq::suffix(&info.uuid).into()))
    })
    .await
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
    /// Of a named feed.
    name: Option<String>,
    filter: Arc<Filter>,
}

struct Filter {
    main_only: bool,
    doc_ids: Option<HashSet<String>>,
    selector: Option<Selector>,
    without_deleted: bool,
    carry: Carry,
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
                Ok(None) if self.continuous && self.since < self.until => listener.await,
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
        let name = self.name.clone();
        let scan = ChangesScan {
            since: self.since,
            until: self.until,
            descending: false,
            bodies: filter.carry.wanted() || filter.selector.is_some(),
            limit: REPLICATION_BATCH_ROWS,
        };
        let scanned = move || {
            let newest = database.last_seq().map_err(|error| peer.error(&error))?;
            let (mut rows, mut failed) = (Vec::new(), None);
            let (mut oldest_ms, mut conflict_bytes) = (None, 0);
            let mut take = |row: ChangeRow<'_>| {
                let origin_ms = row.time_ms.saturating_sub(row.age_ms);
                match filter.change(&database, row) {
                    Ok(Some(change)) => {
                        oldest_ms = Some(oldest_ms.map_or(origin_ms, |oldest: u64| oldest.min(origin_ms)));
                        conflict_bytes += change.docs.iter().skip(1).map(Doc::bytes).sum::<usize>();
                        rows.push(change);
                        if conflict_bytes >= REPLICATION_BATCH_BYTES {
                            return ControlFlow::Break(());
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        failed = Some(error);
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            };
            let end = match &name {
                None => database.changes(&scan, &mut take),
                Some(name) => match database.feed_changes(name, &scan, &mut take) {
                    // It was declared anew.
                    Err(Error::FeedUnbuilt(_)) => {
                        database.build_feed(name).map_err(|error| peer.error(&error))?;
                        database.feed_changes(name, &scan, &mut take)
                    }
                    end => end,
                },
            };
            let end = failed.map_or(end, Err).map_err(|error| peer.error(&error))?;
            // What was at the newest seqs may have moved on or be purged, and a crash leaves out many where writes are
            // relaxed: they are passed all the same, or it would never be known that nothing is left.
            let passed = if end.done { newest.min(scan.until) } else { 0 };
            Ok((rows, end.last.unwrap_or(0).max(passed), newest, oldest_ms))
        };
        let (rows, last, newest, oldest_ms) = self.peer.blocking(scanned).await?;
        if last <= self.since {
            return Ok(None);
        }
        self.since = last;
        Ok(Some(Changes {
            rows,
            last_seq: seq::json(last, &self.suffix).into(),
            pending: Some(newest.min(self.until).saturating_sub(last)),
            oldest_ms,
        }))
    }
}

impl Filter {
    fn change(&self, database: &Database, row: ChangeRow<'_>) -> Result<Option<Change>, Error> {
        if self.doc_ids.as_ref().is_some_and(|ids| !ids.contains(row.id)) {
            return Ok(None);
        }
        let mut leaves = row.leaves.clone();
        let Some((winner, deleted)) = leaves.next() else {
            return Ok(None);
        };
        if deleted && self.without_deleted {
            return Ok(None);
        }
        let shown = if self.main_only { 1 } else { usize::MAX };
        let revs: Vec<Rev> = match &self.selector {
            Some(selector) if !self.main_only && leaves.next().is_some() => {
                passing(database, row.id, selector)?
            }
            Some(selector) => {
                let leaves: Vec<_> = row.leaves.clone().collect();
                let passes = row.winner.as_ref().is_some_and(|body| {
                    let doc = Pieces {
                        id: row.id,
                        rev: &winner,
                        deleted,
                        body: body.body,
                        attachments: &body.attachments,
                    };
                    document::is_selected(selector, doc, &leaves)
                });
                passes.then(|| winner.clone()).into_iter().collect()
            }
            None => row.leaves.clone().map(|(rev, _)| rev).take(shown).collect(),
        };
        if revs.is_empty() {
            return Ok(None);
        }
        let docs = self.carry.docs(database, &row, &revs)?;
        Ok(Some(Change {
            id: row.id.into(),
            revs,
            odd_revs: Vec::new(),
            docs,
        }))
    }
}

/// The leaves that a selector takes: each is judged by its own body, as in CouchDB.
fn passing(database: &Database, id: &str, selector: &Selector) -> Result<Vec<Rev>, Error> {
    let want = Want {
        id: id.to_owned(),
        revs: WantRevs::All,
    };
    let found = database.bulk_get(&[want])?.into_iter().flatten();
    let leaves = found.flat_map(|found| found.leaves);
    let passing = leaves.filter(|leaf| {
        let doc = Pieces {
            id,
            rev: &leaf.rev,
            deleted: leaf.deleted,
            body: leaf.body.as_str(),
            attachments: &leaf.attachments,
        };
        document::is_selected(selector, doc, &[])
    });
    Ok(passing.map(|leaf| leaf.rev).collect())
}
