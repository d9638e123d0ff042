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
