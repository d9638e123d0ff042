//! Chunks of feeds and listings, read and rendered by few threads that stay the same.
//!
//! A database's cache keeps what a thread read in memory that the system's allocator took for that thread, and that it
//! keeps for it when the cache lets go of it. Were each chunk done by any of many threads, each would come to hold room
//! for a good part of the cache.

use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a chunk waits until it gets a thread of its own: those before it take long, or wait for a database that is
/// being opened. A chunk from memory takes half a millisecond.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// A chunk to be done, which leaves how to tell of it.
type Chunk = Box<dyn FnOnce() -> Told + Send>;
type Told = Box<dyn FnOnce() + Send>;

/// Chunks that wait for a thread: one for each answer that is being streamed.
#[derive(Clone, Debug)]
pub(crate) struct Scans(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Mutex<Pool>,
    threads_max: usize,
    patience: Duration,
}

#[derive(Default)]
struct Pool {
    /// Numbered, oldest first.
    waiting: VecDeque<(u64, Chunk)>,
    queued: u64,
    threads: usize,
    /// Threads without work, the one that worked last at the end: the next chunk is its.
    idle: Vec<Arc<Condvar>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} chunks, {} threads", self.waiting.len(), self.threads)
    }
}

impl Default for Scans {
    /// As many threads as cores: from memory, more would not be faster. Two at least, as a disk serves two at once.
    fn default() -> Scans {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Scans::new(cores.max(2), PATIENCE)
    }
}

impl Scans {
    fn new(threads_max: usize, patience: Duration) -> Scans {
        Scans(Arc::new(Shared {
            pool: Mutex::default(),
            threads_max,
            patience,
        }))
    }

    /// Runs one chunk on a thread that may block.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        chunk: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, mut receiver) = oneshot::channel();
        let number = self.queue(Box::new(move || {
            let answer = chunk();
            Box::new(move || drop(sender.send(answer)))
        }));
        let answer = match tokio::time::timeout(self.0.patience, &mut receiver).await {
            Ok(answer) => answer,
            Err(_) => {
                if let Some(chunk) = self.take_back(number) {
                    tokio::task::spawn_blocking(move || chunk()());
                }
                receiver.await
            }
        };
        answer.unwrap_or_else(|_| Err(Error::Internal("a scan panicked".to_owned())))
    }

    fn queue(&self, chunk: Chunk) -> u64 {
        let mut pool = self.0.pool.lock();
        let number = pool.queued;
        pool.queued += 1;
        pool.waiting.push_back((number, chunk));
        if let Some(idle) = pool.idle.pop() {
            idle.notify_one();
        } else if pool.threads < self.0.threads_max {
            let shared = self.0.clone();
            let thread = std::thread::Builder::new().name("scan".to_owned());
            // Without one the chunk is taken back when its patience ends.
            match thread.spawn(move || shared.work()) {
                Ok(_) => pool.threads += 1,
                Err(error) => tracing::warn!(%error, "no thread for scans"),
            }
        }
        number
    }

    /// A chunk that no thread has begun.
    fn take_back(&self, number: u64) -> Option<Chunk> {
        let mut pool = self.0.pool.lock();
        let place = pool.waiting.iter().position(|(waiting, _)| *waiting == number)?;
        pool.waiting.remove(place).map(|(_, chunk)| chunk)
    }
}

impl Shared {
    /// Does chunks until none came for a while.
    fn work(&self) {
        let woken = Arc::new(Condvar::new());
        let mut pool = self.pool.lock();
        loop {
            while let Some((_, chunk)) = pool.waiting.pop_front() {
                // A panic is told by what it drops; the chunks behind it go on.
                let told = MutexGuard::unlocked(&mut pool, || catch_unwind(AssertUnwindSafe(chunk)));
                // Told with the pool locked: whoever hears of it and brings the next chunk finds this thread idle.
                if let Ok(told) = told {
                    told();
                }
            }
            pool.idle.push(woken.clone());
            let waited = woken.wait_for(&mut pool, IDLE);
            pool.idle.retain(|idle| !Arc::ptr_eq(idle, &woken));
            if waited.timed_out() && pool.waiting.is_empty() {
                pool.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread::{self, ThreadId};

    const HOUR: Duration = Duration::from_secs(3600);

    fn thread() -> Result<ThreadId> {
        Ok(thread::current().id())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn chunks_of_one_answer_stay_on_one_thread() {
        let scans = Scans::new(4, HOUR);
        let first = scans.run(thread).await.unwrap();
        for _ in 0..1000 {
            assert_eq!(scans.run(thread).await.unwrap(), first);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_answers_share_the_threads_there_may_be() {
        let scans = Scans::new(3, HOUR);
        let all = join_all((0..500).map(|number| {
            let scans = scans.clone();
            async move { scans.run(move || Ok((number, thread()?))).await.unwrap() }
        }))
        .await;
        assert!(all.iter().map(|(number, _)| *number).eq(0..500));
        assert!(all.iter().map(|(_, thread)| thread).collect::<HashSet<_>>().len() <= 3);
    }

    #[tokio::test]
    async fn chunks_that_take_long_hold_up_no_other() {
        let scans = Scans::new(2, PATIENCE);
        let gate = Arc::new(Barrier::new(3));
        let slow = || {
            let (scans, gate) = (scans.clone(), gate.clone());
            async move {
                let waits = move || {
                    gate.wait();
                    Ok(())
                };
                scans.run(waits).await
            }
        };
        // Queued behind two slow ones, which go on only when this one is done.
        let quick = async {
            let answer = scans.run(|| Ok(2)).await;
            let gate = gate.clone();
            tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
            answer
        };
        let (first, second, quick) = tokio::join!(slow(), slow(), quick);
        assert_eq!((first.is_ok(), second.is_ok(), quick.unwrap()), (true, true, 2));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_answer_only() {
        let scans = Scans::new(1, HOUR);
        let broken = scans.run(|| -> Result<u8> { panic!("on purpose") });
        let (broken, good) = tokio::join!(broken, scans.run(|| Ok(1)));
        assert!(matches!(broken, Err(Error::Internal(_))));
        assert_eq!(good.unwrap(), 1);
        assert_eq!(scans.0.pool.lock().threads, 1);
    }
}
