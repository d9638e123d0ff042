//! Who reaches whom, and when.

use crate::node::{Running, Seat};
use crate::plan::Weather;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// All nodes and what lies between them.
pub(crate) struct Network {
    pub(crate) seats: Vec<Seat>,
    weather: Weather,
    calm: AtomicBool,
    /// Which side of a partition each node is on.
    sides: Mutex<Vec<bool>>,
    /// Counts changes of who reaches whom.
    changed: watch::Sender<u64>,
    /// The replication id of each edge, once one was seen.
    pub(crate) logs: Mutex<BTreeMap<usize, String>>,
}

impl Network {
    pub(crate) fn new(nodes: usize, weather: Weather) -> Network {
        Network {
            seats: (0..nodes).map(|_| Seat::new()).collect(),
            weather,
            calm: AtomicBool::new(false),
            sides: Mutex::new(vec![false; nodes]),
            changed: watch::Sender::new(0),
            logs: Mutex::default(),
        }
    }

    /// The weather now.
    pub(crate) fn weather(&self) -> Weather {
        match self.is_calm() {
            true => Weather {
                lost: 0.0,
                twice: 0.0,
                cut: 0.0,
                late_ms: 5,
            },
            false => self.weather,
        }
    }

    /// Whether everything is healed for good.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.part(vec![false; self.seats.len()]);
    }

    pub(crate) fn part(&self, sides: Vec<bool>) {
        *self.sides.lock() = sides;
        self.tell();
    }

    /// Tells everyone who waits that a node went or came, or the partition changed.
    pub(crate) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The node `to` as `from` finds it, if it does.
    pub(crate) fn reach(&self, from: usize, to: usize) -> Option<Running> {
        let sides = self.sides.lock();
        let running = self.seats[to].running()?;
        (sides[from] == sides[to] && !running.is_dying()).then_some(running)
    }
}
