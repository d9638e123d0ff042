//! Who asks: found out once for each request, before any route sees it.
//!
//! What a request presents is looked at in CouchDB's order: a cookie of `/_session`, `Authorization`, what a proxy says;
//! then the certificate of its connection. What is presented must hold: a request with a wrong password is refused, not
//! answered as if it had none. What may be done by whom is not decided here.

mod accounts;
mod admit;
mod asked;
mod basic;
pub(crate) mod certificate;
mod cookie;
mod epoch;
mod hashing;
mod hex;
mod jwt;
mod lockout;
mod log_in;
mod open;
pub(crate) mod password;
pub(crate) mod proxy;
mod session;
mod user;
pub(crate) mod users_db;
mod verified;

pub(crate) use admit::admit;
pub(crate) use basic::Credentials;
pub(crate) use epoch::{Epoch, is_over, is_still};
pub(crate) use jwt::is_sound_key;
pub use password::hash_admin;
pub(crate) use session::{begin_session, end_session};
pub(crate) use user::{Method, User};
pub(crate) use users_db::rule;

use crate::config::{Config, Sessions};
use crate::error::Result;
use accounts::Accounts;
use hashing::{Hashing, Turn};
use lockout::Failures;
use verified::Verified;

/// What is remembered from request to request.
#[derive(Debug)]
pub(crate) struct Auth {
    accounts: Accounts,
    verified: Verified,
    failures: Failures,
    hashing: Hashing,
    /// Signs cookies where the settings have no secret.
    secret: String,
}

impl Auth {
    pub(crate) fn new() -> Auth {
        Auth {
            accounts: Accounts::default(),
            verified: Verified::new(),
            failures: Failures::default(),
            hashing: Hashing::new(),
            secret: hex::encode(&random()),
        }
    }

    /// Waits for the turn to derive a new password, not for long, on a thread of the runtime that may block. Who logs in
    /// stands in the same queue: many new passwords keep nobody out.
    fn turn_to_derive(&self) -> Result<Turn> {
        tokio::runtime::Handle::current().block_on(self.hashing.turn())
    }

    /// What new cookies are signed with, then what old ones were.
    fn secrets<'a>(&'a self, settings: &'a Sessions) -> impl Iterator<Item = &'a str> {
        let first = match settings.secret.reveal() {
            "" => self.secret.as_str(),
            secret => secret,
        };
        let former = settings.former_secrets.iter().map(|secret| secret.reveal());
        std::iter::once(first).chain(former.filter(|secret| !secret.is_empty()))
    }
}

/// Whether whoever asks is an administrator, because there is none.
pub(crate) fn is_open(config: &Config) -> bool {
    config.admins.is_empty() && !config.authentication.require_valid_user
}

/// CouchDB's names of the ways that a server has, in the order in which they are tried.
pub(crate) fn handlers(config: &Config) -> Vec<&'static str> {
    let settings = &config.authentication;
    let ways = [
        (true, Method::Cookie),
        (!settings.jwt.keys.is_empty(), Method::Jwt),
        (true, Method::Basic),
        (!settings.proxy.secret.reveal().is_empty(), Method::Proxy),
        (!settings.certificates.roles.is_empty(), Method::Certificate),
    ];
    let ways = ways.into_iter().filter(|(is_on, _)| *is_on);
    ways.map(|(_, way)| way.handler()).collect()
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// Bytes that nobody can guess.
fn random() -> [u8; 32] {
    let [a, b, c, d] = [(); 4].map(|()| *uuid::Uuid::new_v4().as_bytes());
    let mut hasher = blake3::Hasher::new();
    for part in [a, b, c, d] {
        hasher.update(&part);
    }
    *hasher.finalize().as_bytes()
}
