//! A proxy that found out who asks.

use super::hex;
use super::user::{ADMIN, Method, User};
use crate::config::Proxy;
use crate::error::{Error, Result};
use crate::request::header_text;
use axum::http::{HeaderMap, HeaderName};
use ring::hmac;

/// Who asks.
pub(crate) const NAME: HeaderName = HeaderName::from_static("x-auth-couchdb-username");
/// The roles of whoever asks.
pub(crate) const ROLES: HeaderName = HeaderName::from_static("x-auth-couchdb-roles");
/// What makes it believed.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-auth-couchdb-token");

const SYSTEM_ROLES: &str =
    "A proxy gives no roles that begin with _, but _admin to administrators of the settings.";

/// Whom the proxy names. Without a secret its headers are anybody's, and nothing is made of them. The token stands for the
/// name alone: a role of the system is given to who `is_admin` says is an administrator, and to nobody else.
pub(super) fn user(
    headers: &HeaderMap,
    settings: &Proxy,
    is_admin: impl Fn(&str) -> bool,
) -> Result<Option<User>> {
    let secret = settings.secret.reveal();
    if secret.is_empty() || !headers.contains_key(NAME) {
        return Ok(None);
    }
    let wrong = || Error::Unauthorized("The proxy's token is not right.".to_owned());
    let name = header_text(headers, NAME).ok_or_else(wrong)?;
    let token = header_text(headers, TOKEN)
        .and_then(hex::decode)
        .ok_or_else(wrong)?;
    let is_signed = [hmac::HMAC_SHA256, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY]
        .into_iter()
        .any(|hash| hmac::verify(&hmac::Key::new(hash, secret.as_bytes()), name.as_bytes(), &token).is_ok());
    if !is_signed {
        return Err(wrong());
    }
    let roles = header_text(headers, ROLES).unwrap_or_default();
    let roles = roles.split(',').map(str::trim).filter(|role| !role.is_empty());
    let roles: Vec<_> = roles.map(str::to_owned).collect();
    let is_taken = |role: &String| !role.starts_with('_') || role == ADMIN && is_admin(name);
    if !roles.iter().all(is_taken) {
        return Err(Error::Unauthorized(SYSTEM_ROLES.to_owned()));
    }
    Ok(Some(User {
        name: Some(name.to_owned()),
        roles,
        by: Some(Method::Proxy),
        proof: Some(proof(secret)),
        ends: None,
    }))
}

/// Stands for a secret.
pub(super) fn proof(secret: &str) -> blake3::Hash {
    blake3::Hash::from_bytes(blake3::derive_key(
        "Trunkline 2026: the secret of a proxy",
        secret.as_bytes(),
    ))
}

/// Whether the proxy that named a user is still believed, and the user as much of an administrator.
pub(super) fn is_still(user: &User, settings: &Proxy, is_admin: impl Fn(&str) -> bool) -> bool {
    let secret = settings.secret.reveal();
    let is_admin = || user.name.as_deref().is_some_and(is_admin);
    !secret.is_empty() && user.proof == Some(proof(secret)) && (!user.is_admin() || is_admin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use axum::http::HeaderValue;

    // Python: hmac.new(b"secret", b"anna", …).hexdigest()
    const SHA1: &str = "a966ce58d113e460fc51f35adad8391c7ab06cd0";
    const SHA256: &str = "72f8b586f76c2f7cac18422e7892bc2b00b7451b4d6c718b1246410e12202841";

    fn asked(secret: &str, name: &'static str, token: Option<&'static str>) -> Result<Option<User>> {
        with_roles(secret, name, token, "a, b,,", "root")
    }

    fn with_roles(
        secret: &str,
        name: &'static str,
        token: Option<&'static str>,
        roles: &'static str,
        admin: &str,
    ) -> Result<Option<User>> {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_static(name));
        headers.insert(ROLES, HeaderValue::from_static(roles));
        if let Some(token) = token {
            headers.insert(TOKEN, HeaderValue::from_static(token));
        }
        let secret = Secret::new(secret);
        user(&headers, &Proxy { secret }, |name| name == admin)
    }

    #[test]
    fn its_token_makes_it_believed() {
        for token in [SHA1, SHA256] {
            let user = asked("secret", "anna", Some(token)).unwrap().unwrap();
            assert_eq!(user.name.as_deref(), Some("anna"));
            assert_eq!(user.roles, ["a", "b"]);
        }
    }

    #[test]
    fn it_makes_no_administrators() {
        let asked = |roles, admin| with_roles("secret", "anna", Some(SHA256), roles, admin);
        for roles in ["_admin", "a,_admin", "_x", "a, _replicator"] {
            assert!(asked(roles, "root").is_err(), "{roles}");
        }
        assert!(asked("_admin", "anna").unwrap().unwrap().is_admin());
        assert!(!asked("a", "anna").unwrap().unwrap().is_admin());
        assert!(asked("_x", "anna").is_err());
    }

    #[test]
    fn nothing_else_does() {
        for (secret, name, token) in [
            ("secret", "anna", None),
            ("secret", "anna", Some("")),
            ("secret", "anna", Some("x")),
            ("secret", "ben", Some(SHA256)),
            ("secrets", "anna", Some(SHA256)),
        ] {
            assert!(asked(secret, name, token).is_err(), "{secret} {name} {token:?}");
        }
        assert_eq!(asked("", "anna", Some(SHA256)).unwrap(), None);
        let none = Proxy {
            secret: Secret::new("secret"),
        };
        assert_eq!(user(&HeaderMap::new(), &none, |_| true).unwrap(), None);
    }
}
