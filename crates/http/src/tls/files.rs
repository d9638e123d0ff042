//! PEM files.

use super::TlsError;
use crate::config::Tls;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// What tells that files changed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Stamps([Option<(SystemTime, u64, u64)>; 4]);

impl Stamps {
    pub(super) fn of(tls: &Tls) -> Stamps {
        let stamp = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len(), file.ino()))
        };
        Stamps([
            stamp(&tls.certificate),
            stamp(&tls.key),
            tls.client_authorities.as_deref().and_then(stamp),
            tls.client_crl_file.as_deref().and_then(stamp),
        ])
    }
}

/// A certificate with those between it and its authority.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    all(path, "there is no certificate in it")
}

/// Lists of certificates that were revoked.
pub(super) fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    all(path, "there is no list of revoked certificates in it")
}

/// Whatever is of that kind in a file; `none`, if nothing is.
fn all<T: PemObject>(path: &Path, none: &str) -> Result<Vec<T>, TlsError> {
    let bad = |error: &dyn std::fmt::Display| TlsError::new(format!("{}: {error}", path.display()));
    let items = T::pem_file_iter(path).map_err(|error| bad(&error))?;
    let items: Vec<T> = items.collect::<Result<_, _>>().map_err(|error| bad(&error))?;
    match items.is_empty() {
        true => Err(bad(&none)),
        false => Ok(items),
    }
}

/// A private key.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::new(format!("{}: {error}", path.display())))
}

/// Authorities, all of which can be used.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        let added = roots.add(certificate);
        added.map_err(|error| TlsError::new(format!("{}: {error}", path.display())))?;
    }
    Ok(roots)
}
