//! What is too slow to be waited for: a peer that trickles would otherwise hold what it was given for ever.

use std::time::Duration;
use tokio::time::Instant;
use trunkline_core::limits::{REPLICATION_STREAM_BYTES_LEAST, REPLICATION_STREAM_WAIT_MS};

/// Waits for what moves bytes, as long as enough of them move meanwhile.
#[derive(Default)]
pub(crate) struct Pace {
    waited: Duration,
    moved: usize,
}

impl Pace {
    /// `None` when it takes too long.
    pub(crate) async fn keep<T>(&mut self, step: impl Future<Output = T>) -> Option<T> {
        let begun = Instant::now();
        let most = Duration::from_millis(REPLICATION_STREAM_WAIT_MS).saturating_sub(self.waited);
        let done = tokio::time::timeout(most, step).await.ok();
        self.waited += begun.elapsed();
        done
    }

    /// So many bytes moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved += bytes;
        if self.moved >= REPLICATION_STREAM_BYTES_LEAST {
            *self = Pace::default();
        }
    }
}
