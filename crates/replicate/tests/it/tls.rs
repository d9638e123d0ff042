//! A peer over https whose certificate nobody vouches for.

use crate::world::{World, replicate};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{HttpOptions, HttpPeer, Peer, PeerErrorKind, Progress, Spec, run};

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
    assert!(
        error.to_string().contains("certificate is not trusted"),
        "{error}"
    );

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
    assert!(why.contains("certificate is not trusted"), "{waits}");
    // As long as waits get: time does not heal it.
    assert!(
        wait.trim_end_matches(" ms").parse::<u64>().unwrap() >= 15_000,
        "{waits}"
    );
    cancel.cancel();
    running.await.unwrap().unwrap();
}
