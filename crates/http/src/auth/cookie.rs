//! Cookies of `/_session`: who logged in and when, signed. The server keeps nothing of a session.
//!
//! As CouchDB makes them: the name, a colon, the time in hexadecimal digits, a colon, and an HMAC of what stands before the
//! second colon, all in base64. The key of the HMAC is the server's secret and the salt of the user's password: sessions
//! end when a new one is set.

use crate::config::{Config, SameSite, Sessions};
use crate::error::{Error, Result};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// The cookie's name.
const NAME: &str = "AuthSession";
/// Bytes of an HMAC with SHA-256.
const MAC_BYTES: usize = 32;

/// What a cookie says, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) name: String,
    /// Seconds since 1970.
    made: u64,
    signed: String,
    mac: Vec<u8>,
}

/// A session that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Fresh,
    /// The client is to get a new cookie.
    Aged,
}

/// The session's cookie of a request; an empty one is none. A cookie that cannot be read is an error in CouchDB's words.
pub(super) fn given(headers: &HeaderMap) -> Result<Option<Session>> {
    let value = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .map(|(_, value)| value.trim_matches('"'));
    match value {
        None | Some("") => Ok(None),
        Some(value) => match read(value) {
            Some(session) => Ok(Some(session)),
            None => Err(Error::bad(
                "Malformed AuthSession cookie. Please clear your cookies.",
            )),
        },
    }
}

fn read(value: &str) -> Option<Session> {
    let bytes = URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')).ok()?;
    let (text, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    let signed = std::str::from_utf8(text).ok()?.strip_suffix(':')?;
    let (name, made) = signed.rsplit_once(':')?;
    Some(Session {
        name: name.to_owned(),
        made: u64::from_str_radix(made, 16).ok()?,
        signed: signed.to_owned(),
        mac: mac.to_vec(),
    })
}

impl Session {
    /// Whether it is too old, if it says the truth.
    pub(super) fn is_over(&self, settings: &Sessions, now: u64) -> bool {
        self.made.saturating_add(settings.seconds) <= now
    }

    /// Whether it holds: it is not too old, and signed with one of the secrets and the salt. The first secret is the one
    /// that new cookies are signed with.
    pub(super) fn holds<'a>(
        &self,
        settings: &Sessions,
        secrets: impl Iterator<Item = &'a str>,
        salt: &str,
        now: u64,
    ) -> Option<Held> {
        let ends = self.made.saturating_add(settings.seconds);
        let left = ends.checked_sub(now).filter(|&left| left > 0)?;
        let is_signed = |secret: &&str| {
            let key = key(secret, salt);
            hmac::verify(&key, self.signed.as_bytes(), &self.mac).is_ok()
        };
        let which = secrets.enumerate().find(|(_, secret)| is_signed(secret));
        let (which, _) = which?;
        let aged = which > 0 || left < settings.seconds.saturating_sub(settings.seconds / 10);
        Some(if aged { Held::Aged } else { Held::Fresh })
    }
}

fn key(secret: &str, salt: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, [secret, salt].concat().as_bytes())
}

/// A cookie for a session that begins, or goes on, now.
pub(super) fn make(
    config: &Config,
    secret: &str,
    name: &str,
    salt: &str,
    now: u64,
    tls: bool,
) -> Option<HeaderValue> {
    let signed = format!("{name}:{now:X}");
    let mac = hmac::sign(&key(secret, salt), signed.as_bytes());
    let bytes = [signed.as_bytes(), b":", mac.as_ref()].concat();
    attributes(
        &config.authentication.sessions,
        &URL_SAFE_NO_PAD.encode(bytes),
        tls,
    )
}

/// A cookie that takes the place of a session's.
pub(super) fn clear(settings: &Sessions, tls: bool) -> Option<HeaderValue> {
    attributes(settings, "", tls)
}

fn attributes(settings: &Sessions, value: &str, tls: bool) -> Option<HeaderValue> {
    let mut cookie = format!("{NAME}={value}; Version=1; Path=/; HttpOnly");
    if value.is_empty() {
        cookie.push_str("; Max-Age=0");
    } else if settings.persistent {
        cookie.push_str(&format!("; Max-Age={}", settings.seconds));
    }
    if tls {
        cookie.push_str("; Secure");
    }
    if let Some(domain) = &settings.domain {
        cookie.push_str("; Domain=");
        cookie.push_str(domain);
    }
    match settings.same_site {
        Some(SameSite::Strict) => cookie.push_str("; SameSite=Strict"),
        Some(SameSite::Lax) => cookie.push_str("; SameSite=Lax"),
        // Browsers take it by TLS only.
        Some(SameSite::None) if tls => cookie.push_str("; SameSite=None"),
        _ => {}
    }
    HeaderValue::from_str(&cookie).ok()
}

#[cfg(test)]
mod tests;
