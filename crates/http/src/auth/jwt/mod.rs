//! Bearer tokens (RFC 7519): whom a trusted issuer names.

mod key;
mod public_key;

use super::user::{Method, User};
use crate::config::{Jwt, Secret};
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use key::Algorithm;
pub(crate) use key::is_sound as is_sound_key;
use serde_json::Value;

/// Whom a token names, if it is signed with one of the keys and says all it must.
pub(super) fn user(token: &str, settings: &Jwt, now: u64) -> Result<User> {
    let mut parts = token.trim().split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    let signed = format!("{header}.{claims}");
    let header = object(header)?;
    // Extensions that change what a token means; we know none.
    if header.get("crit").is_some() {
        return Err(Error::bad("Invalid crit header parameter"));
    }
    let algorithm = match header
        .get("alg")
        .map(|name| name.as_str().and_then(Algorithm::named))
    {
        None => return Err(Error::bad("Missing alg header parameter")),
        Some(None) if header.get("alg").and_then(Value::as_str) == Some("ES512") => {
            return Err(Error::bad(
                "ES512 is not known here: sign with ES256, ES384 or EdDSA",
            ));
        }
        Some(None) => return Err(Error::bad("Invalid alg header parameter")),
        Some(Some(algorithm)) => algorithm,
    };
    let id = match header.get("kid") {
        None => "_default",
        Some(id) => id.as_str().ok_or_else(|| Error::bad("Unknown kid"))?,
    };
    // The family of the algorithm is part of the key's name: no public key can be taken for the secret of an HMAC.
    let key = settings
        .keys
        .get_key_value(&format!("{}:{id}", algorithm.family()));
    let (key_name, key) = key.ok_or_else(|| Error::bad("Unknown kid"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
    algorithm.verify(key.reveal(), signed.as_bytes(), &signature)?;

    let claims = object(claims)?;
    check(&claims, settings, now)?;
    let name = claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| unauthorized("Token missing sub claim."))?;
    Ok(User {
        name: Some(name.to_owned()),
        roles: roles(&claims, &settings.roles_path),
        by: Some(Method::Jwt),
        proof: Some(proof(settings, key_name, key)),
        ends: ends(&claims),
    })
}

/// Stands for a key and for what else the settings ask of tokens.
fn proof(settings: &Jwt, key_name: &str, key: &Secret) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("Trunkline 2026: what a token is believed by");
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(key_name);
    part(key.reveal());
    for list in [&settings.required_claims, &settings.roles_path] {
        part(&list.len().to_string());
        list.iter().for_each(|text| part(text));
    }
    hasher.finalize()
}

/// Whether a token would still be believed, but for the time.
pub(super) fn is_still(user: &User, settings: &Jwt) -> bool {
    let mut keys = settings.keys.iter();
    keys.any(|(name, key)| user.proof == Some(proof(settings, name, key)))
}

/// The first second at which a token holds no more.
fn ends(claims: &Value) -> Option<u64> {
    let ends = claims.get("exp")?.as_f64()?.ceil();
    Some(ends as u64)
}

fn malformed() -> Error {
    Error::bad("Malformed token")
}

fn unauthorized(reason: impl Into<String>) -> Error {
    Error::Unauthorized(reason.into())
}

fn object(encoded: &str) -> Result<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
    Some(value).filter(Value::is_object).ok_or_else(malformed)
}

/// Among the claims that are required: tokens without an end are taken, too.
const NO_EXP: &str = "-exp";

/// Times hold wherever they are said; the rest where it is required.
fn check(claims: &Value, settings: &Jwt, now: u64) -> Result<()> {
    let is_waiver = |required: &&String| required.trim() == NO_EXP;
    let (waivers, all): (Vec<_>, Vec<_>) = settings.required_claims.iter().partition(is_waiver);
    // Who lists other claims does not mean tokens without end.
    if waivers.is_empty() && claims.get("exp").is_none() {
        return Err(unauthorized("Missing exp claim"));
    }
    for required in all {
        let (name, expected) = match required.split_once('=') {
            Some((name, expected)) => (name.trim(), Some(expected.trim())),
            None => (required.trim(), None),
        };
        let found = claims
            .get(name)
            .ok_or_else(|| unauthorized(format!("Missing {name} claim")))?;
        if expected.is_some_and(|expected| found.as_str() != Some(expected)) {
            return Err(unauthorized(format!("Invalid {name} claim")));
        }
    }
    let now = now as f64;
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(time) => match time.as_f64() {
            Some(time) => Ok(Some(time)),
            None => Err(unauthorized(format!("Invalid {name} claim"))),
        },
    };
    if time("exp")?.is_some_and(|ends| ends <= now) {
        return Err(unauthorized("exp not in future"));
    }
    if time("nbf")?.is_some_and(|begins| begins > now) {
        return Err(unauthorized("nbf not in past"));
    }
    time("iat")?;
    Ok(())
}

fn roles(claims: &Value, path: &[String]) -> Vec<String> {
    let found = path.iter().try_fold(claims, |value, name| value.get(name));
    let all = found
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
