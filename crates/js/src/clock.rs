//! How long a call may go on.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Asked by the engine every few thousand steps. It starts to run at the first question after [`Clock::start`], so
/// that the many calls that are over before it cost no look at the time.
pub(crate) struct Clock {
    time: Duration,
    end: Cell<Option<Instant>>,
    struck: Cell<bool>,
}

impl Clock {
    pub(crate) fn new(time: Duration) -> Clock {
        Clock {
            time,
            end: Cell::new(None),
            struck: Cell::new(false),
        }
    }

    pub(crate) fn start(&self) {
        self.end.set(None);
        self.struck.set(false);
    }

    pub(crate) fn is_over(&self) -> bool {
        let now = Instant::now();
        match self.end.get() {
            // A time too long to be told is none.
            None => self.end.set(now.checked_add(self.time)),
            Some(end) if now >= end => self.struck.set(true),
            Some(_) => {}
        }
        self.struck.get()
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.struck.get()
    }
}
