//! What a sandbox may use up: the bounds that a caller sets, and those that are fixed here, each with unit and reason.
//!
//! The engine looks at the clock after each 10 000 calls and turns of loops. So do, by `guards.js`, the built-ins that go
//! through texts and lists, before they begin: searching, replacing, splitting, changing case, sorting, parsing. What
//! operators do is beyond that. Measured with a limit of one second, on a machine that did other things too: to compare
//! texts of 4 MB in a loop took 2 to 3 s; to join them anew each time and use the result as the name of a member, minutes,
//! which is the worst that was found. With less memory it is less, therefore a call has no more than it needs.

use std::time::Duration;

/// How much a [`Sandbox`](crate::Sandbox) may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of everything alive in the sandbox, the engine itself (about 60 KB a function) included.
    pub memory_bytes: usize,
    /// Bytes of the thread's stack; the thread must have as much again to spare.
    pub stack_bytes: usize,
    /// Time for one call: a document through all maps, a reduction, a call, a batch of a filter. A call that is over
    /// it is ended at the engine's next look at the clock.
    pub call_time: Duration,
}

/// Holds a document of 8 MB, parsed and written again; a thousand sandboxes that misbehave at once do not come about.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// A thread of Rust has 2 MB; this is some thousand levels of calls, or of nesting in a document.
pub const STACK_BYTES: usize = 512 * 1024;
/// CouchDB's `os_process_timeout`: what runs there is not to be cut off here.
pub const CALL_TIME: Duration = Duration::from_secs(5);

/// Bytes of memory that a call may use beyond what the sandbox had when it was fresh, and so many times the bytes that
/// it is given, up to [`Limits::memory_bytes`].
pub(crate) const CALL_ROOM_BYTES: usize = 16 * 1024 * 1024;
/// An array of digits takes eight times its text, one of small objects some thirty times.
pub(crate) const CALL_ROOM_PER_BYTE: usize = 32;
/// That is counted in steps of so many bytes, so that the limit is seldom set anew.
pub(crate) const CALL_ROOM_STEP_BYTES: usize = 1024 * 1024;
/// Bytes that functions may keep from call to call in a sandbox that is kept: room for caches, not for leaks.
pub(crate) const HOARD_BYTES: usize = 4 * 1024 * 1024;

/// Units of work that built-ins do between two looks at the clock, each a character or an element looked at: well below
/// a millisecond.
pub(crate) const LOOK_UNITS: f64 = 65_536.0;
/// Units of work that one built-in may do at once: about three seconds of searching.
pub(crate) const WORK_UNITS: f64 = 1e9;

/// Bytes of `log()` lines kept between two takings: enough to see what is wrong, too little to hurt.
pub(crate) const LOG_BYTES: usize = 64 * 1024;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: MEMORY_BYTES,
            stack_bytes: STACK_BYTES,
            call_time: CALL_TIME,
        }
    }
}
