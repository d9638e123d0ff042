//! Answers that are read a chunk at a time, with nothing held open between chunks.

use crate::{Error, Result};
use std::collections::VecDeque;

/// What chunks come from.
pub(super) trait Chunks {
    /// One part of an answer, as it is stored.
    type Part;

    /// Reads some more; whether there may be others.
    fn chunk(&mut self, into: &mut VecDeque<Self::Part>) -> Result<bool>;
}

/// Parts that were read and not yet handed out, and where more come from.
#[derive(Debug)]
pub(super) struct Buffered<C: Chunks> {
    pub(super) chunks: C,
    buffer: VecDeque<C::Part>,
    more: bool,
    /// Handed out behind what was read before.
    failed: Option<Error>,
}

impl<C: Chunks> Buffered<C> {
    pub(super) fn new(chunks: C) -> Buffered<C> {
        Buffered {
            chunks,
            buffer: VecDeque::new(),
            more: true,
            failed: None,
        }
    }

    /// How many parts are at hand without reading.
    pub(super) fn at_hand(&self) -> usize {
        self.buffer.len()
    }

    /// Whether all has been handed out.
    pub(super) fn is_done(&self) -> bool {
        !self.more && self.buffer.is_empty() && self.failed.is_none()
    }

    pub(super) fn next(&mut self) -> Option<Result<C::Part>> {
        loop {
            if let Some(part) = self.buffer.pop_front() {
                return Some(Ok(part));
            }
            if !self.more {
                return self.failed.take().map(Err);
            }
            match self.chunks.chunk(&mut self.buffer) {
                Ok(more) => self.more = more,
                Err(error) => {
                    self.more = false;
                    self.failed = Some(error);
                }
            }
        }
    }
}
