//! A run's bandwidth cap.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use trunkline_core::limits::REPLICATION_BATCH_BYTES;

/// Bytes under which batches are not made smaller for the cap's sake.
const BATCH_BYTES_LEAST: usize = 16 << 10;

/// Lets so many bytes pass in a second, first come, first served.
pub(super) struct Throttle {
    /// No cap when `None`.
    bytes_per_second: Option<u64>,
    /// When what passed so far is paid for.
    paid: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Throttle {
        Throttle {
            bytes_per_second: bytes_per_second.map(|rate| rate.max(1)),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Waits until these bytes may have passed.
    pub(super) async fn pass(&self, bytes: usize) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let until = {
            let mut paid = self.paid.lock();
            *paid = (*paid).max(Instant::now()) + takes;
            *paid
        };
        tokio::time::sleep_until(until).await;
    }

    /// Most bytes of one batch: under a tight cap each takes about a second.
    pub(super) fn batch_bytes(&self) -> usize {
        let rate = self.bytes_per_second.unwrap_or(u64::MAX);
        usize::try_from(rate)
            .unwrap_or(usize::MAX)
            .clamp(BATCH_BYTES_LEAST, REPLICATION_BATCH_BYTES)
    }
}
