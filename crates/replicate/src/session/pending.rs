//! How many changes a source has left, where its feed does not say: asked for now and then, beside the work.

use crate::peer::{Peer, PeerError};
use std::future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How often it is asked: some servers count for a while.
const EVERY: Duration = Duration::from_secs(5);

/// What is known of one attempt's source.
pub(super) struct Pending {
    source: Arc<dyn Peer>,
    asked: Instant,
    /// Rows finished since it was asked.
    since_asked: u64,
    answer: Option<AbortOnDropHandle<Result<Option<u64>, PeerError>>>,
    left: Option<u64>,
}

impl Pending {
    pub(super) fn new(source: Arc<dyn Peer>) -> Pending {
        Pending {
            source,
            asked: Instant::now(),
            since_asked: 0,
            answer: None,
            left: None,
        }
    }

    /// Asks how many changes there are behind `seq`.
    pub(super) fn ask(&mut self, seq: &str) {
        let (source, seq) = (Arc::clone(&self.source), seq.to_owned());
        self.asked = Instant::now();
        self.since_asked = 0;
        let asking = tokio::spawn(async move { source.pending(&seq).await });
        self.answer = Some(AbortOnDropHandle::new(asking));
    }

    /// So many rows up to `seq` are finished, and `told` is what the feed said of those behind.
    pub(super) fn finished(&mut self, rows: u64, seq: &str, told: Option<u64>) -> Option<u64> {
        if told.is_some() {
            self.left = told;
            self.answer = None;
            self.asked = Instant::now();
            return told;
        }
        self.since_asked += rows;
        self.left = self.left.map(|left| left.saturating_sub(rows));
        if self.answer.is_none() && self.asked.elapsed() >= EVERY {
            self.ask(seq);
        }
        self.left
    }

    /// Waits for an answer that is under way.
    pub(super) async fn answered(&mut self) -> Option<u64> {
        let Some(answer) = &mut self.answer else {
            return future::pending().await;
        };
        let answer: Result<_, JoinError> = answer.await;
        self.answer = None;
        // It is of use to people only: whatever fails here fails elsewhere, or need not be told.
        if let Ok(Ok(Some(behind))) = answer {
            self.left = Some(behind.saturating_sub(self.since_asked));
        }
        self.left
    }
}
