//! What a listener with TLS needs.

use std::path::PathBuf;

/// Files and rules of a listener with TLS. The files are read again when they changed.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and those between it and its authority, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Authorities whose client certificates are trusted, PEM; none: clients are not asked for any.
    pub client_authorities: Option<PathBuf>,
    /// Lists of certificates of theirs that were revoked, PEM; with it, one for each authority between a client and its root.
    pub client_crl_file: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub require_client_certificate: bool,
    /// The oldest version that is spoken.
    pub version_min: TlsVersion,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    #[default]
    V12,
    /// 1.3
    V13,
}
