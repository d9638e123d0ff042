//! PEM files.

use super::TlsError;
use crate::config::Tls;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;
use trunkline_replicate::pem;

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
    let pem = pem::read(path).map_err(TlsError::new)?;
    pem::chain(path, &pem).map_err(TlsError::new)
}

/// Lists of certificates that were revoked.
pub(super) fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let pem = pem::read(path).map_err(TlsError::new)?;
    pem::all(path, &pem, "there is no list of revoked certificates in it").map_err(TlsError::new)
}

/// A private key.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = pem::read(path).map_err(TlsError::new)?;
    pem::key(path, &pem).map_err(TlsError::new)
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
