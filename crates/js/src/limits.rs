//! What a sandbox may use up: the bounds that a caller sets, and those that are fixed here, each with unit and reason.

use std::time::Duration;

/// How much a [`Sandbox`](crate::Sandbox) may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of everything alive in the sandbox, the engine itself (about 60 KB a function) included.
    pub memory_bytes: usize,
    /// Bytes of the thread's stack; the thread must have as much again to spare.
    pub stack_bytes: usize,
    /// Time for one call: a document through all maps, a reduction, a call, a batch of a filter. A call that is over
    /// it is ended at the engine's next look at the clock, which comes after some 10 000 calls or turns of a loop.
    pub call_time: Duration,
}

/// Holds a document of 8 MB, parsed and written again; a thousand sandboxes that misbehave at once do not come about.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// A thread of Rust has 2 MB; this is some thousand levels of calls, or of nesting in a document.
pub const STACK_BYTES: usize = 512 * 1024;
/// CouchDB's `os_process_timeout`: what runs there is not to be cut off here.
pub const CALL_TIME: Duration = Duration::from_secs(5);

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
