//! What is open on a connection of HTTP/2: requests until their answers are gone. A connection without any is not kept for
//! ever, nor one whose client takes no more of an answer: each has a window of its own, and a client that opens none holds
//! the place of its request, while the connection itself is lively. Requests that have no place yet, or are refused one, are
//! few at a time: more are not read before those are gone, however many a client sends at once.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;
use trunkline_core::limits::{HTTP2_STREAMS_UNPLACED_MAX, UNTAKEN_FEED_TIMES};

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Streams(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Whether the connection speaks HTTP/1.1, where it is seen to otherwise.
    is_http1: bool,
    open: usize,
    /// Those of them that have no place.
    unplaced: usize,
    /// Whether nothing was read in this turn of the connection.
    may_read: bool,
    /// Waits for them to become fewer, and since when.
    reader: Option<(Waker, Instant)>,
    /// When the last one was over.
    quiet_since: Instant,
    /// Since when those wait whose answers are not taken, and for how many times as long as others they may.
    untaken: HashMap<u64, (Instant, u32)>,
    next: u64,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    of: Arc<Streams>,
    number: u64,
    has_place: AtomicBool,
}

impl Streams {
    pub(crate) fn new() -> Streams {
        Streams(Mutex::new(State {
            is_http1: false,
            open: 0,
            unplaced: 0,
            may_read: true,
            reader: None,
            quiet_since: Instant::now(),
            untaken: HashMap::new(),
            next: 0,
        }))
    }

    /// A request of HTTP/2 came.
    pub(crate) fn open(self: &Arc<Streams>) -> Stream {
        let mut state = self.0.lock();
        state.open += 1;
        state.unplaced += 1;
        state.next += 1;
        Stream {
            of: Arc::clone(self),
            number: state.next,
            has_place: AtomicBool::new(false),
        }
    }

    /// The connection has its turn: one read of it. The library reads all there is before it hands out a request, and again
    /// before the next.
    pub(crate) fn begin_turn(&self) {
        self.0.lock().may_read = true;
    }

    /// Ready for a read, once a turn, unless so many wait for a place that no more are to be read; whoever asks is woken when
    /// there are less.
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.unplaced < HTTP2_STREAMS_UNPLACED_MAX {
            if std::mem::take(&mut state.may_read) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let since = state.reader.take().map_or_else(Instant::now, |(_, since)| since);
        state.reader = Some((context.waker().clone(), since));
        Poll::Pending
    }

    /// A request of HTTP/1.1 came.
    pub(crate) fn speak_http1(&self) {
        self.0.lock().is_http1 = true;
    }

    pub(crate) fn is_http1(&self) -> bool {
        self.0.lock().is_http1
    }

    /// Resolves when an answer has waited for too long for its client to take more of it.
    pub(crate) async fn untaken_for(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience / 4).await;
            let is_over = |(since, times): &(Instant, u32)| since.elapsed() >= patience * *times;
            if self.0.lock().untaken.values().any(is_over) {
                return;
            }
        }
    }

    /// Resolves when nothing has been read for so long because refusals are not taken: among what is not read may be the word
    /// that they would be.
    pub(crate) async fn choked_for(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience / 4).await;
            let since = self.0.lock().reader.as_ref().map(|(_, since)| *since);
            if since.is_some_and(|since| since.elapsed() >= patience) {
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

impl State {
    /// One has a place, or needs none any more.
    fn settle(&mut self) {
        self.unplaced -= 1;
        if self.unplaced < HTTP2_STREAMS_UNPLACED_MAX
            && let Some((reader, _)) = self.reader.take()
        {
            reader.wake();
        }
    }
}

impl Stream {
    /// It was let in: what it takes is counted by its place.
    pub(crate) fn is_placed(&self) {
        if !self.has_place.swap(true, Ordering::Relaxed) {
            self.of.0.lock().settle();
        }
    }

    /// There is more for the client, which has taken what came before. Of a feed that lasts, it may take its time.
    pub(crate) fn waits(&self, lasts: bool) {
        let times = if lasts { UNTAKEN_FEED_TIMES } else { 1 };
        let mut state = self.of.0.lock();
        state.untaken.insert(self.number, (Instant::now(), times));
    }

    /// The client has taken all there was.
    pub(crate) fn taken(&self) {
        self.of.0.lock().untaken.remove(&self.number);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let of = Arc::clone(&self.of);
        let mut state = of.0.lock();
        state.untaken.remove(&self.number);
        if !*self.has_place.get_mut() {
            state.settle();
        }
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
        gone.waits(false);
        drop(gone);
        one.waits(false);
        one.taken();
        let idle = tokio::time::timeout(10 * patience, streams.untaken_for(patience));
        assert!(idle.await.is_err());
        for _ in 0..10 {
            other.waits(false);
            let lively = tokio::time::timeout(patience / 2, streams.untaken_for(patience));
            assert!(lively.await.is_err());
        }
        one.waits(false);
        streams.untaken_for(patience).await;
        // One that lasts is waited for longer, and not for ever.
        one.waits(true);
        let most = patience * UNTAKEN_FEED_TIMES;
        drop(other);
        let lasts = tokio::time::timeout(most - patience, streams.untaken_for(patience));
        assert!(lasts.await.is_err());
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
        streams.speak_http1();
        let http1 = tokio::time::timeout(10 * patience, streams.quiet_for(patience));
        assert!(http1.await.is_err());
    }
}
