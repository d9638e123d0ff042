//! What stands before servers in the field: something that ends TLS, something that speaks HTTP/1.1 and nothing else.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// A port before a server; it ends when it is dropped.
pub(crate) struct Front {
    /// Where clients connect.
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Front {
    /// Ends TLS, and lets the client choose HTTP/2; answers also the file of the certificate that vouches for it.
    pub(crate) async fn tls(server: &str, dir: &Path) -> (Front, PathBuf) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![cert.der().clone()],
                PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let text = trunkline_wire::attachments::base64(cert.der());
        let file = dir.join("front.pem");
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        std::fs::write(&file, pem).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let front = Front::start(server, "https://localhost", move |near, mut far| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut near) = acceptor.accept(near).await {
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            }
        });
        (front.await, file)
    }

    /// Refuses what begins as HTTP/2 does.
    pub(crate) async fn http1(server: &str) -> Front {
        let front = Front::start(server, "http://127.0.0.1", |mut near, mut far| async move {
            let mut begun = [0; 3];
            if near.peek(&mut begun).await.is_ok() && &begun == b"PRI" {
                let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = near.write_all(answer).await;
            } else {
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
        front.await
    }

    async fn start<F: Future<Output = ()> + Send + 'static>(
        server: &str,
        origin: &str,
        join: impl Fn(TcpStream, TcpStream) -> F + Send + Sync + 'static,
    ) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{origin}:{}", listener.local_addr().unwrap().port());
        let connections = Arc::<AtomicUsize>::default();
        let (counted, server) = (Arc::clone(&connections), server.trim_end_matches('/').to_owned());
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(join(near, far));
            }
        });
        Front {
            url,
            connections,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Connections that were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
