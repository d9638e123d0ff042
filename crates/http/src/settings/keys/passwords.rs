//! `[passwords]`, `[lockout]`.

use crate::settings::Kind;
use crate::settings::field::PRFS;
use crate::settings::key::{Holds, Section, key};
use trunkline_core::limits::PASSWORD_ITERATIONS_MAX;

pub(super) const PASSWORDS: Section = Section {
    name: "passwords",
    text: "How passwords are kept, and which may be chosen. What changes here is for passwords set from then on.",
    holds: Holds::Keys(&[
        key!(
            "prf",
            Kind::OneOf(PRFS),
            LIVE,
            config.authentication.passwords.prf,
            "The hash beneath PBKDF2. CouchDB before 3.4 and PouchDB Server read sha alone."
        ),
        key!(
            "iterations",
            Kind::Number {
                least: 1,
                most: PASSWORD_ITERATIONS_MAX as u64,
                unit: "rounds"
            },
            LIVE,
            config.authentication.passwords.iterations,
            "Rounds of PBKDF2: each guess costs as much."
        ),
        key!(
            "chars_min",
            Kind::Number {
                least: 0,
                most: 1024,
                unit: "characters"
            },
            LIVE,
            config.authentication.passwords.chars_min,
            "The least that a new password of a document of _users has."
        ),
        key!(
            "public_fields",
            Kind::List,
            LIVE,
            config.authentication.passwords.public_fields,
            "Members of documents of _users that everyone may read."
        ),
    ]),
};

pub(super) const LOCKOUT: Section = Section {
    name: "lockout",
    text: "When guessing ends: a name from an address that failed so often is refused for a while, whatever password comes.",
    holds: Holds::Keys(&[
        key!(
            "failures",
            Kind::Number {
                least: 0,
                most: 1_000_000,
                unit: "failures"
            },
            LIVE,
            config.authentication.lockout.failures,
            "After how many; 0 never locks anyone out."
        ),
        key!(
            "address_failures",
            Kind::Number {
                least: 0,
                most: 1_000_000,
                unit: "failures"
            },
            LIVE,
            config.authentication.lockout.address_failures,
            "After how many of all names together an address is refused; 0 never. Not for addresses of this machine. Where \
             everyone comes through a proxy on another one, all share its address."
        ),
        key!(
            "seconds",
            Kind::Number {
                least: 1,
                most: 86_400,
                unit: "seconds"
            },
            LIVE,
            config.authentication.lockout.seconds,
            "How long it lasts, and within what failures are counted."
        ),
    ]),
};
