//! An authority of one's own, what it signs, and a server that shows it.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use trunkline_http::{Config, Listener, ServerTls, Tls, TlsVersion, serve};
use trunkline_store::Store;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = trunkline_wire::attachments::base64(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

impl Authority {
    pub(crate) fn new() -> Authority {
        Authority::named("an authority")
    }

    pub(crate) fn named(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// For `localhost`, by a common name.
    pub(crate) fn sign(&self, common_name: &str) -> Signed {
        self.sign_as(common_name, 0)
    }

    /// With that serial number.
    pub(crate) fn sign_as(&self, common_name: &str, number: u64) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.serial_number = (number > 0).then(|| SerialNumber::from(number));
        Signed {
            certificate: pem("CERTIFICATE", params.signed_by(&key, &self.issuer).unwrap().der()),
            key: pem("PRIVATE KEY", &key.serialize_der()),
        }
    }

    /// A list of the certificates with these numbers, which are revoked; its next was due long ago.
    pub(crate) fn revoke(&self, numbers: &[u64]) -> String {
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*number),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2024, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        pem("X509 CRL", list.signed_by(&self.issuer).unwrap().der())
    }

    /// Settings with files under `dir` that a server of this authority has.
    pub(crate) fn settings(&self, dir: &Path) -> Tls {
        self.sign("a server").write(dir);
        std::fs::write(dir.join("authority.pem"), &self.pem).unwrap();
        Tls {
            certificate: dir.join("server.pem"),
            key: dir.join("server.key"),
            client_authorities: None,
            client_crl_file: None,
            require_client_certificate: false,
            version_min: TlsVersion::V12,
        }
    }

    /// Where [`Authority::settings`] has put the authority.
    pub(crate) fn file(dir: &Path) -> Option<PathBuf> {
        Some(dir.join("authority.pem"))
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> reqwest::ClientBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([trusted])
    }
}

impl Signed {
    pub(crate) fn write(&self, dir: &Path) {
        std::fs::write(dir.join("server.pem"), &self.certificate).unwrap();
        std::fs::write(dir.join("server.key"), &self.key).unwrap();
    }

    pub(crate) fn identity(&self) -> reqwest::Identity {
        reqwest::Identity::from_pem(format!("{}{}", self.certificate, self.key).as_bytes()).unwrap()
    }
}

/// A server over TLS.
pub(crate) struct Secured {
    pub(crate) url: String,
    pub(crate) address: String,
    pub(crate) tls: ServerTls,
    _stop: oneshot::Sender<()>,
    _dir: tempfile::TempDir,
}

pub(crate) async fn secured(tls: Tls, config: Config) -> Secured {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = ServerTls::read(tls).unwrap();
    let (stop, stopped) = oneshot::channel();
    let listener = Listener::tls(listener, tls.clone());
    tokio::spawn(serve(listener, store, config, async { drop(stopped.await) }));
    Secured {
        url: format!("https://localhost:{}", address.port()),
        address: address.to_string(),
        tls,
        _stop: stop,
        _dir: dir,
    }
}
