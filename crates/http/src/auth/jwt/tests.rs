//! Tokens of every algorithm, and those that are not believed.

use super::*;
use crate::config::Secret;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair};
use serde_json::json;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "a secret";
/// Signed with a key that is gone; they run out in 2100.
const RSA: &str = include_str!("rsa_public.pem");
const RSA_TOKENS: [&str; 3] = [
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIiwiZXhwIjo0MTAyNDQ0ODAwfQ.ncA4KjWOWm4R6BdOdkYvYTxEzZRoL2m4wPh-lnZyZpVjU_gYaLpn-4e3EP0Uc0bPQeh9TQPrBZbt3qtNuO5le-z1jJ5zTYbTbkOaJh31v75N-RZMdzMDE-1EeWW35fFOIybAIFlBTCNloTt9EgUCRgVBwfeQCqL01o7AfTD8X3ZmDynFwSMh0GJKyVFKPd4w0FY0y1--8Lzo--z8VxXc1jABg09tI6bCHuGuEpJfNqJZxOtubWC7Lbf44IYMVBJcilUz6JDDatZ8PiOlWCr5JGn0I66MuquNJOIvPLsHpXXTyFnC-FQKu9TuakAjz7SujkVDW2MPFo3QG_TEZbxrOQ",
    "eyJhbGciOiJSUzM4NCJ9.eyJzdWIiOiJhbm5hIiwiZXhwIjo0MTAyNDQ0ODAwfQ.rsCz0cfmW2-lt0M195kwvUX2kmnYUc8wlxgS5yMIWX4UCEXQrP7e8NyV5dYfO16vNxKMu0xBowaCZJ_a2O1uiChYk5nW64-NakHeXuZ7l6X8XBBGDME8DklniTidhuA-E7nASgjfPU_TLrIXyQjrtZs34nIWrCtxub4I_JzpZZ7r-6ImkA9nXNOE88Dwco0Vl-0V8l3-1Mw2R8Tn1n0nDuMO6QVQ2c7ElX4XrLJnkO5AylerSX9HGXUbu61iED66st-U5GhNokQLg55WjTlmDx7MAMHsJDGp35FXatP7x91gzcB5j4xzXLzz4OcAtSHCRV_ynEO5GbwaJqFKZoBFPw",
    "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJhbm5hIiwiZXhwIjo0MTAyNDQ0ODAwfQ.NF2EQun4kHRo4wYHrFzwkFXKsGlAZNGLcAe8XNaFfNapsTgB6M5y1XD2uaFDgF30rXftOwbZxpdgZuioJyF518xNhIoDPTDzErvQacBojNC8MbiEakbO_X01ItHtY3Q2Raf8HtLrBvTpjO3M7b_MZdYMJCD80hl7cy7nQGESNX-Vh1p4fcrZ5QyIUMCMn_t2NsCBAMkWc5YqDituszZf00B0szq4WsgZUj-vBdnpHlRRFKlg99w6bhE-tQyN0pjwHkGqM9lURf34muOMG8IzucUdACrCkjooHqdXNbg7AbkGOF6XgQhHtaq3qgy8O_lZYUAKR0Tfz4jzmC4YDI477Q",
];

fn settings(keys: &[(&str, &str)]) -> Jwt {
    Jwt {
        keys: keys
            .iter()
            .map(|&(name, key)| (name.to_owned(), Secret::new(key)))
            .collect(),
        ..Jwt::default()
    }
}

fn hmac_settings() -> Jwt {
    settings(&[
        ("hmac:_default", &STANDARD.encode(SECRET)),
        ("hmac:k1", &STANDARD.encode("another")),
    ])
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn by_hmac(secret: &str, header: &Value, claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    token(header, claims, |signed| {
        hmac::sign(&key, signed).as_ref().to_vec()
    })
}

fn claims() -> Value {
    json!({ "sub": "anna", "exp": NOW + 10, "_couchdb.roles": ["a", "_admin"] })
}

#[track_caller]
fn refused(found: Result<User>, reason: &str) {
    match found {
        Err(Error::BadRequest(said)) => assert_eq!(said, reason),
        Err(Error::Unauthorized(said)) => assert_eq!(said, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn shared_secrets() {
    let found = user(
        &by_hmac(SECRET, &json!({ "alg": "HS256" }), &claims()),
        &hmac_settings(),
        NOW,
    )
    .unwrap();
    let expected = User {
        name: Some("anna".to_owned()),
        roles: vec!["a".to_owned(), "_admin".to_owned()],
        by: Some(Method::Jwt),
        proof: found.proof,
        ends: Some(NOW + 10),
    };
    assert_eq!(found, expected);
    let k1 = by_hmac("another", &json!({ "alg": "HS256", "kid": "k1" }), &claims());
    assert!(user(&k1, &hmac_settings(), NOW).is_ok());
    for (name, hash) in [("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        let key = hmac::Key::new(hash, SECRET.as_bytes());
        let long = token(&json!({ "alg": name }), &claims(), |signed| {
            hmac::sign(&key, signed).as_ref().to_vec()
        });
        assert!(user(&long, &hmac_settings(), NOW).is_ok(), "{name}");
    }
}

#[test]
fn rsa() {
    let known = settings(&[("rsa:_default", &RSA.replace('\n', "\\n"))]);
    for (at, token) in RSA_TOKENS.into_iter().enumerate() {
        let found = user(token, &known, NOW).unwrap();
        assert_eq!(found.name.as_deref(), Some("anna"));
        let mut other = RSA_TOKENS[(at + 1) % 3].split('.');
        let mixed = format!(
            "{}.{}",
            token.rsplit_once('.').unwrap().0,
            other.next_back().unwrap()
        );
        refused(user(&mixed, &known, NOW), "Bad signature");
    }
}

fn pem(key: &KeyPair) -> String {
    let der = STANDARD.encode(key.subject_public_key_info());
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
}

fn by_curve(name: &str, of: &'static SignatureAlgorithm, signs: &'static EcdsaSigningAlgorithm) {
    let key = KeyPair::generate_for(of).unwrap();
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(signs, &key.serialize_der(), &random).unwrap();
    let token = token(&json!({ "alg": name }), &claims(), |signed| {
        pair.sign(&random, signed).unwrap().as_ref().to_vec()
    });
    assert!(
        user(&token, &settings(&[("ec:_default", &pem(&key))]), NOW).is_ok(),
        "{name}"
    );
    let other = KeyPair::generate_for(of).unwrap();
    refused(
        user(&token, &settings(&[("ec:_default", &pem(&other))]), NOW),
        "Bad signature",
    );
    refused(
        user(&token, &settings(&[("ec:_default", RSA)]), NOW),
        "Not a valid key",
    );
    refused(
        user(&token, &settings(&[("rsa:_default", &pem(&key))]), NOW),
        "Unknown kid",
    );
}

#[test]
fn curves() {
    by_curve(
        "ES256",
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    );
    by_curve(
        "ES384",
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    );
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.serialize_der()).unwrap();
    let token = token(&json!({ "alg": "EdDSA", "kid": "e" }), &claims(), |signed| {
        pair.sign(signed).as_ref().to_vec()
    });
    assert!(user(&token, &settings(&[("eddsa:e", &pem(&key))]), NOW).is_ok());
    refused(
        user(&token, &settings(&[("eddsa:e", RSA)]), NOW),
        "Not a valid key",
    );
}

#[test]
fn no_algorithm_that_the_key_is_not_for() {
    let none = token(&json!({ "alg": "none" }), &claims(), |_| Vec::new());
    refused(user(&none, &hmac_settings(), NOW), "Invalid alg header parameter");
    let es512 = by_hmac(SECRET, &json!({ "alg": "ES512" }), &claims());
    refused(
        user(&es512, &hmac_settings(), NOW),
        "ES512 is not known here: sign with ES256, ES384 or EdDSA",
    );
    refused(
        user(&by_hmac(SECRET, &json!({}), &claims()), &hmac_settings(), NOW),
        "Missing alg header parameter",
    );
    // The public key, which everybody has, as if it were a secret.
    let public = settings(&[("rsa:_default", RSA), ("rsa:k", RSA)]);
    for kid in [json!(null), json!("k")] {
        let mut header = json!({ "alg": "HS256", "kid": kid });
        if kid.is_null() {
            header.as_object_mut().unwrap().remove("kid");
        }
        refused(
            user(&by_hmac(RSA, &header, &claims()), &public, NOW),
            "Unknown kid",
        );
    }
    let empty = settings(&[("hmac:_default", "")]);
    refused(
        user(&by_hmac("", &json!({ "alg": "HS256" }), &claims()), &empty, NOW),
        "Not a valid key",
    );
}

#[test]
fn what_is_wrong_with_them() {
    let good = by_hmac(SECRET, &json!({ "alg": "HS256" }), &claims());
    refused(
        user(
            &by_hmac("guess", &json!({ "alg": "HS256" }), &claims()),
            &hmac_settings(),
            NOW,
        ),
        "Bad HMAC",
    );
    refused(
        user(
            &by_hmac(SECRET, &json!({ "alg": "HS256", "kid": "k2" }), &claims()),
            &hmac_settings(),
            NOW,
        ),
        "Unknown kid",
    );
    refused(
        user(
            &by_hmac(SECRET, &json!({ "alg": "HS256", "crit": ["x"] }), &claims()),
            &hmac_settings(),
            NOW,
        ),
        "Invalid crit header parameter",
    );
    for text in [
        "",
        "a.b",
        "....",
        "a.b.c",
        &format!("{good}.x"),
        &good.replace('.', ". "),
    ] {
        refused(user(text, &hmac_settings(), NOW), "Malformed token");
    }
    let (head, _) = good.rsplit_once('.').unwrap();
    refused(user(&format!("{head}."), &hmac_settings(), NOW), "Bad HMAC");
    let (header, _) = good.split_once('.').unwrap();
    let forged = format!(
        "{header}.{}.{}",
        part(&json!({ "sub": "root", "exp": NOW + 10 })),
        good.rsplit_once('.').unwrap().1
    );
    refused(user(&forged, &hmac_settings(), NOW), "Bad HMAC");
}

#[test]
fn what_they_must_claim() {
    let said = |claims: Value| by_hmac(SECRET, &json!({ "alg": "HS256" }), &claims);
    let plain = hmac_settings();
    for (claims, reason) in [
        (json!({ "exp": NOW + 1 }), "Token missing sub claim."),
        (json!({ "exp": NOW + 1, "sub": 7 }), "Token missing sub claim."),
        (json!({ "sub": "anna" }), "Missing exp claim"),
        (json!({ "sub": "anna", "exp": NOW }), "exp not in future"),
        (json!({ "sub": "anna", "exp": "soon" }), "Invalid exp claim"),
        (
            json!({ "sub": "anna", "exp": NOW + 1, "nbf": NOW + 1 }),
            "nbf not in past",
        ),
        (
            json!({ "sub": "anna", "exp": NOW + 1, "iat": [] }),
            "Invalid iat claim",
        ),
    ] {
        refused(user(&said(claims), &plain, NOW), reason);
    }
    let strict = Jwt {
        required_claims: vec!["iss=us".to_owned(), "iat".to_owned(), "-exp".to_owned()],
        roles_path: vec!["realm".to_owned(), "roles".to_owned()],
        ..plain
    };
    refused(
        user(&said(json!({ "sub": "anna" })), &strict, NOW),
        "Missing iss claim",
    );
    refused(
        user(&said(json!({ "sub": "anna", "iss": "them" })), &strict, NOW),
        "Invalid iss claim",
    );
    refused(
        user(&said(json!({ "sub": "anna", "iss": "us" })), &strict, NOW),
        "Missing iat claim",
    );
    let nested = json!({ "sub": "anna", "iss": "us", "iat": 1.5, "realm": { "roles": ["r", 7] } });
    assert_eq!(user(&said(nested.clone()), &strict, NOW).unwrap().roles, ["r"]);
    // Other claims are required beside an end, not in its place.
    for required in [vec![], vec!["iss=us".to_owned()]] {
        let settings = Jwt {
            required_claims: required,
            ..strict.clone()
        };
        refused(user(&said(nested.clone()), &settings, NOW), "Missing exp claim");
    }
    assert!(
        user(
            &said(json!({ "sub": "anna", "exp": NOW - 1, "iss": "us", "iat": 1 })),
            &strict,
            NOW
        )
        .is_err()
    );
}
