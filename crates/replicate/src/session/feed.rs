//! The first stage: rows of the source's feed, gathered into batches.

use super::budget::{Asked, BYTES, Held, Share};
use super::tuning::Tuning;
use crate::peer::{Change, Changes, Doc, PeerError};
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use trunkline_core::limits::REPLICATION_BATCH_ROWS;

/// When a batch leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Linger {
    /// So long after its first row: the feed is known to have an end.
    AfterFirst(Duration),
    /// So long after the batch before: at once when the feed was quiet, while what keeps coming shares commits.
    AfterLast(Duration),
}

/// A batch that waits to be moved.
pub(super) struct Batch {
    pub(super) changes: Changes,
    /// Room for its documents.
    pub(super) held: Held,
}

/// How far the next batch is.
pub(super) enum Step {
    /// Rows came, made then where the source tells. They wait for room, and for more.
    Begun(Option<u64>),
    /// It leaves.
    Batch(Batch),
}

/// Gathers batches. Holds nothing while the feed is quiet.
pub(super) struct Gathering {
    feed: BoxStream<'static, Result<Changes, PeerError>>,
    linger: Linger,
    bytes_max: usize,
    priority: i32,
    share: Share,
    left: Option<Instant>,
    begun: Option<Box<Begun>>,
    ended: bool,
    failure: Option<Box<PeerError>>,
}

/// A batch that may grow.
struct Begun {
    changes: Changes,
    bytes: usize,
    until: Instant,
    room: Asked,
    held: Option<Held>,
}

impl Gathering {
    pub(super) fn new(
        feed: BoxStream<'static, Result<Changes, PeerError>>,
        linger: Linger,
        bytes_max: usize,
        priority: i32,
    ) -> Gathering {
        Gathering {
            feed,
            linger,
            bytes_max,
            priority,
            share: Share::default(),
            left: None,
            begun: None,
            ended: false,
            failure: None,
        }
    }

    /// Whether rows wait here to become a batch.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// The next step, the failure behind the last batch, or the end. Nothing is lost when the call is given up and made
    /// again.
    pub(super) async fn step(&mut self, tuning: &Tuning) -> Option<Result<Step, PeerError>> {
        if self.begun.is_some() {
            self.fill(tuning).await;
            let Begun { changes, held, .. } = *self.begun.take()?;
            self.left = Some(Instant::now());
            return held.map(|held| Ok(Step::Batch(Batch { changes, held })));
        }
        if let Some(failure) = self.failure.take() {
            self.ended = true;
            return Some(Err(*failure));
        }
        if self.ended {
            return None;
        }
        match self.feed.next().await {
            None => {
                self.ended = true;
                None
            }
            Some(Err(error)) => {
                self.ended = true;
                Some(Err(error))
            }
            Some(Ok(changes)) => {
                let oldest_ms = changes.oldest_ms;
                self.begin(changes, tuning);
                Some(Ok(Step::Begun(oldest_ms)))
            }
        }
    }

    fn begin(&mut self, changes: Changes, tuning: &Tuning) {
        let now = Instant::now();
        let until = match (self.linger, self.left) {
            (Linger::AfterFirst(linger), _) => now + linger,
            (Linger::AfterLast(linger), Some(left)) => now.max(left + linger),
            (Linger::AfterLast(_), None) => now,
        };
        let bytes = expected_bytes(&changes, tuning);
        self.begun = Some(Box::new(Begun {
            room: BYTES.ask(&self.share, bytes, self.priority),
            held: None,
            changes,
            bytes,
            until,
        }));
    }

    /// Waits for room, then for more rows until it is time to leave.
    async fn fill(&mut self, tuning: &Tuning) {
        let Some(begun) = &mut self.begun else { return };
        if begun.held.is_none() {
            begun.held = Some(begun.room.come().await);
        }
        let full = |begun: &Begun| {
            begun.changes.rows.len() >= REPLICATION_BATCH_ROWS
                || begun.bytes >= self.bytes_max
                || begun.held.as_ref().is_some_and(|held| !held.may_grow())
        };
        while !full(begun) && !self.ended && self.failure.is_none() {
            match timeout_at(begun.until, self.feed.next()).await {
                Err(_) => return,
                Ok(None) => self.ended = true,
                Ok(Some(Err(error))) => self.failure = Some(Box::new(error)),
                Ok(Some(Ok(more))) => {
                    let bytes = expected_bytes(&more, tuning);
                    begun.bytes += bytes;
                    begun.changes.append(more);
                    if let Some(held) = &mut begun.held {
                        held.grow(bytes);
                    }
                }
            }
        }
    }
}

/// Bytes of rows, and of the documents that will have to be fetched for them.
fn expected_bytes(changes: &Changes, tuning: &Tuning) -> usize {
    let bytes: usize = changes.rows.iter().map(Change::bytes).sum();
    let without = changes.rows.iter().filter(|row| row.docs.is_empty()).count();
    bytes + tuning.expected_bytes(without).min(super::batch::PORTION_BYTES)
}

impl Changes {
    fn append(&mut self, more: Changes) {
        self.rows.extend(more.rows);
        self.last_seq = more.last_seq;
        self.pending = more.pending;
        self.oldest_ms = match (self.oldest_ms, more.oldest_ms) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }
}

impl Change {
    /// Bytes it holds in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let odd: usize = self.odd_revs.iter().map(|rev| 48 + rev.len()).sum();
        let docs: usize = self.docs.iter().map(Doc::bytes).sum();
        size_of::<Change>() + self.id.len() + 48 * self.revs.len() + odd + docs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerErrorKind;
    use futures_util::stream;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use tokio::sync::mpsc;
    use trunkline_core::limits::REPLICATION_BATCH_BYTES;

    fn rows(from: usize, count: usize) -> Result<Changes, PeerError> {
        let rows = (from..from + count)
            .map(|at| Change {
                id: at.to_string().into(),
                revs: Vec::new(),
                odd_revs: Vec::new(),
                docs: Vec::new(),
            })
            .collect();
        Ok(Changes {
            rows,
            last_seq: (from + count).to_string().into(),
            pending: None,
            oldest_ms: Some(5000 - from as u64),
        })
    }

    fn tuning() -> Tuning {
        let tuning = Tuning::new(false, false, Arc::new(AtomicBool::new(true)));
        (0..20).for_each(|_| tuning.fetched(1, 64));
        tuning
    }

    async fn next(gathering: &mut Gathering, tuning: &Tuning) -> Option<Result<Changes, PeerError>> {
        loop {
            match gathering.step(tuning).await? {
                Ok(Step::Begun(_)) => assert!(gathering.has_begun()),
                Ok(Step::Batch(batch)) => return Some(Ok(batch.changes)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn gathering(feed: BoxStream<'static, Result<Changes, PeerError>>, linger: Linger) -> Gathering {
        Gathering::new(feed, linger, REPLICATION_BATCH_BYTES, 0)
    }

    #[tokio::test]
    async fn joins_what_is_there_and_keeps_order_and_failure() {
        let failure = PeerError::new("p", PeerErrorKind::Unavailable, "cut");
        let feed = stream::iter(vec![
            rows(0, 400),
            rows(400, 400),
            rows(800, 400),
            rows(1200, 1),
            Err(failure),
        ]);
        let tuning = tuning();
        let mut gathering = gathering(feed.boxed(), Linger::AfterFirst(Duration::from_secs(60)));
        let first = next(&mut gathering, &tuning).await.unwrap().unwrap();
        assert_eq!((first.rows.len(), &*first.last_seq), (1200, "1200"));
        assert_eq!(first.oldest_ms, Some(4200));
        let ids = first.rows.iter().enumerate();
        assert!(ids.into_iter().all(|(at, row)| *row.id == *at.to_string()));
        let second = next(&mut gathering, &tuning).await.unwrap().unwrap();
        assert_eq!(second.rows.len(), 1);
        assert!(next(&mut gathering, &tuning).await.unwrap().is_err());
        assert!(next(&mut gathering, &tuning).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_batch_leaves_at_once_but_not_close_behind_another() {
        let (sender, receiver) = mpsc::channel(9);
        let feed = stream::unfold(receiver, |mut receiver: mpsc::Receiver<_>| async move {
            receiver.recv().await.map(|changes| (changes, receiver))
        });
        let pause = Duration::from_millis(20);
        let mut gathering = gathering(feed.boxed(), Linger::AfterLast(pause));
        let tuning = tuning();
        let began = Instant::now();
        sender.send(rows(0, 1)).await.unwrap();
        next(&mut gathering, &tuning).await.unwrap().unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        tokio::spawn(async move {
            for at in 1..40 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                sender.send(rows(at, 1)).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let mut left = 39;
        let mut batches = 0;
        while left > 0 {
            left -= next(&mut gathering, &tuning).await.unwrap().unwrap().rows.len();
            batches += 1;
        }
        assert!(
            began.elapsed() >= pause * batches,
            "{batches} in {:?}",
            began.elapsed()
        );
        assert!(batches <= 3, "{batches}");
    }
}
