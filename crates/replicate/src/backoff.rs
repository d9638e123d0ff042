//! How long to wait before a failed attempt is made again.

use std::time::Duration;

/// The first wait.
const FIRST_MS: u64 = 250;
/// The longest wait that doubling reaches: a peer that comes back is found within half a minute.
const LONGEST_MS: u64 = 30_000;
/// From so many on, doubling changes nothing.
const DOUBLINGS_MAX: u32 = 16;
/// The longest wait a peer may ask for; more would look like a replication that died.
const RETRY_AFTER_LONGEST: Duration = Duration::from_secs(300);

/// Failed attempts in a row.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
    /// How often the wait was doubled: no fewer times than attempts failed.
    doublings: u32,
}

impl Backoff {
    /// Counts a failure and answers how long to wait. `jitter` (0 to 1) spreads peers that lost the same server.
    pub fn next_wait(&mut self, jitter: f64, retry_after: Option<Duration>) -> Duration {
        let doubled = FIRST_MS << self.doublings.min(DOUBLINGS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.doublings = self.doublings.saturating_add(1);
        let most = doubled.min(LONGEST_MS) as f64;
        let wait = Duration::from_millis((most * (0.5 + 0.5 * jitter.clamp(0.0, 1.0))) as u64);
        wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_LONGEST))
    }

    /// Waits as long as waits get: for failures that time rarely heals, such as a missing database.
    pub fn longest_wait(&mut self, jitter: f64, retry_after: Option<Duration>) -> Duration {
        self.doublings = self.doublings.max(DOUBLINGS_MAX);
        self.next_wait(jitter, retry_after)
    }

    /// Attempts that failed since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets failures, since something worked.
    pub fn succeeded(&mut self) {
        *self = Backoff::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_starts_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..9)
            .map(|_| backoff.next_wait(1.0, None).as_millis() as u64)
            .collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.failures(), 9);
        backoff.succeeded();
        assert_eq!(backoff.next_wait(0.0, None).as_millis(), 125);
    }

    #[test]
    fn a_peer_may_ask_for_more_but_not_for_ever() {
        let mut backoff = Backoff::default();
        assert_eq!(
            backoff.next_wait(1.0, Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        assert_eq!(
            backoff.next_wait(1.0, Some(Duration::from_secs(9999))),
            RETRY_AFTER_LONGEST
        );
    }

    #[test]
    fn the_longest_wait_is_one_failure_and_no_shorter_than_the_peer_asks() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.longest_wait(1.0, None), Duration::from_secs(30));
        assert_eq!(backoff.failures(), 1);
        let asked = Some(Duration::from_secs(300));
        assert_eq!(backoff.longest_wait(1.0, asked), Duration::from_secs(300));
        assert_eq!(backoff.failures(), 2);
        backoff.succeeded();
        assert_eq!(backoff.next_wait(1.0, None).as_millis(), 250);
    }

    #[test]
    fn never_overflows() {
        let mut backoff = Backoff {
            failures: u32::MAX - 1,
            doublings: u32::MAX - 1,
        };
        for _ in 0..5 {
            assert!(backoff.next_wait(0.5, None) <= Duration::from_secs(30));
        }
    }
}
