//! What a server's process is told when it starts: its listeners, its caches, its log.

use crate::config::{Tls, TlsVersion};
use std::path::PathBuf;
use trunkline_store::StoreOptions;

/// Settings that are read once.
#[derive(Clone, Debug)]
pub struct Process {
    /// Addresses with plain HTTP.
    pub listen: Vec<String>,
    /// A unix socket's path.
    pub unix_socket: Option<PathBuf>,
    /// MiB that the caches of all databases may use together.
    pub cache_mb: u64,
    /// Database files kept open at once.
    pub open_databases: usize,
    /// Addresses with TLS.
    pub tls_listen: Vec<String>,
    /// The certificate's file.
    pub certificate: Option<PathBuf>,
    /// Its key's file.
    pub key: Option<PathBuf>,
    /// The file of the authorities whose client certificates are trusted.
    pub client_authorities: Option<PathBuf>,
    /// The file of lists of client certificates that were revoked.
    pub client_crl_file: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub require_client_certificate: bool,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
    /// Directory with a file per secret that replications name.
    pub secrets: Option<PathBuf>,
    /// TLS towards peers.
    pub peers: trunkline_replicate::Tls,
    /// What to log.
    pub log_filter: String,
    /// Whether to log in JSON.
    pub log_json: bool,
    /// Where the audit log goes beside.
    pub log_audit: Option<PathBuf>,
}

impl Default for Process {
    fn default() -> Process {
        let store = StoreOptions::default();
        Process {
            listen: vec!["127.0.0.1:5984".to_owned()],
            unix_socket: None,
            cache_mb: (store.cache_bytes >> 20) as u64,
            open_databases: store.open_databases,
            tls_listen: Vec::new(),
            certificate: None,
            key: None,
            client_authorities: None,
            client_crl_file: None,
            require_client_certificate: false,
            version_min: TlsVersion::default(),
            secrets: None,
            peers: trunkline_replicate::Tls::default(),
            log_filter: "info".to_owned(),
            log_json: false,
            log_audit: None,
        }
    }
}

impl Process {
    /// What its listeners with TLS need, if it has any.
    pub fn tls(&self) -> Option<Tls> {
        Some(Tls {
            certificate: self.certificate.clone()?,
            key: self.key.clone()?,
            client_authorities: self.client_authorities.clone(),
            client_crl_file: self.client_crl_file.clone(),
            require_client_certificate: self.require_client_certificate,
            version_min: self.version_min,
        })
    }

    /// What its store needs.
    pub fn store(&self) -> StoreOptions {
        StoreOptions {
            cache_bytes: usize::try_from(self.cache_mb << 20).unwrap_or(usize::MAX),
            open_databases: self.open_databases,
            ..StoreOptions::default()
        }
    }
}
