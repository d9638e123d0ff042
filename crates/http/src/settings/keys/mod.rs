//! THE TABLE: every setting, in the order of the file that `trunkline config --example` prints.

mod authentication;
mod cors;
mod limits;
mod names;
mod passwords;
mod server;
mod sessions;
mod tls;
mod tokens;

use super::key::{Found, Section};

/// Every section.
pub const SECTIONS: &[Section] = &[
    server::SERVER,
    tls::TLS,
    limits::LIMITS,
    names::ADMINS,
    authentication::AUTHENTICATION,
    passwords::PASSWORDS,
    names::PASSWORD_RULES,
    passwords::LOCKOUT,
    sessions::SESSIONS,
    tokens::JWT,
    names::JWT_KEYS,
    tokens::PROXY,
    names::CERTIFICATES,
    cors::CORS,
    server::REPLICATION,
    server::LOG,
];

/// The section of that name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// The key of that name.
pub(super) fn find(in_section: &str, name: &str) -> Option<Found> {
    section(in_section)?.find(name)
}
