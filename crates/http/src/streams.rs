//! What is open on a connection of HTTP/2: requests until their answers are gone. A connection without any is not kept for
//! ever, nor one whose client takes no more of an answer: each has a window of its own, and a client that opens none holds
//! the place of its request, while the connection itself is lively. Requests that have no place yet, or are refused one, are
//! few at a time: more are not read before those are gone, however many a client sends at once.

use crate::admission::Untaken;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use trunkline_core::limits::{
    HTTP2_STREAMS_UNPLACED_MAX, UNTAKEN_FEED_TIMES, UNTAKEN_PRESSED_FEED_TIMES, UNTAKEN_PRESSED_MS,
};
use trunkline_replicate::Unsent;

const PRESSED_PATIENCE: Duration = Duration::from_millis(UNTAKEN_PRESSED_MS);

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
    /// Those whose answers are not taken.
    untaken: HashMap<u64, Waiting>,
    /// Ends the request that came last, until somebody runs it.
    newest: Option<Arc<Notify>>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    /// For how many times as long as others it may.
    times: u32,
    /// Whose room it is in, unless it is short.
    untaken: Option<Arc<Untaken>>,
    end: Arc<Notify>,
    /// Whether that was told.
    is_ended: bool,
}

impl Waiting {
    fn is_over(&self, patience: Duration) -> bool {
        self.since.elapsed() >= patience * self.times
    }

    /// Whether it holds what others wait for.
    fn is_in_the_way(&self) -> bool {
        let is_full = |untaken: &Arc<Untaken>| untaken.share.is_full();
        let patience = match self.times {
            1 => PRESSED_PATIENCE,
            _ => PRESSED_PATIENCE * UNTAKEN_PRESSED_FEED_TIMES,
        };
        self.since.elapsed() >= patience && self.untaken.as_ref().is_some_and(is_full)
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    of: Arc<Streams>,
    number: u64,
    has_place: AtomicBool,
    end: Arc<Notify>,
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
            newest: None,
            next: 0,
        }))
    }

    /// A request of HTTP/2 came.
    pub(crate) fn open(self: &Arc<Streams>) -> Stream {
        let mut state = self.0.lock();
        state.open += 1;
        state.unplaced += 1;
        state.next += 1;
        let end = Arc::new(Notify::new());
        state.newest = Some(Arc::clone(&end));
        Stream {
            end,
            of: Arc::clone(self),
            number: state.next,
            has_place: AtomicBool::new(false),
        }
    }

    /// What ends the request that came last, for who runs it.
    pub(crate) fn end_of_newest(&self) -> Option<Arc<Notify>> {
        self.0.lock().newest.take()
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

    /// Resolves when an answer has waited for too long for its client to take more of it. Where others wait for the room that
    /// it has, it alone is ended, and before that.
    pub(crate) async fn untaken_for(&self, patience: Duration, unsent: &Unsent) {
        loop {
            let is_pressed = tokio::select! {
                () = tokio::time::sleep(patience / 4) => false,
                () = unsent.pressed() => true,
            };
            let mut state = self.0.lock();
            if is_pressed && state.end_those_in_the_way() {
                return;
            }
            if state.untaken.values().any(|waiting| waiting.is_over(patience)) {
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
    /// Ends answers that hold what others wait for. True where one is still there although it was ended: it is out of its
    /// request's hands, and goes with the connection.
    fn end_those_in_the_way(&mut self) -> bool {
        let mut stays = false;
        for waiting in self
            .untaken
            .values_mut()
            .filter(|waiting| waiting.is_in_the_way())
        {
            stays |= std::mem::replace(&mut waiting.is_ended, true);
            waiting.end.notify_one();
        }
        stays
    }

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
    pub(crate) fn waits(&self, lasts: bool, untaken: Option<&Arc<Untaken>>) {
        let waiting = Waiting {
            since: Instant::now(),
            times: if lasts { UNTAKEN_FEED_TIMES } else { 1 },
            untaken: untaken.cloned(),
            end: Arc::clone(&self.end),
            is_ended: false,
        };
        self.of.0.lock().untaken.insert(self.number, waiting);
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
    use trunkline_core::limits::DOCUMENT_BYTES_MAX;
    use trunkline_replicate::Share;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_waits_longest_counts() {
        let streams = Arc::new(Streams::new());
        let (patience, unsent) = (Duration::from_secs(60), Unsent::new(1000));
        let (one, other, gone) = (streams.open(), streams.open(), streams.open());
        gone.waits(false, None);
        drop(gone);
        one.waits(false, None);
        one.taken();
        let idle = tokio::time::timeout(10 * patience, streams.untaken_for(patience, &unsent));
        assert!(idle.await.is_err());
        for _ in 0..10 {
            other.waits(false, None);
            let lively = tokio::time::timeout(patience / 2, streams.untaken_for(patience, &unsent));
            assert!(lively.await.is_err());
        }
        one.waits(false, None);
        streams.untaken_for(patience, &unsent).await;
        // One that lasts is waited for longer, and not for ever.
        one.waits(true, None);
        let most = patience * UNTAKEN_FEED_TIMES;
        drop(other);
        let lasts = tokio::time::timeout(most - patience, streams.untaken_for(patience, &unsent));
        assert!(lasts.await.is_err());
        streams.untaken_for(patience, &unsent).await;
    }

    /// While somebody waits for the room that one holds, it is not waited for any longer.
    #[tokio::test(start_paused = true)]
    async fn who_is_in_the_way_of_others_has_less_time() {
        let streams = Arc::new(Streams::new());
        let (patience, unsent) = (Duration::from_secs(60), Unsent::new(32 * DOCUMENT_BYTES_MAX));
        let (anna, ben) = (unsent.share("anna"), unsent.share("ben"));
        let untaken =
            |share: &Share, bytes| Some(Arc::new(Untaken::new(share.clone(), Some(share.count(bytes)))));
        let (holds, little) = (untaken(&anna, 16 * DOCUMENT_BYTES_MAX), untaken(&ben, 1));
        let (one, other) = (streams.open(), streams.open());
        other.waits(true, little.as_ref());
        // Whether the connection is to be ended while somebody wants room, or one stream, and when.
        let over = |of: &'static str, one: &Stream| {
            let (streams, unsent, end) = (Arc::clone(&streams), unsent.clone(), Arc::clone(&one.end));
            async move {
                let begun = Instant::now();
                tokio::select! {
                    () = streams.untaken_for(patience, &unsent) => Some((true, begun.elapsed().as_secs())),
                    () = end.notified() => Some((false, begun.elapsed().as_secs())),
                    _ = async { unsent.share(of).room().await; std::future::pending::<()>().await } => None,
                    () = tokio::time::sleep(2 * patience) => None,
                }
            }
        };
        // Nobody waits, or not for that.
        assert_eq!(over("carl", &one).await, None);
        one.waits(true, holds.as_ref());
        assert_eq!(over("carl", &one).await, None);
        one.waits(false, holds.as_ref());
        let ended = over("anna", &one).await;
        assert!(matches!(ended, Some((false, 10..13))), "{ended:?}");
        // A feed has longer.
        one.waits(true, holds.as_ref());
        let ended = over("anna", &one).await;
        assert!(matches!(ended, Some((false, 60..63))), "{ended:?}");
        // What is in a share that has room is in nobody's way.
        one.taken();
        other.waits(true, little.as_ref());
        assert_eq!(over("anna", &other).await, None);
        // What was ended and is still there goes with its connection.
        one.waits(false, holds.as_ref());
        let told = over("anna", &one).await;
        assert!(matches!(told, Some((false, 10..13))), "{told:?}");
        let ended = over("anna", &other).await;
        assert!(matches!(ended, Some((true, 2..5))), "{ended:?}");
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
