//! Documents with attachments, one at a time, their bytes in chunks. Each chunk is read or written by a short call of
//! its own, so that no thread waits for the other peer.

mod send;
mod take;

pub(super) use send::send;
pub(super) use take::take;
