//! Names and passwords that were found right: to find out takes long, and clients send them with every request.

use parking_lot::Mutex;
use std::collections::HashMap;
use trunkline_core::limits::VERIFIED_CREDENTIALS_MAX;

/// What was found right, as hashes with a key that leaves this process with nothing: no password is in memory longer than
/// its request. Each holds for one kept password, so that it is forgotten as soon as another one is set.
#[derive(Debug)]
pub(super) struct Verified {
    key: [u8; 32],
    known: Mutex<HashMap<[u8; 32], blake3::Hash>>,
}

impl Verified {
    pub(super) fn new() -> Verified {
        Verified {
            key: super::random(),
            known: Mutex::default(),
        }
    }

    /// Stands for a name and a password.
    pub(super) fn mark(&self, name: &str, password: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(password.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Whether they were found right for the password as it is kept now.
    pub(super) fn holds(&self, mark: &[u8; 32], kept: &blake3::Hash) -> bool {
        self.known.lock().get(mark) == Some(kept)
    }

    /// Remembers that they are. When there are too many, any other one is found out again.
    pub(super) fn remember(&self, mark: [u8; 32], kept: blake3::Hash) {
        let mut known = self.known.lock();
        if known.len() >= VERIFIED_CREDENTIALS_MAX && !known.contains_key(&mark) {
            let any = known.keys().next().copied();
            any.and_then(|any| known.remove(&any));
        }
        known.insert(mark, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_is_another_matter() {
        let verified = Verified::new();
        let (old, new) = (blake3::hash(b"old"), blake3::hash(b"new"));
        let mark = verified.mark("anna", "secret");
        assert!(!verified.holds(&mark, &old));
        verified.remember(mark, old);
        assert!(verified.holds(&mark, &old));
        assert!(!verified.holds(&mark, &new));
        assert!(!verified.holds(&verified.mark("ann", "asecret"), &old));
        assert_ne!(Verified::new().mark("anna", "secret"), mark);
    }

    #[test]
    fn they_are_bounded() {
        let verified = Verified::new();
        let kept = blake3::hash(b"");
        for number in 0..=VERIFIED_CREDENTIALS_MAX {
            verified.remember(verified.mark(&number.to_string(), ""), kept);
        }
        assert_eq!(verified.known.lock().len(), VERIFIED_CREDENTIALS_MAX);
        let last = verified.mark(&VERIFIED_CREDENTIALS_MAX.to_string(), "");
        assert!(verified.holds(&last, &kept));
    }
}
