//! What all replications of a process share: a number of bytes, or of streams, that those of higher priority get first.
//!
//! Nobody may come to hold more than is left for the others, so that some is left however many hold on to theirs: three
//! runs may each hold a quarter, seven an eighth. Whoever holds nothing keeps its place in line until what it asks for
//! is there; whoever holds something is passed over while it holds enough.

use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::sync::oneshot;
use trunkline_core::limits::{
    REPLICATION_FIRST_BYTES, REPLICATIONS_ATTACHMENT_STREAMS, REPLICATIONS_BYTES_IN_FLIGHT,
    REPLICATIONS_FIRST_BYTES,
};

/// Bytes of documents under way.
pub(super) static BYTES: LazyLock<Budget> = LazyLock::new(|| Budget {
    units: REPLICATIONS_BYTES_IN_FLIGHT,
    reserve: REPLICATIONS_FIRST_BYTES,
    small: REPLICATION_FIRST_BYTES,
    state: Mutex::default(),
});
/// Attachments under way.
pub(super) static STREAMS: LazyLock<Budget> = LazyLock::new(|| Budget {
    units: REPLICATIONS_ATTACHMENT_STREAMS,
    reserve: 0,
    small: 0,
    state: Mutex::default(),
});

/// So many units, lent out.
pub(super) struct Budget {
    units: usize,
    /// Beside them: lent when they are lent, to those that hold nothing and ask for no more than `small`.
    reserve: usize,
    small: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: usize,
    /// Of the reserve.
    reserved: usize,
    /// The next to be served comes first: the highest priority, and of equals the one that came first.
    waiting: BTreeMap<(Reverse<i32>, u64), Waiter>,
    came: u64,
}

struct Waiter {
    share: Share,
    units: usize,
    sender: Option<oneshot::Sender<Held>>,
}

/// What one run holds. It changes under the budget's lock.
#[derive(Clone, Default)]
pub(super) struct Share(Arc<AtomicUsize>);

/// Units lent until it is dropped.
pub(super) struct Held {
    budget: &'static Budget,
    share: Share,
    units: usize,
    /// Of these, out of the reserve.
    reserved: usize,
}

/// Units that are there or will come; may be waited for again and again.
pub(super) struct Asked(Option<oneshot::Receiver<Held>>);

impl Budget {
    /// Gets in line. More than there are of counts as all of them.
    pub(super) fn ask(&'static self, share: &Share, units: usize, priority: i32) -> Asked {
        let (sender, receiver) = oneshot::channel();
        let waiter = Waiter {
            share: share.clone(),
            units: units.min(self.units),
            sender: Some(sender),
        };
        let mut state = self.state.lock();
        state.came += 1;
        let place = (Reverse(priority), state.came);
        state.waiting.insert(place, waiter);
        self.serve(&mut state);
        Asked(Some(receiver))
    }

    fn serve(&'static self, state: &mut State) {
        let mut waiting = std::mem::take(&mut state.waiting);
        // Until somebody who holds nothing must wait: those behind would take what it waits for.
        let mut is_next = true;
        waiting.retain(|_, waiter| {
            if waiter.sender.as_ref().is_none_or(oneshot::Sender::is_closed) {
                return false;
            }
            if !is_next && state.reserved >= self.reserve && waiter.units > 0 {
                return true;
            }
            let Some(held) = self.lend(state, waiter, is_next) else {
                is_next &= waiter.share.held() > 0;
                return true;
            };
            let sender = waiter.sender.take();
            if let Some(Err(mut unwanted)) = sender.map(|sender| sender.send(held)) {
                // Its own way back would lock what is locked now.
                unwanted.give_back(state);
            }
            false
        });
        state.waiting = waiting;
    }

    fn lend(&'static self, state: &mut State, waiter: &Waiter, is_next: bool) -> Option<Held> {
        let &Waiter { ref share, units, .. } = waiter;
        let has = share.held();
        let reserved = if units == 0 || is_next && has + units <= self.left(state) {
            0
        } else if has == 0 && units <= self.small && state.reserved + units <= self.reserve {
            units
        } else {
            return None;
        };
        state.held += units - reserved;
        state.reserved += reserved;
        share.0.store(has + units, Ordering::Relaxed);
        Some(Held {
            budget: self,
            share: share.clone(),
            units,
            reserved,
        })
    }

    fn left(&self, state: &State) -> usize {
        self.units.saturating_sub(state.held)
    }
}

impl Share {
    fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Whether it may take more.
    pub(super) fn may_grow(&self) -> bool {
        self.share.held() < self.budget.left(&self.budget.state.lock())
    }

    /// Takes more, whatever is left.
    pub(super) fn grow(&mut self, units: usize) {
        let mut state = self.budget.state.lock();
        state.held += units;
        self.units += units;
        self.share.0.fetch_add(units, Ordering::Relaxed);
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }

    fn give_back(&mut self, state: &mut State) {
        let (units, reserved) = (
            std::mem::take(&mut self.units),
            std::mem::take(&mut self.reserved),
        );
        state.held -= units - reserved;
        state.reserved -= reserved;
        self.share.0.fetch_sub(units, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.units > 0 {
            let mut state = self.budget.state.lock();
            self.give_back(&mut state);
            self.budget.serve(&mut state);
        }
    }
}

impl Asked {
    /// Waits; asked again after it was answered it never ends.
    pub(super) async fn come(&mut self) -> Held {
        let held = match &mut self.0 {
            Some(receiver) => receiver.await.ok(),
            None => None,
        };
        self.0 = None;
        match held {
            Some(held) => held,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn budget(units: usize, reserve: usize, small: usize) -> &'static Budget {
        Box::leak(Box::new(Budget {
            units,
            reserve,
            small,
            state: Mutex::default(),
        }))
    }

    fn now(asked: &mut Asked) -> Option<Held> {
        asked.come().now_or_never()
    }

    /// Takes so many at a time for one run, as long as it gets them.
    fn all_it_gets(budget: &'static Budget, share: &Share, units: usize) -> Vec<Held> {
        std::iter::from_fn(|| now(&mut budget.ask(share, units, 0))).collect()
    }

    #[test]
    fn higher_priorities_first_and_equals_in_line() {
        let budget = budget(10, 0, 0);
        let all = now(&mut budget.ask(&Share::default(), 10, 0)).unwrap();
        let mut waiting = [0, 5, 0, 5].map(|priority| budget.ask(&Share::default(), 10, priority));
        drop(all);
        for next in [1, 3, 0, 2] {
            let served: Vec<Option<Held>> = waiting.iter_mut().map(now).collect();
            assert_eq!(served.iter().position(Option::is_some), Some(next));
        }
        assert_eq!(budget.state.lock().held, 0);
    }

    #[test]
    fn nothing_is_lost_with_those_who_go_away() {
        let budget = budget(10, 0, 0);
        let ask = |units, priority| budget.ask(&Share::default(), units, priority);
        let all = now(&mut ask(99, 0)).unwrap();
        let (gone, mut stays) = (ask(7, 9), ask(4, 0));
        drop(gone);
        drop(all);
        let mut held = now(&mut stays).unwrap();
        assert_eq!(budget.state.lock().held, 4);
        assert!(held.may_grow());
        held.grow(6);
        assert!(!held.may_grow());
        // Whoever is too large for what is left waits, and keeps its place.
        let mut large = ask(10, 0);
        assert!(now(&mut large).is_none());
        drop(held);
        assert!(now(&mut large).is_some());
        assert_eq!(budget.state.lock().held, 0);
    }

    #[test]
    fn runs_that_hold_on_to_what_they_have_leave_some_for_others() {
        let budget = budget(64, 0, 0);
        let stuck = [(); 4].map(|()| Share::default());
        let mut held: Vec<Held> = Vec::new();
        for share in &stuck {
            held.extend(all_it_gets(budget, share, 1));
        }
        assert!(stuck.iter().all(|share| share.held() >= 4));
        // What they wait for holds up nobody.
        let mut more = stuck.each_ref().map(|share| budget.ask(share, 1, 9));
        let healthy = Share::default();
        for _ in 0..1000 {
            assert!(!all_it_gets(budget, &healthy, 1).is_empty());
            assert!(now(&mut budget.ask(&healthy, 4, 0)).is_some());
        }
        assert!(more.iter_mut().all(|asked| now(asked).is_none()));
        held.clear();
        assert!(more.iter_mut().all(|asked| now(asked).is_some()));
        assert_eq!(budget.state.lock().held, 0);
    }

    #[test]
    fn small_loans_come_out_of_the_reserve_when_many_runs_hold_all() {
        let budget = budget(64, 6, 2);
        let stuck: Vec<Held> = (0..32)
            .map(|_| now(&mut budget.ask(&Share::default(), 2, 0)).unwrap())
            .collect();
        let mut large = budget.ask(&Share::default(), 3, 0);
        assert!(now(&mut large).is_none());
        let share = Share::default();
        let first = now(&mut budget.ask(&share, 2, 0)).unwrap();
        // No second, and not without end.
        assert!(!first.may_grow() && now(&mut budget.ask(&share, 1, 0)).is_none());
        let others: Vec<Held> = (0..3)
            .filter_map(|_| now(&mut budget.ask(&Share::default(), 2, 0)))
            .collect();
        assert_eq!(others.len(), 2);
        // What is given back goes where it came from: the large loan is not kept waiting by small ones.
        let mut next = budget.ask(&Share::default(), 2, 0);
        drop(first);
        assert!(now(&mut next).is_some() && now(&mut large).is_none());
        drop(stuck);
        assert!(now(&mut large).is_some());
        drop(others);
        let state = budget.state.lock();
        assert_eq!((state.held, state.reserved), (0, 0));
    }
}
