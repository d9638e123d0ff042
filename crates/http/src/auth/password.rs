//! How passwords are kept, and whether one is right.
//!
//! As CouchDB keeps them, so that users and administrators move both ways: derived by PBKDF2 (or, of old, hashed by SHA-1)
//! with the bytes of the salt's text.

use super::hex;
use crate::config::{Passwords, Prf};
use ring::pbkdf2;
use std::num::NonZeroU32;
use trunkline_core::limits::PASSWORD_ITERATIONS_MAX;

/// A password as it is kept. Nothing shows what is inside.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// SHA-1 of password and salt: what CouchDB wrote before 1.3.
    Simple { sha1: Vec<u8>, salt: String },
    /// PBKDF2.
    Pbkdf2 {
        hash: Hash,
        iterations: NonZeroU32,
        derived: Vec<u8>,
        salt: String,
    },
    /// As it is: an administrator's, from settings that nobody hashed.
    Clear(String),
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(a password)")
    }
}

/// The hash beneath PBKDF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// By CouchDB's name (`pbkdf2_prf`). It has SHA-224, too; we do not, and nobody logs in with it.
    pub(crate) fn named(name: &str) -> Option<Hash> {
        match name {
            "sha" => Some(Hash::Sha1),
            "sha256" => Some(Hash::Sha256),
            "sha384" => Some(Hash::Sha384),
            "sha512" => Some(Hash::Sha512),
            _ => None,
        }
    }

    /// CouchDB's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "sha",
            Hash::Sha256 => "sha256",
            Hash::Sha384 => "sha384",
            Hash::Sha512 => "sha512",
        }
    }

    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    /// Bytes of what it gives: as many as CouchDB derives.
    fn bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
}

impl From<Prf> for Hash {
    fn from(prf: Prf) -> Hash {
        match prf {
            Prf::Sha256 => Hash::Sha256,
            Prf::Sha1 => Hash::Sha1,
        }
    }
}

impl Kept {
    /// Derives a new password, with a new salt. Takes as long as the settings mean it to.
    pub(crate) fn derive(settings: &Passwords, password: &str) -> Kept {
        let hash = Hash::from(settings.prf);
        let iterations = rounds(u64::from(settings.iterations)).unwrap_or(NonZeroU32::MIN);
        let salt = uuid::Uuid::new_v4().simple().to_string();
        let mut derived = vec![0; hash.bytes()];
        pbkdf2::derive(
            hash.algorithm(),
            iterations,
            salt.as_bytes(),
            password.as_bytes(),
            &mut derived,
        );
        Kept::Pbkdf2 {
            hash,
            iterations,
            derived,
            salt,
        }
    }

    /// One that no password fits, and that takes as long to find out as one that does.
    pub(crate) fn nobodys(settings: &Passwords) -> Kept {
        let hash = Hash::from(settings.prf);
        Kept::Pbkdf2 {
            hash,
            iterations: rounds(u64::from(settings.iterations)).unwrap_or(NonZeroU32::MIN),
            derived: ring::digest::digest(&ring::digest::SHA512, uuid::Uuid::new_v4().as_bytes())
                .as_ref()
                .iter()
                .copied()
                .take(hash.bytes())
                .collect(),
            salt: String::new(),
        }
    }

    /// From the members of a document of `_users`; `None` when they make no password that could be right.
    pub(crate) fn pbkdf2(hash: Hash, iterations: u64, derived_hex: &str, salt: &str) -> Option<Kept> {
        let derived = hex::decode(derived_hex).filter(|derived| derived.len() == hash.bytes())?;
        Some(Kept::Pbkdf2 {
            hash,
            iterations: rounds(iterations)?,
            derived,
            salt: salt.to_owned(),
        })
    }

    /// The old scheme.
    pub(crate) fn simple(sha1_hex: &str, salt: &str) -> Option<Kept> {
        Some(Kept::Simple {
            sha1: hex::decode(sha1_hex).filter(|sha1| sha1.len() == Hash::Sha1.bytes())?,
            salt: salt.to_owned(),
        })
    }

    /// An administrator's, from the settings: `-pbkdf2:sha256-derived,salt,iterations`, `-pbkdf2-…` (SHA-1),
    /// `-hashed-sha1,salt`, or the password itself. `None` for something of the first three kinds that is malformed.
    pub(crate) fn of_admin(text: &str) -> Option<Kept> {
        if let Some(rest) = text.strip_prefix("-hashed-") {
            let (sha1, salt) = rest.split_once(',')?;
            return Kept::simple(sha1, salt);
        }
        let (hash, rest) = if let Some(rest) = text.strip_prefix("-pbkdf2-") {
            (Hash::Sha1, rest)
        } else if let Some(rest) = text.strip_prefix("-pbkdf2:") {
            let (name, rest) = rest.split_once('-')?;
            (Hash::named(name)?, rest)
        } else {
            return Some(Kept::Clear(text.to_owned()));
        };
        let (derived, rest) = rest.split_once(',')?;
        let (salt, iterations) = rest.rsplit_once(',')?;
        Kept::pbkdf2(hash, iterations.parse().ok()?, derived, salt)
    }

    /// Whether the password is right; how long that takes does not tell in what it differs.
    pub(crate) fn verify(&self, password: &str) -> bool {
        match self {
            Kept::Simple { sha1, salt } => {
                let salted = [password.as_bytes(), salt.as_bytes()].concat();
                let hashed = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &salted);
                same(hashed.as_ref(), sha1)
            }
            Kept::Pbkdf2 {
                hash,
                iterations,
                derived,
                salt,
            } => pbkdf2::verify(
                hash.algorithm(),
                *iterations,
                salt.as_bytes(),
                password.as_bytes(),
                derived,
            )
            .is_ok(),
            Kept::Clear(kept) => same(kept.as_bytes(), password.as_bytes()),
        }
    }

    /// Rounds that it takes to find out; the old scheme's are as good as none.
    pub(crate) fn rounds(&self) -> u32 {
        match self {
            Kept::Pbkdf2 { iterations, .. } => iterations.get(),
            Kept::Simple { .. } | Kept::Clear(_) => 0,
        }
    }

    /// One that takes the rounds that are left of it after `done`; `None` when none are.
    pub(crate) fn after(mut self, done: u32) -> Option<Kept> {
        if let Kept::Pbkdf2 { iterations, .. } = &mut self {
            *iterations = NonZeroU32::new(iterations.get().saturating_sub(done))?;
        }
        Some(self)
    }

    /// What cookies are signed with beside the server's secret: a password that is set anew ends sessions.
    pub(crate) fn salt(&self) -> String {
        match self {
            Kept::Simple { salt, .. } | Kept::Pbkdf2 { salt, .. } => salt.clone(),
            Kept::Clear(password) => {
                let key =
                    blake3::derive_key("Trunkline 2026: salt of a password in clear", password.as_bytes());
                hex::encode(&key)
            }
        }
    }

    /// Differs from that of any other password.
    pub(crate) fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        match self {
            Kept::Simple { sha1, salt } => {
                part(b"simple");
                part(sha1);
                part(salt.as_bytes());
            }
            Kept::Pbkdf2 {
                hash,
                iterations,
                derived,
                salt,
            } => {
                part(hash.name().as_bytes());
                part(&iterations.get().to_le_bytes());
                part(derived);
                part(salt.as_bytes());
            }
            Kept::Clear(password) => {
                part(b"clear");
                part(password.as_bytes());
            }
        }
        hasher.finalize()
    }

    /// As settings keep an administrator's password.
    fn text(&self) -> String {
        match self {
            Kept::Simple { sha1, salt } => format!("-hashed-{},{salt}", hex::encode(sha1)),
            Kept::Pbkdf2 {
                hash,
                iterations,
                derived,
                salt,
            } => {
                // Older CouchDB and PouchDB Server read only the first, which names no hash.
                let hash = match hash {
                    Hash::Sha1 => String::new(),
                    other => format!(":{}", other.name()),
                };
                format!("-pbkdf2{hash}-{},{salt},{iterations}", hex::encode(derived))
            }
            Kept::Clear(password) => password.clone(),
        }
    }
}

/// A planted document must not burn hours.
fn rounds(iterations: u64) -> Option<NonZeroU32> {
    let rounds = u32::try_from(iterations)
        .ok()
        .filter(|&rounds| rounds <= PASSWORD_ITERATIONS_MAX)?;
    NonZeroU32::new(rounds)
}

/// Compares in a time that does not depend on where they differ: hashes of them are compared, all of each.
fn same(a: &[u8], b: &[u8]) -> bool {
    blake3::hash(a) == blake3::hash(b)
}

/// An administrator's password as settings keep it; what is kept so already stays as it is.
pub fn hash_admin(settings: &Passwords, text: &str) -> String {
    match Kept::of_admin(text) {
        Some(Kept::Clear(password)) => Kept::derive(settings, &password).text(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
