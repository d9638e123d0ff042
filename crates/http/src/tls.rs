//! TLS of a listener: certificates from files, read again when they changed.

mod files;
mod names;

use crate::config::{Tls, TlsVersion};
use files::Stamps;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::TlsAcceptor;
use trunkline_replicate::pem;

pub(crate) use names::names_of;

/// How often it is looked whether files changed: at most so much later a renewed certificate is shown.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// TLS with the certificate and the rules of a [`Tls`]; cheap to clone, all clones are one.
#[derive(Clone)]
pub struct ServerTls(Arc<Shared>);

struct Shared {
    tls: Tls,
    now: Mutex<Now>,
}

struct Now {
    config: Arc<ServerConfig>,
    /// Of the files that were tried last, whether or not they were good.
    stamps: Stamps,
    looked: Instant,
}

impl ServerTls {
    /// Reads the files.
    pub fn read(tls: Tls) -> Result<ServerTls, TlsError> {
        let stamps = Stamps::of(&tls);
        let config = Arc::new(config(&tls)?);
        let looked = Instant::now();
        Ok(ServerTls(Arc::new(Shared {
            tls,
            now: Mutex::new(Now {
                config,
                stamps,
                looked,
            }),
        })))
    }

    /// Reads the files again, for connections from now on. When they are not good, what was read before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let stamps = Stamps::of(&self.0.tls);
        let config = config(&self.0.tls);
        let mut now = self.0.now.lock();
        now.stamps = stamps;
        now.config = Arc::new(config?);
        Ok(())
    }

    /// Whether both are clones of one.
    pub(crate) fn is(&self, other: &ServerTls) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// For the next connection. Blocks for as long as reading small files takes, and rarely.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let before = {
            let mut now = self.0.now.lock();
            let due = now.looked.elapsed() >= LOOK_EVERY;
            due.then(|| {
                now.looked = Instant::now();
                now.stamps.clone()
            })
        };
        if before.is_some_and(|before| before != Stamps::of(&self.0.tls)) {
            match self.reload() {
                Ok(()) => {
                    tracing::info!(certificate = %self.0.tls.certificate.display(), "read the certificate again")
                }
                Err(error) => tracing::error!(%error, "the former certificate stays in use"),
            }
        }
        self.0.now.lock().config.clone().into()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.0.tls).finish()
    }
}

/// Why there is no TLS: a file that cannot be read or does not hold what it should.
#[derive(Debug)]
pub struct TlsError(String);

impl TlsError {
    fn new(reason: impl Into<String>) -> TlsError {
        TlsError(reason.into())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TlsError {}

/// What is wrong with the files of one, each told.
pub(crate) fn wrong_files(tls: &Tls) -> Vec<TlsError> {
    let revoked = tls.client_crl_file.as_deref();
    let wrong = [
        files::chain(&tls.certificate).err(),
        files::key(&tls.key).err(),
        tls.client_authorities.as_deref().and_then(wrong_authorities),
        revoked.and_then(|path| files::revoked(path).err()),
    ];
    let mut wrong: Vec<TlsError> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() {
        // Whether they fit together.
        wrong.extend(config(tls).err());
    }
    wrong
}

/// What is wrong with a file of authorities.
pub(crate) fn wrong_authorities(path: &Path) -> Option<TlsError> {
    files::authorities(path).err()
}

fn config(tls: &Tls) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: &[_] = match tls.version_min {
        TlsVersion::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::new(error.to_string()))?;
    let builder = match &tls.client_authorities {
        None if tls.require_client_certificate => {
            return Err(TlsError::new(
                "client certificates are required, but no authorities are named that vouch for them",
            ));
        }
        None if tls.client_crl_file.is_some() => {
            return Err(TlsError::new(
                "client certificates may be revoked, but no authorities are named that vouch for others",
            ));
        }
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(files::authorities(path)?);
            let mut clients = WebPkiClientVerifier::builder_with_provider(roots, provider);
            if !tls.require_client_certificate {
                clients = clients.allow_unauthenticated();
            }
            if let Some(path) = &tls.client_crl_file {
                clients = clients.with_crls(files::revoked(path)?);
            }
            let clients = clients.build();
            builder.with_client_cert_verifier(
                clients.map_err(|error| TlsError::new(format!("{}: {error}", path.display())))?,
            )
        }
    };
    let (chain, key) = (files::chain(&tls.certificate)?, files::key(&tls.key)?);
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|cause| TlsError::new(pem::unfit(&tls.certificate, &tls.key, &cause)))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
