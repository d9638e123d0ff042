//! A local database's changes, chunk by chunk, each on a fresh snapshot.

use super::LocalPeer;
use super::carry::Carry;
use super::filter::{Docket, LocalFilter};
use crate::peer::{Change, Changes, ChangesAsk, Doc, Oldest, Peer, PeerError, PeerErrorKind};
use crate::unsent::Share;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::limits::{REPLICATION_BATCH_BYTES, REPLICATION_BATCH_ROWS};
use trunkline_core::rev::Rev;
use trunkline_core::selector::{Selector, TooMuchWork, Work};
use trunkline_store::{ChangeRow, ChangesScan, Database, Error, ScanEnd, Want, WantRevs, WinnerBody};
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::seq::{self, Since};

pub(super) async fn open(
    peer: LocalPeer,
    ask: ChangesAsk,
) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
    let judge = match ask.filter.clone() {
        None => None,
        Some(filter) => {
            let found = move |peer: &LocalPeer, database: Database| peer.filter(&database, &filter);
            Some(peer.with_database(found).await?)
        }
    };
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
            judge,
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
    /// A function of a design document.
    judge: Option<LocalFilter>,
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
        let (rows, last, newest, oldest_ms) = loop {
            if let Some(share) = &self.peer.share {
                share.room().await;
            }
            // There may be none any more when a thread comes to it.
            if let Some(scanned) = self.scan_if_room().await? {
                break scanned;
            }
        };
        if last <= self.since {
            return Ok(None);
        }
        self.since = last;
        Ok(Some(Changes {
            rows,
            last_seq: seq::json(last, &self.suffix).into(),
            // How many there are is nobody's business who does not see them.
            pending: self
                .database
                .is_whole()
                .then(|| newest.min(self.until).saturating_sub(last)),
            oldest_ms,
        }))
    }

    /// Reads the next rows, on a thread that may block; `None` where there is no room for them.
    async fn scan_if_room(&self) -> Result<Option<Scanned>, PeerError> {
        let (peer, database, filter) = (self.peer.clone(), self.database.clone(), Arc::clone(&self.filter));
        let name = self.name.clone();
        let scan = ChangesScan {
            since: self.since,
            until: self.until,
            descending: false,
            bodies: filter.carry.wanted() || filter.selector.is_some() || filter.judge.is_some(),
            limit: REPLICATION_BATCH_ROWS,
        };
        let scanned = move || {
            if peer.share.as_ref().is_some_and(Share::is_full) {
                return Ok(None);
            }
            let newest = database.last_seq().map_err(|error| peer.error(&error))?;
            let mut found = Found::default();
            let mut failed = None;
            let mut take = |row: ChangeRow<'_>| match found.take(&filter, &database, row) {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            };
            let end = scan_rows(&database, name.as_deref(), &scan, &mut take);
            let end = match failed {
                Some(Failed::Store(error)) => Err(error),
                Some(Failed::Work(too_much)) => {
                    let reason = too_much.to_string();
                    return Err(PeerError::new(peer.label(), PeerErrorKind::Invalid, reason));
                }
                None => end,
            };
            let end = end.map_err(|error| peer.error(&error))?;
            if let Some(judge) = &filter.judge {
                // One that throws today may not tomorrow.
                let broke = |reason| PeerError::new(peer.label(), PeerErrorKind::Unavailable, reason);
                (found.rows, found.oldest_ms) = found.docket.judged(judge).map_err(broke)?;
            }
            // What was at the newest seqs may have moved on or be purged, and a crash leaves out many where writes are
            // relaxed: they are passed all the same, or it would never be known that nothing is left.
            let passed = if end.done { newest.min(scan.until) } else { 0 };
            let last = end.last.unwrap_or(0).max(passed);
            Ok(Some((found.rows, last, newest, found.oldest_ms)))
        };
        match self.filter.selector {
            Some(_) => self.peer.in_turn(&self.database, scanned).await,
            None => self.peer.blocking(scanned).await,
        }
    }
}

/// Rows, the seq they reach, the newest there is, and when the oldest of them was made.
type Scanned = (Vec<Change>, Seq, Seq, Option<u64>);

/// Rows of a chunk.
#[derive(Default)]
struct Found {
    rows: Vec<Change>,
    oldest_ms: Option<u64>,
    /// Of documents carried for leaves that are not winners.
    conflict_bytes: usize,
    /// Rows that a function is to judge.
    docket: Docket,
    /// What the selector took.
    work: Work,
}

/// Why a row is not judged.
enum Failed {
    Store(Error),
    Work(TooMuchWork),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Store(error)
    }
}

impl From<TooMuchWork> for Failed {
    fn from(too_much: TooMuchWork) -> Failed {
        Failed::Work(too_much)
    }
}

impl Found {
    /// Takes a row, where it passes; answers whether there is room for more.
    fn take(
        &mut self,
        filter: &Filter,
        database: &Database,
        row: ChangeRow<'_>,
    ) -> Result<ControlFlow<()>, Failed> {
        if filter.judge.is_some() {
            if filter.may_pass(&row) {
                self.docket.hold(database, &row, filter.main_only)?;
            }
            return Ok(room(self.docket.conflict_bytes));
        }
        let origin_ms = row.time_ms.saturating_sub(row.age_ms);
        let change = filter.change(database, row, &self.work)?;
        let enough = match self.work.is_enough() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let Some(change) = change else {
            return Ok(enough);
        };
        self.oldest_ms = Some(self.oldest_ms.map_or(origin_ms, |oldest| oldest.min(origin_ms)));
        self.conflict_bytes += change.docs.iter().skip(1).map(Doc::bytes).sum::<usize>();
        self.rows.push(change);
        Ok(match enough {
            ControlFlow::Break(()) => enough,
            ControlFlow::Continue(()) => room(self.conflict_bytes),
        })
    }
}

/// Whether a chunk may go on that has carried so much beside winners.
fn room(conflict_bytes: usize) -> ControlFlow<()> {
    match conflict_bytes >= REPLICATION_BATCH_BYTES {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// One chunk of all changes, or of those in a named feed.
fn scan_rows(
    database: &Database,
    feed: Option<&str>,
    scan: &ChangesScan,
    take: &mut dyn FnMut(ChangeRow<'_>) -> ControlFlow<()>,
) -> Result<ScanEnd<Seq>, Error> {
    let Some(feed) = feed else {
        return database.changes(scan, take);
    };
    match database.feed_changes(feed, scan, take) {
        // It was declared anew.
        Err(Error::FeedUnbuilt(_)) => {
            database.build_feed(feed)?;
            database.feed_changes(feed, scan, take)
        }
        end => end,
    }
}

impl Filter {
    /// Whether a row may pass as far as its id and its winner's deletion tell.
    fn may_pass(&self, row: &ChangeRow<'_>) -> bool {
        let is_deleted = row.leaves.clone().next().is_none_or(|(_, deleted)| deleted);
        self.doc_ids.as_ref().is_none_or(|ids| ids.contains(row.id)) && !(is_deleted && self.without_deleted)
    }

    fn change(&self, database: &Database, row: ChangeRow<'_>, work: &Work) -> Result<Option<Change>, Failed> {
        if !self.may_pass(&row) {
            return Ok(None);
        }
        let mut leaves = row.leaves.clone();
        let Some((winner, deleted)) = leaves.next() else {
            return Ok(None);
        };
        let shown = if self.main_only { 1 } else { usize::MAX };
        let revs: Vec<Rev> = match &self.selector {
            Some(selector) if !self.main_only && leaves.next().is_some() => {
                passing(database, row.id, selector, work)?
            }
            Some(selector) => {
                let leaves: Vec<_> = row.leaves.clone().collect();
                let judge = |body: &WinnerBody<'_>| {
                    let doc = Pieces {
                        id: row.id,
                        rev: &winner,
                        deleted,
                        body: body.body,
                        attachments: &body.attachments,
                    };
                    document::judged(selector, doc, &leaves, work)
                };
                let passes = row.winner.as_ref().map(judge).transpose()?.unwrap_or(false);
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
fn passing(database: &Database, id: &str, selector: &Selector, work: &Work) -> Result<Vec<Rev>, Failed> {
    let want = Want {
        id: id.to_owned(),
        revs: WantRevs::All,
    };
    let found = database.bulk_get(&[want])?.into_iter().flatten();
    let leaves = found.flat_map(|found| found.leaves);
    let mut passing = Vec::new();
    for leaf in leaves {
        let doc = Pieces {
            id,
            rev: &leaf.rev,
            deleted: leaf.deleted,
            body: leaf.body.as_str(),
            attachments: &leaf.attachments,
        };
        if document::judged(selector, doc, &[], work)? {
            passing.push(leaf.rev);
        }
    }
    Ok(passing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::db_name::DbName;
    use trunkline_core::doc::{Body, Edit, ReplicatedEdit, RevPath};
    use trunkline_core::doc_id::DocId;
    use trunkline_core::rev::Digest;
    use trunkline_store::{Batch, Store};

    #[test]
    fn what_a_function_judges_is_bounded_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let database = store.create(&DbName::parse("calls").unwrap()).unwrap();
        // The scan counts winners, which are short here.
        let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(REPLICATION_BATCH_BYTES / 2));
        let leaf = |id: &str, digest: &str, body: &str| {
            Edit::Replicated(ReplicatedEdit {
                id: DocId::parse(id).unwrap(),
                path: RevPath::new(1, vec![Digest::parse(digest, 1).unwrap()]).unwrap(),
                deleted: false,
                body: Body::parse(body).unwrap(),
                attachments: Vec::new(),
                age_ms: 0,
            })
        };
        for id in ["a", "b", "c"] {
            let edits = vec![leaf(id, "aa", &long), leaf(id, "bb", "{}")];
            let batch = Batch {
                edits,
                ..Batch::default()
            };
            assert!(database.update(batch).unwrap().iter().all(Result::is_ok));
        }
        let filter = Filter {
            main_only: false,
            doc_ids: None,
            selector: None,
            without_deleted: false,
            judge: Some(LocalFilter {
                code: String::new(),
                takes: Arc::new(|docs| Ok(vec![true; docs.len()])),
            }),
            carry: Carry {
                docs: Arc::default(),
                contents: false,
            },
        };
        let scan = ChangesScan {
            since: 0,
            until: Seq::MAX,
            descending: false,
            bodies: true,
            limit: 10,
        };
        let mut found = Found::default();
        let mut take = |row: ChangeRow<'_>| found.take(&filter, &database, row).ok().unwrap();
        let end = database.changes(&scan, &mut take).unwrap();
        assert_eq!(
            (
                end.done,
                found
                    .docket
                    .judged(filter.judge.as_ref().unwrap())
                    .unwrap()
                    .0
                    .len()
            ),
            (false, 2)
        );
    }
}
