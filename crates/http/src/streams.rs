//! What is open on a connection of HTTP/2: requests until their answers are gone. A connection without any is not kept for
//! ever, nor one whose client takes no more of an answer: each has a window of its own, and a client that opens none holds
//! the place of its request, while the connection itself is lively.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Streams(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Whether the connection speaks HTTP/1.1, where it is seen to otherwise.
    is_http1: bool,
    open: usize,
    /// When the last one was over.
    quiet_since: Instant,
    /// Since when those wait whose answers are not taken.
    untaken: HashMap<u64, Instant>,
    next: u64,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    of: Arc<Streams>,
    number: u64,
}

impl Streams {
    pub(crate) fn new() -> Streams {
        Streams(Mutex::new(State {
            is_http1: false,
            open: 0,
            quiet_since: Instant::now(),
            untaken: HashMap::new(),
            next: 0,
        }))
    }

    /// A request of HTTP/2 came.
    pub(crate) fn open(self: &Arc<Streams>) -> Stream {
        let mut state = self.0.lock();
        state.open += 1;
        state.next += 1;
        Stream {
            of: Arc::clone(self),
            number: state.next,
        }
    }

    /// A request of HTTP/1.1 came.
    pub(crate) fn is_http1(&self) {
        self.0.lock().is_http1 = true;
    }

    /// Resolves when an answer has waited for too long for its client to take more of it.
    pub(crate) async fn untaken_for(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience / 4).await;
            let longest = self.0.lock().untaken.values().min().map(Instant::elapsed);
            if longest.is_some_and(|longest| longest >= patience) {
                return;
            }
        }
    }

    /// Resolves when nothing has been open for so long.
    pub(crate) async fn quiet_for(&self, patience: Duration) {
        loop {
            let since = {
                let state = self.0.lock();
                let is_quiet = state.open == 0 && !state.is_http1;
                is_quiet.then_some(state.quiet_since)
            };
            let end = since.unwrap_or_else(Instant::now) + patience;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }

    #[cfg(test)]
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.0.lock().untaken.is_empty()
    }
}

impl Stream {
    /// There is more for the client.
    pub(crate) fn waits(&self) {
        self.of.0.lock().untaken.insert(self.number, Instant::now());
    }

    /// The client has taken all there was.
    pub(crate) fn taken(&self) {
        self.of.0.lock().untaken.remove(&self.number);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.of.0.lock();
        state.untaken.remove(&self.number);
        state.open -= 1;
        if state.open == 0 {
            state.quiet_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_waits_longest_counts() {
        let streams = Arc::new(Streams::new());
        let patience = Duration::from_secs(60);
        let (one, other, gone) = (streams.open(), streams.open(), streams.open());
        gone.waits();
        drop(gone);
        one.waits();
        one.taken();
        let idle = tokio::time::timeout(10 * patience, streams.untaken_for(patience));
        assert!(idle.await.is_err());
        for _ in 0..10 {
            other.waits();
            let lively = tokio::time::timeout(patience / 2, streams.untaken_for(patience));
            assert!(lively.await.is_err());
        }
        one.waits();
        streams.untaken_for(patience).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_when_nothing_is_open() {
        let streams = Arc::new(Streams::new());
        let patience = Duration::from_secs(60);
        let begun = Instant::now();
        streams.quiet_for(patience).await;
        assert_eq!(begun.elapsed(), patience);
        let (one, other) = (streams.open(), streams.open());
        let open = tokio::time::timeout(10 * patience, streams.quiet_for(patience));
        assert!(open.await.is_err());
        drop(one);
        let open = tokio::time::timeout(10 * patience, streams.quiet_for(patience));
        assert!(open.await.is_err());
        let closed = Instant::now();
        drop(other);
        streams.quiet_for(patience).await;
        assert_eq!(closed.elapsed(), patience);
        streams.is_http1();
        let http1 = tokio::time::timeout(10 * patience, streams.quiet_for(patience));
        assert!(http1.await.is_err());
    }
}
