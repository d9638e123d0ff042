//! TLS of the server: versions, protocols, client certificates, and certificates that change.

use crate::certificates::{Authority, secured};
use reqwest::Version;
use rustls::pki_types::ServerName;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_http::{Config, ServerTls, Tls, TlsVersion};

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_neither_without_tls() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = secured(authority.settings(dir.path()), Config::default()).await;
    for (client, version) in [
        (authority.client(), Version::HTTP_2),
        (authority.client().http1_only(), Version::HTTP_11),
    ] {
        let client = client.build().unwrap();
        let answer = client.get(&server.url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert!(answer.text().await.unwrap().contains("Welcome"));
        let db = format!(
            "{}/{}",
            server.url,
            if version == Version::HTTP_2 { "two" } else { "one" }
        );
        let made = client.put(&db).send().await.unwrap();
        assert_eq!(made.headers()["location"], db);
    }
    let other = Authority::new().client().build().unwrap();
    assert!(other.get(&server.url).send().await.is_err());

    let mut plain = TcpStream::connect(&server.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP/"), "{heard:?}");
}

#[tokio::test]
async fn who_connects_and_says_nothing_holds_up_nobody() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = secured(authority.settings(dir.path()), Config::default()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(&server.address).await.unwrap());
    }
    let client = authority.client().build().unwrap();
    assert_eq!(client.get(&server.url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn client_certificates_are_asked_for_and_judged() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let asking = |require_client_certificate| Tls {
        client_authorities: Authority::file(dir.path()),
        require_client_certificate,
        ..authority.settings(dir.path())
    };
    let known = authority.sign("node-7").identity();
    let stranger = Authority::new().sign("node-7").identity();
    for (required, identity, let_in) in [
        (true, None, false),
        (true, Some(&known), true),
        (true, Some(&stranger), false),
        (false, None, true),
        (false, Some(&known), true),
        (false, Some(&stranger), false),
    ] {
        let server = secured(asking(required), Config::default()).await;
        let mut client = authority.client();
        if let Some(identity) = identity {
            client = client.identity(identity.clone());
        }
        let answer = client.build().unwrap().get(&server.url).send().await;
        assert_eq!(
            answer.is_ok(),
            let_in,
            "{required} {}: {answer:?}",
            identity.is_some()
        );
    }
}

/// Whether a client that speaks `version` only gets through.
fn speaks(address: &str, authority: &Authority, version: &'static rustls::SupportedProtocolVersion) -> bool {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    let trusted = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    roots.add(trusted).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut stream);
    let said = stream.write_all(b"GET /_up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut heard = [0; 12];
    said.and_then(|()| stream.read_exact(&mut heard)).is_ok() && &heard == b"HTTP/1.1 200"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_versions_are_spoken_as_far_as_is_set() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    for (version_min, speaks_12) in [(TlsVersion::V12, true), (TlsVersion::V13, false)] {
        let settings = Tls {
            version_min,
            ..authority.settings(dir.path())
        };
        let server = secured(settings, Config::default()).await;
        let speaks = |version| tokio::task::block_in_place(|| speaks(&server.address, &authority, version));
        assert!(speaks(&rustls::version::TLS13));
        assert_eq!(speaks(&rustls::version::TLS12), speaks_12);
    }
}

#[tokio::test]
async fn certificates_change_while_it_runs_and_bad_ones_are_not_taken() {
    let (first, second) = (Authority::new(), Authority::new());
    let dir = tempfile::tempdir().unwrap();
    let server = secured(first.settings(dir.path()), Config::default()).await;
    // A new client each time: a connection that stands keeps what it has.
    let trusts = async |authority: &Authority| {
        let client = authority.client().build().unwrap();
        client.get(&server.url).send().await.is_ok()
    };
    assert!(trusts(&first).await && !trusts(&second).await);

    std::fs::write(dir.path().join("server.key"), second.sign("other").key).unwrap();
    let error = server.tls.reload().unwrap_err().to_string();
    assert!(error.contains("server.key"), "{error}");
    std::fs::write(dir.path().join("server.pem"), "nothing").unwrap();
    let error = server.tls.reload().unwrap_err().to_string();
    assert!(error.contains("server.pem"), "{error}");
    assert!(trusts(&first).await);

    second.sign("a server").write(dir.path());
    server.tls.reload().unwrap();
    assert!(trusts(&second).await && !trusts(&first).await);

    // Nobody says that they changed.
    first.sign("a server").write(dir.path());
    while !trusts(&first).await {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn what_is_missing_is_named() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let good = authority.settings(dir.path());
    let gone = dir.path().join("gone.pem");
    std::fs::write(dir.path().join("empty.pem"), "").unwrap();
    for (settings, named) in [
        (
            Tls {
                certificate: gone.clone(),
                ..good.clone()
            },
            "gone.pem",
        ),
        (
            Tls {
                key: gone.clone(),
                ..good.clone()
            },
            "gone.pem",
        ),
        (
            Tls {
                client_authorities: Some(gone),
                ..good.clone()
            },
            "gone.pem",
        ),
        (
            Tls {
                certificate: dir.path().join("empty.pem"),
                ..good.clone()
            },
            "no certificate",
        ),
        (
            Tls {
                require_client_certificate: true,
                ..good
            },
            "no authorities",
        ),
    ] {
        let error = ServerTls::read(settings).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}
