//! What tokens are signed with.

use super::public_key::{self, Kind};
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{hmac, signature};

/// How a token is signed. There is none that means "not at all".
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    Hmac(hmac::Algorithm),
    Public(Kind, &'static dyn signature::VerificationAlgorithm),
}

impl Algorithm {
    /// By its name in tokens. ES512 has no implementation here.
    pub(super) fn named(name: &str) -> Option<Algorithm> {
        use Algorithm::{Hmac, Public};
        Some(match name {
            "HS256" => Hmac(hmac::HMAC_SHA256),
            "HS384" => Hmac(hmac::HMAC_SHA384),
            "HS512" => Hmac(hmac::HMAC_SHA512),
            "RS256" => Public(Kind::Rsa, &signature::RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Public(Kind::Rsa, &signature::RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Public(Kind::Rsa, &signature::RSA_PKCS1_2048_8192_SHA512),
            "ES256" => Public(Kind::Ec, &signature::ECDSA_P256_SHA256_FIXED),
            "ES384" => Public(Kind::Ec, &signature::ECDSA_P384_SHA384_FIXED),
            "EdDSA" => Public(Kind::Ed25519, &signature::ED25519),
            _ => return None,
        })
    }

    /// Begins the names of its keys in the settings.
    pub(super) fn family(self) -> &'static str {
        match self {
            Algorithm::Hmac(_) => "hmac",
            Algorithm::Public(Kind::Rsa, _) => "rsa",
            Algorithm::Public(Kind::Ec, _) => "ec",
            Algorithm::Public(Kind::Ed25519, _) => "eddsa",
        }
    }

    /// Whether a key (base64 of a secret, or a public key's PEM) signed this.
    pub(super) fn verify(self, key: &str, signed: &[u8], signature: &[u8]) -> Result<()> {
        let not_valid = || Error::bad("Not a valid key");
        match self {
            Algorithm::Hmac(hash) => {
                let secret = STANDARD.decode(key.trim()).map_err(|_| not_valid())?;
                // Anybody signs with nothing.
                if secret.is_empty() {
                    return Err(not_valid());
                }
                hmac::verify(&hmac::Key::new(hash, &secret), signed, signature)
                    .map_err(|_| Error::bad("Bad HMAC"))
            }
            Algorithm::Public(kind, verification) => {
                let key = public_key::read(key, kind).ok_or_else(not_valid)?;
                signature::UnparsedPublicKey::new(verification, key)
                    .verify(signed, signature)
                    .map_err(|_| Error::bad("Bad signature"))
            }
        }
    }
}

/// Whether a key of the settings is one: the name begins with a family, and what it stands for is of that family.
pub(crate) fn is_sound(name: &str, key: &str) -> bool {
    let Some((family, _)) = name.split_once(':') else {
        return false;
    };
    match family {
        "hmac" => STANDARD.decode(key.trim()).is_ok_and(|secret| !secret.is_empty()),
        "rsa" => public_key::read(key, Kind::Rsa).is_some(),
        "ec" => public_key::read(key, Kind::Ec).is_some(),
        "eddsa" => public_key::read(key, Kind::Ed25519).is_some(),
        _ => false,
    }
}
