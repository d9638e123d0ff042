//! Whatever is wrong with a certificate is said in words that help.

use crate::tls::{Authority, connecting};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use trunkline_replicate::{ConnectOptions, Peer, PeerErrorKind, Tls};

/// What a run says of a server, when it shows `own` or nothing.
async fn said(
    authority: &Authority,
    url: &str,
    trusts: bool,
    own: Option<(CertificateDer<'static>, KeyPair)>,
) -> String {
    let mut options = ConnectOptions::default();
    options.complete(&Tls {
        authorities: trusts.then(|| authority.file("ca.pem", "CERTIFICATE", &authority.cert)),
        certificate: own
            .as_ref()
            .map(|(cert, _)| authority.file("node.pem", "CERTIFICATE", cert)),
        key: own
            .as_ref()
            .map(|(_, key)| authority.file("node.key", "PRIVATE KEY", &key.serialize_der())),
    });
    let error = connecting(url, options).unwrap().info().await.unwrap_err();
    assert_eq!(error.kind, PeerErrorKind::Untrusted, "{error}");
    let host = url.strip_prefix("https://").unwrap();
    let host = host.split('/').next().unwrap();
    assert!(error.reason.contains(host), "{error}");
    error.reason
}

fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
}

fn not_yet(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2090, 1, 1);
    params.not_after = date_time_ymd(2091, 1, 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_servers_certificate() {
    let authority = Authority::new();
    for (cert, trusts, words) in [
        (
            authority.sign_for("localhost", expired),
            true,
            "it has expired: renew it there",
        ),
        (
            authority.sign_for("localhost", not_yet),
            true,
            "it is not valid yet",
        ),
        (
            authority.sign_for("other.example", |_| {}),
            true,
            "it is for another name",
        ),
        (
            authority.sign(),
            false,
            "name the file of its authority (`ca_file`)",
        ),
        (
            Authority::new().sign(),
            true,
            "name the file of its authority (`ca_file`)",
        ),
    ] {
        let url = authority.serve_as(cert, false, &TLS13);
        let reason = said(&authority, &url, trusts, None).await;
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_this_ends_certificate() {
    let authority = Authority::new();
    for version in [&TLS13, &TLS12] {
        let url = authority.serve_as(authority.sign(), true, version);
        for (own, words) in [
            (
                None,
                "name its file and its key's (`client_cert` and `client_key`)",
            ),
            (
                Some(authority.sign_for("node", expired)),
                "the certificate that this end shows, it has expired",
            ),
            (Some(Authority::new().sign()), "have its authority trusted there"),
        ] {
            let reason = said(&authority, &url, true, own).await;
            assert!(reason.contains(words), "{version:?}: {reason}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_files_of_this_ends_certificate() {
    let authority = Authority::new();
    let (cert, key) = authority.sign_for("node", |_| {});
    let node = authority.file("node.pem", "CERTIFICATE", &cert);
    let good = authority.file("node.key", "PRIVATE KEY", &key.serialize_der());
    let other = KeyPair::generate().unwrap().serialize_der();
    let other = authority.file("other.key", "PRIVATE KEY", &other);
    let encrypted = authority.file("enc.key", "ENCRYPTED PRIVATE KEY", &[48, 0]);
    let old = encrypted.with_file_name("old.key");
    let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n";
    std::fs::write(&old, text).unwrap();
    let gone = encrypted.with_file_name("gone.key");
    for (cert, key, words) in [
        (
            &node,
            &other,
            "other.key: it is not the key of this certificate, ",
        ),
        (
            &node,
            &encrypted,
            "enc.key: the key is encrypted: decrypt it with `openssl pkey`",
        ),
        (
            &node,
            &old,
            "old.key: the key is encrypted: decrypt it with `openssl pkey`",
        ),
        (&node, &node, "node.pem: there is no private key in it"),
        (&good, &good, "node.key: there is no certificate in it"),
        (&node, &gone, "gone.key: there is no such file"),
    ] {
        let mut options = ConnectOptions::default();
        options.complete(&Tls {
            authorities: None,
            certificate: Some(cert.clone()),
            key: Some(key.clone()),
        });
        let error = connecting("https://localhost:1/db", options).err().unwrap();
        assert!(error.reason.contains(words), "{error}");
    }
}
