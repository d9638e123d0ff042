//! Room for the request bodies that are held in memory, from their arrival until what they ask is done: the commits'
//! queue holds them by as many as there are clients, so they are bounded together. Streamed attachments take none.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All the room there is.
#[derive(Debug)]
pub(crate) struct Rooms {
    bytes: Arc<Semaphore>,
    patience: Duration,
}

/// Room that one request has; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Rooms {
    pub(crate) fn new(bytes: usize, patience_ms: u64) -> Rooms {
        Rooms {
            bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            patience: Duration::from_millis(patience_ms),
        }
    }

    /// Waits for room, first come, first served; a busy server's client hears of it before it gives up by itself.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Room> {
        let bytes = u32::try_from(bytes).map_err(|_| Error::TooLarge)?;
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes);
        match tokio::time::timeout(self.patience, permit).await {
            Ok(Ok(permit)) => Ok(Room(Some(permit))),
            Ok(Err(_)) => Err(Error::Closing),
            Err(_) => Err(Error::Busy),
        }
    }

    /// Makes `room` hold `bytes` at least, and more at once than that, so that a long body of unknown length asks
    /// a few times only; never over `bytes_max`.
    pub(crate) async fn grow(&self, room: &mut Room, bytes: usize, bytes_max: usize) -> Result<()> {
        let held = room.bytes();
        if bytes <= held {
            return Ok(());
        }
        let wanted = bytes.max(held.saturating_mul(2)).min(bytes_max.max(bytes));
        let Room(more) = self.take(wanted - held).await?;
        match (&mut room.0, more) {
            (Some(permit), Some(more)) => permit.merge(more),
            (none, more) => *none = more,
        }
        Ok(())
    }
}

impl Room {
    /// Gives back what is more than `bytes`.
    pub(crate) fn keep(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.0 {
            drop(permit.split(permit.num_permits().saturating_sub(bytes)));
        }
    }

    fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_given_back_and_grows_by_doubling() {
        let rooms = Rooms::new(100, 10);
        let first = rooms.take(60).await.unwrap();
        assert!(matches!(rooms.take(41).await, Err(Error::Busy)));
        let mut second = Room::default();
        for (bytes, held) in [(10, 10), (11, 20), (20, 20), (21, 30), (30, 30)] {
            rooms.grow(&mut second, bytes, 30).await.unwrap();
            assert_eq!(second.bytes(), held);
        }
        assert!(matches!(rooms.grow(&mut second, 41, 90).await, Err(Error::Busy)));
        drop(first);
        rooms.grow(&mut second, 41, 90).await.unwrap();
        let held = second.bytes();
        second.keep(held + 1);
        assert_eq!(second.bytes(), held);
        second.keep(41);
        let rest = rooms.take(59).await.unwrap();
        drop((second, rest));
        rooms.take(100).await.unwrap();
    }
}
