//! Turns for what takes a core long: deriving passwords.

use super::password::Kept;
use crate::app::blocking;
use crate::error::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trunkline_core::limits::PASSWORD_WAIT_MS;

/// Few derive at once, so that a flood of guesses leaves cores for everyone else.
#[derive(Debug)]
pub(super) struct Hashing(Arc<Semaphore>);

/// Given back when the work is done, whether or not somebody still waits for it.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Hashing {
    /// Half of the cores, at least one.
    pub(super) fn new() -> Hashing {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hashing(Arc::new(Semaphore::new((cores / 2).max(1))))
    }

    /// A turn that nobody has to wait for.
    #[cfg(test)]
    pub(super) fn turn_at_hand(&self) -> Option<Turn> {
        self.0.clone().try_acquire_owned().ok().map(Turn)
    }

    /// Waits for a turn, not for long.
    pub(super) async fn turn(&self) -> Result<Turn> {
        let turn = self.0.clone().acquire_owned();
        match tokio::time::timeout(Duration::from_millis(PASSWORD_WAIT_MS), turn).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) => Err(Error::Closing),
            Err(_) => Err(Error::PasswordsBusy),
        }
    }
}

/// Whether the password is right. When it is wrong, what is kept with fewer rounds takes the time of `otherwise` all the
/// same: accounts of other servers are not told from names that nobody has.
pub(super) async fn verify(turn: Turn, kept: Kept, otherwise: Kept, password: String) -> Result<bool> {
    blocking(move || {
        let _turn = turn;
        let right = kept.verify(&password);
        if let (false, Some(rest)) = (right, otherwise.after(kept.rounds())) {
            rest.verify(&password);
        }
        Ok(right)
    })
    .await
}
