//! Certificates and keys in PEM files; what is wrong with one is said with its name and with what to do.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::io::ErrorKind;
use std::path::Path;

/// Begins an encrypted key: of PKCS #8, and of what went before.
const ENCRYPTED: [&[u8]; 2] = [
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
    b"Proc-Type: 4,ENCRYPTED",
];

/// What is in a file.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => wrong(path, "there is no such file"),
        _ => wrong(path, cause),
    })
}

/// All of one kind in what was read from a file; `none`, if nothing is.
pub fn all<T: PemObject>(path: &Path, pem: &[u8], none: &str) -> Result<Vec<T>, String> {
    let items: Result<Vec<T>, _> = T::pem_slice_iter(pem).collect();
    match items {
        Ok(items) if items.is_empty() => Err(wrong(path, none)),
        items => items.map_err(|cause| wrong(path, cause)),
    }
}

/// A certificate with those between it and its authority.
pub fn chain(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    all(path, pem, "there is no certificate in it")
}

/// A private key.
pub fn key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    use rustls::pki_types::pem::Error;
    let is_encrypted = || {
        ENCRYPTED
            .iter()
            .any(|mark| pem.windows(mark.len()).any(|found| found == *mark))
    };
    PrivateKeyDer::from_pem_slice(pem).map_err(|cause| match cause {
        _ if is_encrypted() => wrong(path, "the key is encrypted: decrypt it with `openssl pkey`"),
        Error::NoItemsFound => wrong(path, "there is no private key in it"),
        cause => wrong(path, cause),
    })
}

/// Why a certificate and a key are not to be used together.
pub fn unfit(certificate: &Path, key: &Path, cause: &rustls::Error) -> String {
    let name = certificate.display();
    match cause {
        rustls::Error::InconsistentKeys(_) => {
            wrong(key, format_args!("it is not the key of this certificate, {name}"))
        }
        cause => format!("{name} with {}: {cause}", key.display()),
    }
}

/// Whether the second is the key of the first; each with its file.
pub(crate) fn fit(certificate: (&Path, &[u8]), key_of: (&Path, &[u8])) -> Result<(), String> {
    let chain = chain(certificate.0, certificate.1)?;
    let key = key(key_of.0, key_of.1)?;
    let pair = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider());
    pair.map(drop)
        .map_err(|cause| unfit(certificate.0, key_of.0, &cause))
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", path.display())
}
