//! The first stage: rows of the source's feed, gathered into batches.

use crate::peer::{Change, Changes, Doc, PeerError};
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use trunkline_core::limits::{REPLICATION_BATCH_BYTES, REPLICATION_BATCH_ROWS};

/// Sends batches until the feed ends or fails. A batch is what comes within `linger` of its first row: a single change
/// on a quiet link leaves nearly at once, and many share a round trip.
pub(super) async fn gather(
    mut feed: BoxStream<'static, Result<Changes, PeerError>>,
    linger: Duration,
    batches: mpsc::Sender<Result<Changes, PeerError>>,
) {
    while let Some(first) = feed.next().await {
        let mut failure = None;
        let mut ended = false;
        let until = Instant::now() + linger;
        let mut batch = match first {
            Ok(changes) => changes,
            Err(error) => {
                // The receiver may be gone; then nobody needs the error.
                let _ = batches.send(Err(error)).await;
                return;
            }
        };
        while !is_full(&batch) && failure.is_none() && !ended {
            match timeout_at(until, feed.next()).await {
                Err(_) => break,
                Ok(None) => ended = true,
                Ok(Some(Err(error))) => failure = Some(error),
                Ok(Some(Ok(more))) => {
                    batch.rows.extend(more.rows);
                    batch.last_seq = more.last_seq;
                    batch.pending = more.pending;
                }
            }
        }
        if batches.send(Ok(batch)).await.is_err() || ended {
            return;
        }
        if let Some(error) = failure {
            let _ = batches.send(Err(error)).await;
            return;
        }
    }
}

fn is_full(batch: &Changes) -> bool {
    batch.rows.len() >= REPLICATION_BATCH_ROWS
        || batch.rows.iter().map(Change::bytes).sum::<usize>() >= REPLICATION_BATCH_BYTES
}

impl Change {
    fn bytes(&self) -> usize {
        let odd: usize = self.odd_revs.iter().map(|rev| 48 + rev.len()).sum();
        self.id.len() + 48 * self.revs.len() + odd + self.docs.iter().map(Doc::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerErrorKind;
    use futures_util::stream;

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
            oldest_ms: None,
        })
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
        let (sender, mut batches) = mpsc::channel(9);
        gather(feed.boxed(), Duration::from_secs(60), sender).await;
        let first = batches.recv().await.unwrap().unwrap();
        assert_eq!((first.rows.len(), &*first.last_seq), (1200, "1200"));
        assert!(
            first
                .rows
                .iter()
                .enumerate()
                .all(|(at, row)| *row.id == *at.to_string())
        );
        assert_eq!(batches.recv().await.unwrap().unwrap().rows.len(), 1);
        assert!(batches.recv().await.unwrap().is_err());
        assert!(batches.recv().await.is_none());
    }
}
