//! Peers over https, and behind proxies: who vouches for them, and who shows them a certificate.

use crate::scripted::{answer, serve_requests};
use crate::world::{World, replicate};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{ConnectOptions, HttpOptions, HttpPeer, Peer, PeerErrorKind, Progress, Spec, run};

/// Shakes hands with everybody until the test ends; answers a URL.
fn serve() -> String {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/db", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            // The client breaks off.
            let _ = rustls::Stream::new(&mut tls, &mut stream).read(&mut [0; 1]);
        }
    });
    url
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told_and_ends_a_one_shot_run() {
    let world = World::new();
    let peer: Arc<dyn Peer> = Arc::new(HttpPeer::new(&serve(), HttpOptions::default()).unwrap());
    let error = replicate(Arc::clone(&peer), world.peer("target"), Spec::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Untrusted, "{error}");
    assert!(error.to_string().contains("is not trusted"), "{error}");

    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(world.peer("source"), peer, spec, progress, cancel.clone()));
    let waits = watched
        .wait_for(|progress| progress.waiting_for.is_some())
        .await
        .unwrap()
        .clone();
    let waits = waits.waiting_for.unwrap();
    let (why, wait) = waits.split_once("; next try in ").unwrap();
    assert!(why.contains("is not trusted"), "{waits}");
    // As long as waits get: time does not heal it.
    assert!(
        wait.trim_end_matches(" ms").parse::<u64>().unwrap() >= 15_000,
        "{waits}"
    );
    cancel.cancel();
    running.await.unwrap().unwrap();
}

/// An authority of one's own, and what it signed, as files.
pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) cert: CertificateDer<'static>,
    dir: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap().der().clone();
        Authority {
            issuer: Issuer::new(params, key),
            cert,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn sign(&self) -> (CertificateDer<'static>, KeyPair) {
        self.sign_for("localhost", |_| {})
    }

    pub(crate) fn sign_for(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.der().clone(), key)
    }

    pub(crate) fn file(&self, name: &str, label: &str, der: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        let text = trunkline_wire::attachments::base64(der);
        std::fs::write(
            &path,
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"),
        )
        .unwrap();
        path
    }

    /// Serves databases to whoever shows a certificate of this authority; answers a URL.
    fn serve(&self) -> String {
        self.serve_as(self.sign(), true, &rustls::version::TLS13)
    }

    /// Serves with a certificate and a version, to everybody or to those who show one of this authority.
    pub(crate) fn serve_as(
        &self,
        (cert, key): (CertificateDer<'static>, KeyPair),
        asks: bool,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> String {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.cert.clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let clients = match asks {
            true => clients.build().unwrap(),
            false => WebPkiClientVerifier::no_client_auth(),
        };
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![cert], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/db", listener.local_addr().unwrap().port());
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let config = Arc::clone(&config);
                thread::spawn(move || {
                    let mut tls = rustls::ServerConnection::new(config).unwrap();
                    let mut tls = rustls::Stream::new(&mut tls, &mut stream);
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        if tls.read_exact(&mut byte).is_err() {
                            return;
                        }
                        request.push(byte[0]);
                    }
                    let body = r#"{"update_seq":"7-x"}"#;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
                    let _ = tls.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
                });
            }
        });
        url
    }
}

pub(crate) fn connecting(
    url: &str,
    connect: ConnectOptions,
) -> Result<HttpPeer, trunkline_replicate::PeerError> {
    let options = HttpOptions {
        connect,
        ..HttpOptions::default()
    };
    HttpPeer::new(url, options)
}

#[tokio::test]
async fn an_authority_of_ones_own_vouches_both_ways() {
    let authority = Authority::new();
    let url = authority.serve();
    let (cert, key) = authority.sign();
    let trusting = ConnectOptions {
        ca_file: Some(authority.file("ca.pem", "CERTIFICATE", &authority.cert)),
        ..ConnectOptions::default()
    };
    let both = ConnectOptions {
        client_cert: Some(authority.file("node.pem", "CERTIFICATE", &cert)),
        client_key: Some(authority.file("node.key", "PRIVATE KEY", &key.serialize_der())),
        ..trusting.clone()
    };
    let info = connecting(&url, both.clone()).unwrap().info().await.unwrap();
    assert_eq!(&*info.update_seq, "\"7-x\"");
    let anonymous = connecting(&url, trusting.clone()).unwrap().info().await;
    assert_eq!(anonymous.unwrap_err().kind, PeerErrorKind::Untrusted);
    let distrusting = connecting(&url, ConnectOptions::default()).unwrap().info().await;
    assert_eq!(distrusting.unwrap_err().kind, PeerErrorKind::Untrusted);

    let empty = authority.dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (options, named) in [
        (
            ConnectOptions {
                ca_file: Some(authority.dir.path().join("gone.pem")),
                ..trusting.clone()
            },
            "gone.pem",
        ),
        (
            ConnectOptions {
                ca_file: Some(empty.clone()),
                ..trusting.clone()
            },
            "empty.pem",
        ),
        (
            ConnectOptions {
                client_key: Some(empty),
                ..both.clone()
            },
            "empty.pem",
        ),
        (
            ConnectOptions {
                client_key: None,
                ..both
            },
            "needs its key",
        ),
        (
            ConnectOptions {
                proxy: Some("anna:secret@h".to_owned()),
                ..trusting
            },
            "proxy must be a URL",
        ),
    ] {
        let error = connecting(&url, options).unwrap_err();
        assert_eq!(error.kind, PeerErrorKind::Invalid);
        assert!(error.reason.contains(named), "{error}");
        assert!(!error.reason.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_is_named() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let saw = Arc::clone(&seen);
    let proxy = serve_requests(move |request| {
        saw.lock()
            .push((request.path.clone(), request.headers.to_lowercase()));
        answer("200 OK", r#"{"update_seq":7}"#)
    })
    .await;
    let proxy = proxy.replace("http://", "http://anna:secret@").replace("/db", "");
    let connect = ConnectOptions {
        proxy: Some(proxy),
        ..ConnectOptions::default()
    };
    let peer = connecting("http://peer.example/db", connect).unwrap();
    assert_eq!(&*peer.info().await.unwrap().update_seq, "7");
    let mut seen = seen.lock().clone();
    seen.sort();
    let paths: Vec<&str> = seen.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["http://peer.example/", "http://peer.example/db"]);
    assert!(
        seen.iter()
            .all(|(_, headers)| headers.contains("proxy-authorization: basic"))
    );
}
