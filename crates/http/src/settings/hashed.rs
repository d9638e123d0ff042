//! Administrators' passwords, which are not kept in clear.

use super::Value;
use super::layer::Layer;
use crate::auth::hash_admin;
use crate::auth::password::Kept;
use crate::config::{Config, Passwords, Secret};
use std::collections::BTreeMap;

/// What was hashed before, so that reading the same file again neither takes long nor ends sessions. Nothing in clear is
/// in it.
#[derive(Default)]
pub(super) struct Hashed(BTreeMap<[u8; 32], String>);

impl Hashed {
    /// Whether it is an administrator's password in clear.
    fn is_clear(section: &str, text: &str) -> bool {
        section == "admins" && !is_hash(text)
    }

    /// Whether one is among what a place sets.
    pub(super) fn has_clear(layer: &Layer) -> bool {
        let mut values = layer.iter();
        values
            .any(|(section, _, value)| matches!(value, Value::Text(text) if Hashed::is_clear(section, text)))
    }

    /// Hashes the passwords that are in clear.
    pub(super) fn admins(&mut self, config: &mut Config) {
        let passwords = config.authentication.passwords.clone();
        for password in config.admins.values_mut() {
            if !is_hash(password.reveal()) {
                *password = Secret::new(self.hash(&passwords, password.reveal()));
            }
        }
    }

    /// Hashes the administrators' passwords of a layer that are in clear.
    pub(super) fn layer(&mut self, layer: &mut Layer, passwords: &Passwords) {
        for (section, _, value) in layer.iter_mut() {
            if let Value::Text(text) = value
                && Hashed::is_clear(section, text)
            {
                *text = self.hash(passwords, text);
            }
        }
    }

    /// The value, hashed if it is an administrator's password in clear.
    pub(super) fn value(section: &str, value: Value, config: &Config) -> Value {
        match value {
            Value::Text(text) if section == "admins" && !text.is_empty() => {
                Value::Text(hash_admin(&config.authentication.passwords, &text))
            }
            value => value,
        }
    }

    fn hash(&mut self, passwords: &Passwords, clear: &str) -> String {
        let how = format!("{:?} {} {clear}", passwords.prf, passwords.iterations);
        let mark = blake3::derive_key("Trunkline 2026: a password hashed before", how.as_bytes());
        let hashed = self.0.entry(mark);
        hashed.or_insert_with(|| hash_admin(passwords, clear)).clone()
    }
}

/// Whether it is what `hash_admin` makes, or CouchDB did, or means to be.
pub(super) fn is_hash(text: &str) -> bool {
    !matches!(Kept::of_admin(text), Some(Kept::Clear(_)))
}

/// Whether a password can be right for it.
pub(super) fn is_sound(text: &str) -> bool {
    Kept::of_admin(text).is_some()
}
