//! Turns of those who ask, for work that goes through documents and may take long: a piece of each in turn, on threads of
//! its own, so that who asks a lot waits for himself, and not others for him.
//!
//! Each piece is short, and whoever has more to do queues again. One who asks never has all threads.

use crate::threads::{Threads, Told, Work};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use tokio::sync::oneshot;
use trunkline_store::Database;

/// A process's, since all its work shares the same cores.
static SEARCHES: LazyLock<Turns> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).max(2);
    Turns::new(cores * 2, cores)
});

/// Whose a piece of work is: a name, `""` for all who give none, and `None` for the program itself.
type Who = Option<Arc<str>>;

/// Work that waits for its turn: a piece for each question that is being answered.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    threads: Threads,
    /// Threads that work for one at once.
    of_one_max: usize,
}

#[derive(Default)]
struct Queue {
    /// Those who wait, or whose work is being done. Who had no turn for longest is first.
    all: VecDeque<Asking>,
    /// Pieces that no thread was found for, since those whose they are had theirs.
    owed: usize,
}

struct Asking {
    who: Who,
    waiting: VecDeque<Work>,
    working: usize,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} who ask", self.all.len())
    }
}

impl Turns {
    /// Those of searches: `_find` and its kin, and changes by a selector.
    pub fn of_searches() -> Turns {
        SEARCHES.clone()
    }

    fn new(threads: usize, of_one_max: usize) -> Turns {
        Turns(Arc::new(Shared {
            queue: Mutex::default(),
            threads: Threads::at_most(threads),
            of_one_max,
        }))
    }

    /// Runs a piece of work on a thread that may block, when it is the turn of the one on whose behalf a handle is; `None`
    /// when it panicked. What nobody waits for any more is not begun.
    pub async fn run<T: Send + 'static>(
        &self,
        database: &Database,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let name = |user: &str| Arc::from(user);
        let who = database
            .asker()
            .map(|asker| name(asker.user.name().unwrap_or_default()));
        self.run_for(who, work).await
    }

    async fn run_for<T: Send + 'static>(
        &self,
        who: Who,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.queue(
            who,
            Box::new(move || {
                if sender.is_closed() {
                    return nothing();
                }
                let answer = work();
                Box::new(move || drop(sender.send(answer)))
            }),
        );
        receiver.await.ok()
    }

    fn queue(&self, who: Who, work: Work) {
        {
            let mut queue = self.0.queue.lock();
            match queue.all.iter_mut().find(|asking| asking.who == who) {
                Some(asking) => asking.waiting.push_back(work),
                None => queue.all.push_back(Asking {
                    who,
                    waiting: VecDeque::from([work]),
                    working: 0,
                }),
            }
        }
        let shared = self.0.clone();
        self.0.threads.queue(Box::new(move || shared.turn()));
    }
}

fn nothing() -> Told {
    Box::new(|| ())
}

impl Shared {
    /// Does the next piece, and those that were owed.
    fn turn(&self) -> Told {
        let mut told = nothing();
        while let Some((who, work)) = self.next() {
            // A panic is told by what it drops.
            told = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| nothing());
            if !self.is_owed(&who) {
                break;
            }
            std::mem::replace(&mut told, nothing())();
        }
        told
    }

    /// A piece of the first who waits and has not all threads that one may have.
    fn next(&self) -> Option<(Who, Work)> {
        let mut queue = self.queue.lock();
        let may = |asking: &Asking| !asking.waiting.is_empty() && asking.working < self.of_one_max;
        let next = queue.all.iter().position(may);
        let asking = next.and_then(|place| queue.all.remove(place));
        let Some((mut asking, work)) = asking.and_then(|mut asking| {
            let work = asking.waiting.pop_front()?;
            Some((asking, work))
        }) else {
            queue.owed += 1;
            return None;
        };
        asking.working += 1;
        let who = asking.who.clone();
        queue.all.push_back(asking);
        Some((who, work))
    }

    /// Notes that a piece is done; whether another one waits for a thread.
    fn is_owed(&self, who: &Who) -> bool {
        let mut queue = self.queue.lock();
        if let Some(place) = queue.all.iter().position(|asking| asking.who == *who)
            && let Some(asking) = queue.all.get_mut(place)
        {
            asking.working -= 1;
            if asking.working == 0 && asking.waiting.is_empty() {
                queue.all.remove(place);
            }
        }
        let is_owed = queue.owed > 0;
        queue.owed -= usize::from(is_owed);
        is_owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::Barrier;

    fn who(name: &str) -> Who {
        Some(name.into())
    }

    /// Waits until a number of pieces are being done.
    async fn until_working(turns: &Turns, working: usize) {
        let now = || -> usize { turns.0.queue.lock().all.iter().map(|asking| asking.working).sum() };
        while now() != working {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_who_asks_a_lot_has_not_all_threads() {
        let turns = Turns::new(4, 2);
        let gate = Arc::new(Barrier::new(3));
        let slow = (0..20).map(|place| {
            let (turns, gate) = (turns.clone(), gate.clone());
            tokio::spawn(async move {
                let waits = move || {
                    if place < 2 {
                        gate.wait();
                    }
                };
                turns.run_for(who("mallory"), waits).await
            })
        });
        let slow: Vec<_> = slow.collect();
        until_working(&turns, 2).await;
        // Answered while two of hers are held up, and the others wait.
        assert_eq!(turns.run_for(who("anna"), || 1).await, Some(1));
        assert_eq!(turns.run_for(None, || 2).await, Some(2));
        tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
        assert!(
            join_all(slow)
                .await
                .into_iter()
                .all(|done| done.unwrap().is_some())
        );
        until_working(&turns, 0).await;
        assert!(turns.0.queue.lock().all.is_empty());
        assert_eq!(turns.0.queue.lock().owed, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn pieces_are_taken_in_turn_and_those_that_nobody_waits_for_are_not_begun() {
        let turns = Turns::new(1, 1);
        let gate = Arc::new(Barrier::new(2));
        let (held, holding) = (turns.clone(), gate.clone());
        let held = tokio::spawn(async move { held.run_for(None, move || holding.wait().is_leader()).await });
        until_working(&turns, 1).await;
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for name in ["mallory", "mallory", "mallory", "gone", "anna", "anna"] {
            let (asked, done) = (turns.clone(), done.clone());
            let mut piece =
                Box::pin(async move { asked.run_for(who(name), move || done.lock().push(name)).await });
            // Queued now, in this order.
            assert!(futures_util::poll!(&mut piece).is_pending());
            if name != "gone" {
                waiting.push(piece);
            }
        }
        tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
        assert!(held.await.unwrap().is_some());
        join_all(waiting).await;
        assert_eq!(*done.lock(), ["mallory", "anna", "mallory", "anna", "mallory"]);
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_answer_only() {
        let turns = Turns::new(1, 1);
        let broken = turns.run_for(None, || -> u8 { panic!("on purpose") });
        let (broken, good) = tokio::join!(broken, turns.run_for(None, || 1));
        assert_eq!((broken, good), (None, Some(1)));
    }
}
