//! Answers of a connection of HTTP/2 that wait for their client to take more of them. Each has a window of its own: a
//! client that opens none holds the place of its request, while the connection itself is lively.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The answers of one connection.
#[derive(Debug, Default)]
pub(crate) struct Untaken {
    /// Since when each waits.
    since: Mutex<HashMap<u64, Instant>>,
    next: AtomicU64,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Taking {
    of: Arc<Untaken>,
    number: u64,
}

impl Untaken {
    /// Resolves when one of them has waited for too long.
    pub(crate) async fn given_up(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience / 4).await;
            let longest = self.since.lock().values().min().map(Instant::elapsed);
            if longest.is_some_and(|longest| longest >= patience) {
                return;
            }
        }
    }
}

#[cfg(test)]
impl Untaken {
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.since.lock().is_empty()
    }
}

impl Taking {
    pub(crate) fn of(of: &Arc<Untaken>) -> Taking {
        Taking {
            number: of.next.fetch_add(1, Ordering::Relaxed),
            of: Arc::clone(of),
        }
    }

    /// There is more for the client.
    pub(crate) fn waits(&self) {
        self.of.since.lock().insert(self.number, Instant::now());
    }

    /// The client has taken all there was.
    pub(crate) fn taken(&self) {
        self.of.since.lock().remove(&self.number);
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.taken();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_waits_longest_counts() {
        let untaken = Arc::new(Untaken::default());
        let patience = Duration::from_secs(60);
        let (one, other, gone) = (Taking::of(&untaken), Taking::of(&untaken), Taking::of(&untaken));
        gone.waits();
        drop(gone);
        one.waits();
        one.taken();
        let idle = tokio::time::timeout(10 * patience, untaken.given_up(patience));
        assert!(idle.await.is_err());
        for _ in 0..10 {
            other.waits();
            let lively = tokio::time::timeout(patience / 2, untaken.given_up(patience));
            assert!(lively.await.is_err());
        }
        one.waits();
        untaken.given_up(patience).await;
    }
}
