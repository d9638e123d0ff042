//! Threads that stay the same, for work that fills a database's cache: chunks of feeds and listings, and commits; a
//! server's and those of replications.
//!
//! The cache keeps what a thread read or wrote in memory that the system's allocator took for that thread, and that it
//! keeps for it when the cache lets go of it. Were each piece of work done by any of many threads, each would come to hold
//! room for a good part of the cache.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use trunkline_store::{Batch, Database, Error, Outcome};

/// How long work that is waited for gets no thread until it goes elsewhere: what is before it takes long, or waits for a
/// database that is being opened. A chunk of a feed, from memory, takes half a millisecond.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// Work that went elsewhere, of a whole process: to the runtime's threads for what may block, of which a server has 64. Most
/// of them are left to what is short.
static ELSEWHERE: Semaphore = Semaphore::const_new(ELSEWHERE_MAX);
const ELSEWHERE_MAX: usize = 16;

/// One commits for each database that is being written; of a whole process, since all share one memory.
static COMMITS: LazyLock<Threads> = LazyLock::new(|| Threads::at_most(COMMITS_MAX));
/// Databases that are committed to at once: more than a disk's queue holds.
const COMMITS_MAX: usize = 64;

/// Queues edits with the group commit and waits for their outcomes without holding a thread; `None` when the commit was
/// abandoned. `kept` is kept until they are there, whether or not anyone still waits for them.
pub async fn commit<K: Send + 'static>(
    database: &Database,
    batch: Batch,
    kept: K,
) -> Option<Result<Vec<Outcome>, Error>> {
    let (sender, receiver) = oneshot::channel();
    let leader = database.submit(batch, move |outcomes| {
        drop(kept);
        let _ = sender.send(outcomes);
    });
    if let Some(leader) = leader {
        COMMITS.start(move || leader.run());
    }
    receiver.await.ok()
}

/// Work to be done, which leaves how to tell of it.
pub(crate) type Work = Box<dyn FnOnce() -> Told + Send>;
pub(crate) type Told = Box<dyn FnOnce() + Send>;

/// Work that waits for a thread: a piece for each answer that is being streamed, or each database that is written.
#[derive(Clone, Debug)]
pub struct Threads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Mutex<Pool>,
    threads_max: usize,
    patience: Duration,
    elsewhere: &'static Semaphore,
}

#[derive(Default)]
struct Pool {
    /// Numbered, oldest first.
    waiting: VecDeque<(u64, Work)>,
    queued: u64,
    threads: usize,
    /// Those without work, the one that worked last at the end: the next piece is its.
    idle: Vec<Arc<Condvar>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting, {} threads", self.waiting.len(), self.threads)
    }
}

impl Threads {
    /// As many as cores: for what is in memory, more would not be faster. Two at least, as a disk serves two at once.
    pub fn per_core() -> Threads {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Threads::new(cores.max(2), PATIENCE)
    }

    /// At most so many.
    pub fn at_most(threads: usize) -> Threads {
        Threads::new(threads, PATIENCE)
    }

    fn new(threads_max: usize, patience: Duration) -> Threads {
        Threads(Arc::new(Shared {
            pool: Mutex::default(),
            threads_max,
            patience,
            elsewhere: &ELSEWHERE,
        }))
    }

    /// Runs work on a thread that may block; `None` when it panicked. What nobody waits for any more is not begun. Needs a
    /// tokio runtime.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, mut receiver) = oneshot::channel();
        let number = self.queue(Box::new(move || {
            if sender.is_closed() {
                return Box::new(|| ());
            }
            let answer = work();
            Box::new(move || drop(sender.send(answer)))
        }));
        if let Ok(answer) = tokio::time::timeout(self.0.patience, &mut receiver).await {
            return answer.ok();
        }
        tokio::select! {
            biased;
            answer = &mut receiver => return answer.ok(),
            place = self.0.elsewhere.acquire() => {
                if let (Some(work), Ok(place)) = (self.take_back(number), place) {
                    tokio::task::spawn_blocking(move || {
                        work()();
                        drop(place);
                    });
                }
            }
        }
        receiver.await.ok()
    }

    pub(crate) fn queue(&self, work: Work) -> u64 {
        let mut pool = self.0.pool.lock();
        let number = pool.queued;
        pool.queued += 1;
        pool.waiting.push_back((number, work));
        if let Some(idle) = pool.idle.pop() {
            idle.notify_one();
        } else if pool.threads < self.0.threads_max {
            let shared = self.0.clone();
            let thread = std::thread::Builder::new().name("store".to_owned());
            match thread.spawn(move || shared.work()) {
                Ok(_) => pool.threads += 1,
                Err(error) => {
                    tracing::warn!(%error, "no thread can be started");
                    if pool.threads == 0 {
                        let lost = pool.waiting.pop_back();
                        // What it drops tells of it.
                        drop(pool);
                        drop(lost);
                    }
                }
            }
        }
        number
    }

    /// Runs work that nobody waits for.
    pub fn start(&self, work: impl FnOnce() + Send + 'static) {
        self.queue(Box::new(move || {
            work();
            Box::new(|| ())
        }));
    }

    /// Work that no thread has begun.
    fn take_back(&self, number: u64) -> Option<Work> {
        let mut pool = self.0.pool.lock();
        let place = pool.waiting.iter().position(|(waiting, _)| *waiting == number)?;
        pool.waiting.remove(place).map(|(_, work)| work)
    }
}

impl Shared {
    /// Works until nothing came for a while.
    fn work(&self) {
        let woken = Arc::new(Condvar::new());
        let mut pool = self.pool.lock();
        loop {
            while let Some((_, work)) = pool.waiting.pop_front() {
                // A panic is told by what it drops; the work behind it goes on.
                let told = MutexGuard::unlocked(&mut pool, || catch_unwind(AssertUnwindSafe(work)));
                // Told with the pool locked: whoever hears of it and brings the next piece finds this thread idle.
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

    fn thread() -> ThreadId {
        thread::current().id()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn chunks_of_one_answer_stay_on_one_thread() {
        let threads = Threads::new(4, HOUR);
        let first = threads.run(thread).await.unwrap();
        for _ in 0..1000 {
            assert_eq!(threads.run(thread).await.unwrap(), first);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_answers_share_the_threads_there_may_be() {
        let threads = Threads::new(3, HOUR);
        let all = join_all((0..500).map(|number| {
            let threads = threads.clone();
            async move { threads.run(move || (number, thread())).await.unwrap() }
        }))
        .await;
        assert!(all.iter().map(|(number, _)| *number).eq(0..500));
        assert!(all.iter().map(|(_, thread)| thread).collect::<HashSet<_>>().len() <= 3);
    }

    #[tokio::test]
    async fn chunks_that_take_long_hold_up_no_other() {
        let threads = Threads::new(2, PATIENCE);
        let gate = Arc::new(Barrier::new(3));
        let slow = || {
            let (threads, gate) = (threads.clone(), gate.clone());
            async move {
                let waits = move || {
                    gate.wait();
                };
                threads.run(waits).await
            }
        };
        // Queued behind two slow ones, which go on only when this one is done.
        let quick = async {
            let answer = threads.run(|| 2).await;
            let gate = gate.clone();
            tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
            answer
        };
        let (first, second, quick) = tokio::join!(slow(), slow(), quick);
        assert_eq!(
            (first.is_some(), second.is_some(), quick.unwrap()),
            (true, true, 2)
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn few_of_the_runtimes_threads_are_taken_by_what_takes_long() {
        let elsewhere: &Semaphore = Box::leak(Box::new(Semaphore::new(2)));
        let mut threads = Threads::new(1, Duration::from_millis(1));
        Arc::get_mut(&mut threads.0).unwrap().elsewhere = elsewhere;
        let (begun, gate) = (Arc::new(Mutex::new(0)), Arc::new(Barrier::new(4)));
        let slow: Vec<_> = (0..6)
            .map(|_| {
                let (threads, begun, gate) = (threads.clone(), begun.clone(), gate.clone());
                tokio::spawn(async move {
                    let waits = move || {
                        *begun.lock() += 1;
                        gate.wait();
                    };
                    threads.run(waits).await
                })
            })
            .collect();
        for round in 1..=2 {
            while *begun.lock() < 3 * round {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The others have lost their patience by now.
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!((*begun.lock(), elsewhere.available_permits()), (3 * round, 0));
            let gate = gate.clone();
            tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
        }
        for slow in slow {
            assert!(slow.await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun() {
        let threads = Threads::new(1, HOUR);
        let gate = Arc::new(Barrier::new(2));
        let holding = gate.clone();
        threads.start(move || {
            holding.wait();
        });
        let begun = Arc::new(Mutex::new(0));
        let counting = begun.clone();
        let mut gone = Box::pin(threads.run(move || *counting.lock() += 1));
        assert!(futures_util::poll!(&mut gone).is_pending());
        drop(gone);
        gate.wait();
        threads.run(|| ()).await.unwrap();
        assert_eq!(*begun.lock(), 0);
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_answer_only() {
        let threads = Threads::new(1, HOUR);
        let broken = threads.run(|| -> u8 { panic!("on purpose") });
        let (broken, good) = tokio::join!(broken, threads.run(|| 1));
        assert_eq!(broken, None);
        assert_eq!(good.unwrap(), 1);
        assert_eq!(threads.0.pool.lock().threads, 1);
    }
}
