//! Who guessed too often, and from where: for one name, and for all names together.

use crate::config::Lockout;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use trunkline_core::limits::LOCKOUTS_MAX;

/// Failures by name and address, and by address alone.
#[derive(Debug, Default)]
pub(super) struct Failures {
    names: Counts,
    addresses: Counts,
}

#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<Key, Failed>>);

/// A hash: names may be long.
type Key = [u8; 32];

/// A name from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guesser {
    name: Key,
    /// The address alone. None from this machine: whoever is there shares it with everyone who comes through a proxy beside
    /// the server.
    address: Option<Key>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    /// When they stop counting.
    until: Instant,
}

impl Guesser {
    /// Of a name, with the fingerprint of its password, if it has one: guesses of a former password do not count.
    /// Whoever has one IPv6 address has the other 2^64 of its network, too.
    pub(super) fn new(name: &str, kept: Option<&blake3::Hash>, address: Option<IpAddr>) -> Guesser {
        let mut hasher = blake3::Hasher::new();
        let address = address.map(|address| address.to_canonical());
        match address {
            Some(IpAddr::V4(address)) => {
                hasher.update(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                hasher.update(&(u128::from(address) >> 64).to_be_bytes());
            }
            None => {}
        }
        let whole = address.filter(|address| !address.is_loopback());
        let address = whole.map(|_| *hasher.finalize().as_bytes());
        hasher.update(b"/");
        if let Some(kept) = kept {
            hasher.update(kept.as_bytes());
        }
        hasher.update(b"/");
        hasher.update(name.as_bytes());
        Guesser {
            name: *hasher.finalize().as_bytes(),
            address,
        }
    }
}

impl Failures {
    /// Refuses who failed too often, whatever password comes now.
    pub(super) fn check(&self, guesser: Guesser, settings: &Lockout) -> Result<()> {
        self.names.check(&guesser.name, settings.failures)?;
        match &guesser.address {
            Some(address) => self.addresses.check(address, settings.address_failures),
            None => Ok(()),
        }
    }

    /// Counts a failure; answers whether it is one that locks out.
    pub(super) fn add(&self, guesser: Guesser, settings: &Lockout) -> bool {
        let lasts = Duration::from_secs(settings.seconds);
        let name = self.names.add(guesser.name, settings.failures, lasts);
        let address = guesser.address;
        address.is_some_and(|address| self.addresses.add(address, settings.address_failures, lasts)) || name
    }

    /// Who knows the password did not guess it; others from there may.
    pub(super) fn forget(&self, guesser: Guesser) {
        self.names.0.lock().remove(&guesser.name);
    }
}

impl Counts {
    /// `most` failures lock out; 0 never.
    fn check(&self, key: &Key, most: u32) -> Result<()> {
        let now = Instant::now();
        match self.0.lock().get(key) {
            Some(failed) if most > 0 && failed.times >= most && failed.until > now => {
                let left = failed.until.saturating_duration_since(now);
                Err(Error::LockedOut(left.as_secs().saturating_add(1)))
            }
            _ => Ok(()),
        }
    }

    fn add(&self, key: Key, most: u32, lasts: Duration) -> bool {
        if most == 0 {
            return false;
        }
        let now = Instant::now();
        let until = now.checked_add(lasts).unwrap_or(now);
        let mut all = self.0.lock();
        if all.len() >= LOCKOUTS_MAX && !all.contains_key(&key) {
            make_room(&mut all, now);
        }
        let failed = all.entry(key).or_insert(Failed { times: 0, until });
        if failed.until <= now {
            failed.times = 0;
        }
        failed.times = failed.times.saturating_add(1);
        failed.until = until;
        failed.times == most
    }
}

/// Drops what counts no more, or else what would soonest.
fn make_room(all: &mut HashMap<Key, Failed>, now: Instant) {
    all.retain(|_, failed| failed.until > now);
    if all.len() >= LOCKOUTS_MAX {
        let soonest = all.iter().min_by_key(|(_, failed)| failed.until);
        let soonest = soonest.map(|(key, _)| *key);
        soonest.and_then(|key| all.remove(&key));
    }
}

#[cfg(test)]
mod tests;
