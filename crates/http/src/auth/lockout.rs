//! Who guessed too often, and from where.

use crate::config::Lockout;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use trunkline_core::limits::LOCKOUTS_MAX;

/// Failures by name and address.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Guesser, Failed>>);

/// A name from an address, hashed: names may be long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guesser([u8; 32]);

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    /// When they stop counting.
    until: Instant,
}

impl Guesser {
    /// Whoever has one IPv6 address has the other 2^64 of its network, too.
    pub(super) fn new(name: &str, address: Option<IpAddr>) -> Guesser {
        let mut hasher = blake3::Hasher::new();
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => {
                hasher.update(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                hasher.update(&(u128::from(address) >> 64).to_be_bytes());
            }
            None => {}
        }
        hasher.update(b"/");
        hasher.update(name.as_bytes());
        Guesser(*hasher.finalize().as_bytes())
    }
}

impl Failures {
    /// Refuses who failed too often, whatever password comes now.
    pub(super) fn check(&self, guesser: Guesser, settings: &Lockout) -> Result<()> {
        let now = Instant::now();
        match self.0.lock().get(&guesser) {
            Some(failed)
                if settings.failures > 0 && failed.times >= settings.failures && failed.until > now =>
            {
                let left = failed.until.saturating_duration_since(now);
                Err(Error::LockedOut(left.as_secs().saturating_add(1)))
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure; answers whether it is the one that locks out.
    pub(super) fn add(&self, guesser: Guesser, settings: &Lockout) -> bool {
        if settings.failures == 0 {
            return false;
        }
        let now = Instant::now();
        let until = now
            .checked_add(Duration::from_secs(settings.seconds))
            .unwrap_or(now);
        let mut all = self.0.lock();
        if all.len() >= LOCKOUTS_MAX && !all.contains_key(&guesser) {
            make_room(&mut all, now);
        }
        let failed = all.entry(guesser).or_insert(Failed { times: 0, until });
        if failed.until <= now {
            failed.times = 0;
        }
        failed.times = failed.times.saturating_add(1);
        failed.until = until;
        failed.times == settings.failures
    }

    /// Who knows the password did not guess.
    pub(super) fn forget(&self, guesser: Guesser) {
        self.0.lock().remove(&guesser);
    }
}

/// Drops what counts no more, or else what would soonest.
fn make_room(all: &mut HashMap<Guesser, Failed>, now: Instant) {
    all.retain(|_, failed| failed.until > now);
    if all.len() >= LOCKOUTS_MAX {
        let soonest = all.iter().min_by_key(|(_, failed)| failed.until);
        let soonest = soonest.map(|(guesser, _)| *guesser);
        soonest.and_then(|guesser| all.remove(&guesser));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Lockout = Lockout {
        failures: 3,
        seconds: 100,
    };

    fn at(name: &str, address: &str) -> Guesser {
        Guesser::new(name, Some(address.parse().unwrap()))
    }

    #[test]
    fn the_third_failure_locks_this_name_from_here() {
        let failures = Failures::default();
        let anna = at("anna", "10.0.0.1");
        for time in 1..=3 {
            assert!(failures.check(anna, &SETTINGS).is_ok());
            assert_eq!(failures.add(anna, &SETTINGS), time == 3);
        }
        let refused = failures.check(anna, &SETTINGS);
        assert!(matches!(refused, Err(Error::LockedOut(1..=100))), "{refused:?}");
        assert!(failures.check(at("anna", "10.0.0.2"), &SETTINGS).is_ok());
        assert!(failures.check(at("ben", "10.0.0.1"), &SETTINGS).is_ok());
        assert!(
            failures
                .check(
                    anna,
                    &Lockout {
                        failures: 0,
                        ..SETTINGS
                    }
                )
                .is_ok()
        );
    }

    #[test]
    fn a_success_forgets() {
        let failures = Failures::default();
        let anna = at("anna", "10.0.0.1");
        failures.add(anna, &SETTINGS);
        failures.add(anna, &SETTINGS);
        failures.forget(anna);
        failures.add(anna, &SETTINGS);
        assert!(failures.check(anna, &SETTINGS).is_ok());
    }

    #[test]
    fn old_failures_do_not_count() {
        let failures = Failures::default();
        let anna = at("anna", "10.0.0.1");
        let past = Lockout {
            seconds: 0,
            ..SETTINGS
        };
        for _ in 0..5 {
            failures.add(anna, &past);
            assert!(failures.check(anna, &past).is_ok());
        }
    }

    #[test]
    fn networks_of_ipv6_count_as_one() {
        assert_eq!(at("anna", "2001:db8::1"), at("anna", "2001:db8::ffff:1"));
        assert_ne!(at("anna", "2001:db8::1"), at("anna", "2001:db8:0:1::1"));
        assert_eq!(at("anna", "::ffff:10.0.0.1"), at("anna", "10.0.0.1"));
        assert_ne!(at("anna", "10.0.0.1"), Guesser::new("anna", None));
    }

    #[test]
    fn they_are_bounded() {
        let failures = Failures::default();
        let many = Lockout {
            seconds: 1000,
            ..SETTINGS
        };
        let anna = at("anna", "10.0.0.1");
        assert!((0..3).any(|_| failures.add(anna, &many)));
        for number in 0..LOCKOUTS_MAX {
            failures.add(at(&number.to_string(), "10.0.0.1"), &SETTINGS);
        }
        assert_eq!(failures.0.lock().len(), LOCKOUTS_MAX);
        assert!(failures.check(anna, &many).is_err(), "the longest stays");
    }
}
