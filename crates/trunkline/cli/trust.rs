//! TLS with servers: whom this program trusts, and what it shows of itself.

use super::Failure;
use clap::Args;
use reqwest::{Certificate, Client, Identity};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use trunkline::replicate::{HttpOptions, Tls, TlsNames, explain_tls};

/// What all commands take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS with other servers")]
pub(crate) struct TrustArgs {
    /// PEM file of a certificate to show to servers that want one
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// PEM file of authorities to trust beside the system's
    #[arg(long, global = true, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

static GIVEN: OnceLock<Tls> = OnceLock::new();

impl TrustArgs {
    /// Makes it count for the whole run.
    pub(crate) fn apply(self) {
        let _ = GIVEN.set(Tls {
            certificate: self.cert,
            key: self.key,
            authorities: self.cacert,
        });
    }
}

/// What was given.
pub(crate) fn given() -> Tls {
    GIVEN.get().cloned().unwrap_or_default()
}

/// How peers are reached.
pub(crate) fn http_options() -> HttpOptions {
    let mut options = HttpOptions {
        tls_names: TlsNames::Options,
        ..HttpOptions::default()
    };
    options.connect.complete(&given());
    options
}

/// What is wrong with a certificate, if that is why a request to `host` failed.
pub(crate) fn explain(error: &reqwest::Error, host: &str) -> Option<String> {
    explain_tls(error, host, given().certificate.is_some(), TlsNames::Options)
}

/// A client for other requests.
pub(crate) fn client() -> Result<Client, Failure> {
    // Fails when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Of HTTP/2 a server that misses a certificate leaves no more than that it hung up.
    let mut client = Client::builder().http1_only();
    let tls = given();
    if let Some(path) = &tls.authorities {
        let trusted = Certificate::from_pem_bundle(&read(path)?).map_err(|error| unfit(path, &error))?;
        client = client.tls_certs_merge(trusted);
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        let both = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
        client = client.identity(Identity::from_pem(&both).map_err(|error| unfit(certificate, &error))?);
    }
    Ok(client.build()?)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| unfit(path, &error))
}

fn unfit(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
