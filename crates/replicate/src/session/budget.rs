//! What all replications of a process share: a number of bytes, or of streams, that those of higher priority get first.

use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tokio::sync::oneshot;
use trunkline_core::limits::{REPLICATIONS_ATTACHMENT_STREAMS, REPLICATIONS_BYTES_IN_FLIGHT};

/// Bytes of documents under way.
pub(super) static BYTES: LazyLock<Budget> = LazyLock::new(|| Budget::of(REPLICATIONS_BYTES_IN_FLIGHT));
/// Attachments under way.
pub(super) static STREAMS: LazyLock<Budget> = LazyLock::new(|| Budget::of(REPLICATIONS_ATTACHMENT_STREAMS));

/// So many units, lent out.
pub(super) struct Budget {
    units: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: usize,
    /// The next to be served comes first: the highest priority, and of equals the one that came first.
    waiting: BTreeMap<(Reverse<i32>, u64), Waiter>,
    came: u64,
}

struct Waiter {
    units: usize,
    sender: oneshot::Sender<Held>,
}

/// Units lent until it is dropped.
pub(super) struct Held {
    budget: &'static Budget,
    units: usize,
}

/// Units that are waited for; may be asked again and again.
pub(super) enum Asked {
    /// They are there.
    Now(Option<Held>),
    /// They will come.
    Later(oneshot::Receiver<Held>),
}

impl Budget {
    fn of(units: usize) -> Budget {
        Budget {
            units,
            state: Mutex::default(),
        }
    }

    /// Gets in line. More than there are of counts as all of them.
    pub(super) fn ask(&'static self, units: usize, priority: i32) -> Asked {
        let units = units.min(self.units);
        let mut state = self.state.lock();
        if state.waiting.is_empty() && state.held + units <= self.units {
            state.held += units;
            return Asked::Now(Some(Held { budget: self, units }));
        }
        let (sender, receiver) = oneshot::channel();
        state.came += 1;
        let place = (Reverse(priority), state.came);
        state.waiting.insert(place, Waiter { units, sender });
        Asked::Later(receiver)
    }

    fn serve(&'static self, state: &mut State) {
        while let Some(first) = state.waiting.first_entry() {
            if state.held > 0 && state.held + first.get().units > self.units {
                return;
            }
            let Waiter { units, sender } = first.remove();
            if let Err(mut unwanted) = sender.send(Held { budget: self, units }) {
                // Its own way back would lock what is locked now.
                unwanted.units = 0;
            } else {
                state.held += units;
            }
        }
    }
}

impl Held {
    /// Takes more, whatever is left; answers whether that was within bounds.
    pub(super) fn grow(&mut self, units: usize) -> bool {
        let mut state = self.budget.state.lock();
        state.held += units;
        self.units += units;
        state.held <= self.budget.units
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.units > 0 {
            let mut state = self.budget.state.lock();
            state.held = state.held.saturating_sub(self.units);
            self.budget.serve(&mut state);
        }
    }
}

impl Asked {
    /// Waits; asked again after it was answered it never ends.
    pub(super) async fn come(&mut self) -> Held {
        let held = match self {
            Asked::Now(held) => held.take(),
            Asked::Later(receiver) => {
                let held = receiver.await.ok();
                *self = Asked::Now(None);
                held
            }
        };
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

    fn budget(units: usize) -> &'static Budget {
        Box::leak(Box::new(Budget::of(units)))
    }

    fn now(asked: &mut Asked) -> Option<Held> {
        asked.come().now_or_never()
    }

    #[test]
    fn higher_priorities_first_and_equals_in_line() {
        let budget = budget(10);
        let all = now(&mut budget.ask(10, 0)).unwrap();
        let mut waiting = [0, 5, 0, 5].map(|priority| budget.ask(10, priority));
        drop(all);
        for next in [1, 3, 0, 2] {
            let served: Vec<Option<Held>> = waiting.iter_mut().map(now).collect();
            assert_eq!(served.iter().position(Option::is_some), Some(next));
        }
        assert_eq!(budget.state.lock().held, 0);
    }

    #[test]
    fn nothing_is_lost_with_those_who_go_away() {
        let budget = budget(10);
        let all = now(&mut budget.ask(99, 0)).unwrap();
        let (gone, mut stays) = (budget.ask(7, 9), budget.ask(4, 0));
        drop(gone);
        drop(all);
        let mut held = now(&mut stays).unwrap();
        assert_eq!(budget.state.lock().held, 4);
        assert!(held.grow(6) && !held.grow(1));
        // Whoever is too large for what is left waits, and keeps its place.
        let mut large = budget.ask(10, 0);
        assert!(now(&mut large).is_none());
        drop(held);
        assert!(now(&mut large).is_some());
        assert_eq!(budget.state.lock().held, 0);
    }
}
