//! How long a call may go on.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::limits::{LOOK_UNITS, WORK_UNITS};

/// Runs from the start of a call. The engine asks it every few thousand steps, and built-ins that do much at once tell
/// it what they are about to do.
pub(crate) struct Clock {
    end: Cell<Option<Instant>>,
    struck: Cell<bool>,
    /// Units of work since it was last looked at.
    units: Cell<f64>,
}

/// Why a built-in is not to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TimeIsUp,
    TooMuch,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock {
            end: Cell::new(None),
            struck: Cell::new(false),
            units: Cell::new(0.0),
        }
    }

    pub(crate) fn start(&self, time: Duration) {
        // A time too long to be told is none.
        self.end.set(Instant::now().checked_add(time));
        self.struck.set(false);
        self.units.set(0.0);
    }

    pub(crate) fn is_over(&self) -> bool {
        if self.end.get().is_some_and(|end| Instant::now() >= end) {
            self.struck.set(true);
        }
        self.struck.get()
    }

    /// Whether so many units of work, each about a character or an element that is looked at, may be done at once.
    pub(crate) fn spend(&self, units: f64) -> Result<(), Refused> {
        let since = self.units.get() + units;
        if since >= LOOK_UNITS {
            self.units.set(0.0);
            if self.is_over() {
                return Err(Refused::TimeIsUp);
            }
        } else {
            self.units.set(since);
        }
        if self.struck.get() {
            return Err(Refused::TimeIsUp);
        }
        if units > WORK_UNITS {
            Err(Refused::TooMuch)
        } else {
            Ok(())
        }
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.struck.get()
    }
}
