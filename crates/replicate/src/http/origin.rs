//! Connections to a server, shared by all peers of it that are reached the same way: ten thousand feeds of one server
//! need one connection, and not each its own.

use super::address::Address;
use super::{ConnectOptions, HttpOptions};
use crate::peer::{PeerError, PeerErrorKind};
use crate::pem;
use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use reqwest::{Certificate, ClientBuilder, Identity, Proxy, Version};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit, watch};
use trunkline_core::limits::{
    HTTP2_ANSWER_WINDOW_BYTES, HTTP2_ANSWERS_WINDOW_BYTES, HTTP2_WIDE_FEEDS_MAX, HTTP2_WIDE_WINDOW_BYTES,
};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an HTTP/2 connection is asked whether it lives, feeds or not.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Without an answer for so long, it does not.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a server that cannot be reached is tried, however many replications wait for it.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Until a try counts as failed.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Feeds with a wide window.
static WIDE: Semaphore = Semaphore::const_new(HTTP2_WIDE_FEEDS_MAX);

/// All that are in use.
static ORIGINS: LazyLock<Mutex<HashMap<Key, Weak<Origin>>>> = LazyLock::new(Mutex::default);

/// What peers have in common that share connections.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    origin: String,
    options: ConnectOptions,
    files: Files,
    /// Connections end with the runtime that drives them.
    runtime: Id,
}

/// What was in the files that the options name: other certificates are other connections.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Files {
    ca: Option<Vec<u8>>,
    /// Certificate and key.
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// A server, with connections to it.
pub(super) struct Origin {
    http1: reqwest::Client,
    /// For a server that exchanges; `None` when something before it speaks no HTTP/2.
    http2: OnceCell<Option<reqwest::Client>>,
    /// The same with wide windows.
    wide: OnceLock<Option<reqwest::Client>>,
    way: Way,
    /// The last request got no answer at all.
    unreachable: AtomicBool,
    /// Tells those that wait when the server answers again.
    probe: Mutex<Option<watch::Receiver<bool>>>,
}

/// Nothing came back that tells.
struct Silent;

/// How connections are made.
struct Way {
    tls: bool,
    loopback: bool,
    proxy: Option<Proxy>,
    ca: Vec<Certificate>,
    identity: Option<Identity>,
}

impl Origin {
    /// Connections for an address: those that others use, or new ones.
    pub(super) fn of(address: &Address, options: &HttpOptions) -> Result<Arc<Origin>, PeerError> {
        let invalid = |reason: String| PeerError::new(address.database(), PeerErrorKind::Invalid, reason);
        let files = Files::read(&options.connect).map_err(&invalid)?;
        // Outside of a runtime nobody can tell which one will drive the connections.
        let key = Handle::try_current().ok().map(|runtime| Key {
            origin: address.origin().to_owned(),
            options: options.connect.clone(),
            files: files.clone(),
            runtime: runtime.id(),
        });
        let mut origins = ORIGINS.lock();
        if let Some(shared) = key.as_ref().and_then(|key| origins.get(key)?.upgrade()) {
            return Ok(shared);
        }
        let way = Way::new(address, &options.connect, &files).map_err(&invalid)?;
        let http1 = way.builder().http1_only().build();
        let origin = Arc::new(Origin {
            http1: http1.map_err(|error| invalid(format!("no HTTP client: {error}")))?,
            http2: OnceCell::new(),
            wide: OnceLock::new(),
            way,
            unreachable: AtomicBool::new(false),
            probe: Mutex::default(),
        });
        if let Some(key) = key {
            origins.retain(|_, origin| origin.strong_count() > 0);
            origins.insert(key, Arc::downgrade(&origin));
        }
        Ok(origin)
    }

    /// What requests are sent with.
    pub(super) fn client(&self) -> &reqwest::Client {
        let http2 = self.http2.get().and_then(Option::as_ref);
        http2.unwrap_or(&self.http1)
    }

    /// What a feed that has far to go is asked for with, while it goes, where windows are to be had.
    pub(super) fn wide(&self) -> Option<(&reqwest::Client, SemaphorePermit<'static>)> {
        self.http2.get()?.as_ref()?;
        let permit = WIDE.try_acquire().ok()?;
        let wide = self
            .wide
            .get_or_init(|| self.way.http2(HTTP2_WIDE_WINDOW_BYTES).build().ok());
        Some((wide.as_ref()?, permit))
    }

    /// Notes whether a request got an answer, whatever it says.
    pub(super) fn answered(&self, answered: bool) {
        self.unreachable.store(!answered, Ordering::Relaxed);
    }

    /// Returns when the server answers again, had it not; `url` is one that it answers cheaply.
    pub(super) async fn reachable_again(&self, url: &str) {
        if !self.unreachable.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let mut told = {
            let mut probe = self.probe.lock();
            match &*probe {
                Some(told) if told.has_changed().is_ok() => told.clone(),
                _ => {
                    let (kept, told) = self.start_probe(url);
                    *probe = Some(kept);
                    told
                }
            }
        };
        // The probe is lost only with its runtime.
        if told.wait_for(|up| *up).await.is_err() {
            std::future::pending().await
        }
    }

    /// What the origin keeps, and what the one that waits does: the probe ends once nobody does.
    fn start_probe(&self, url: &str) -> (watch::Receiver<bool>, watch::Receiver<bool>) {
        let (tell, kept) = watch::channel(false);
        let told = kept.clone();
        let (http, url) = (self.http1.clone(), url.to_owned());
        tokio::spawn(async move {
            // The origin itself holds one.
            while tell.receiver_count() > 1 {
                tokio::time::sleep(PROBE_EVERY).await;
                let tried = tokio::time::timeout(PROBE_TIMEOUT, http.get(&url).send()).await;
                if matches!(tried, Ok(Ok(_))) {
                    tell.send_replace(true);
                    return;
                }
            }
        });
        (kept, told)
    }

    /// The server exchanges, so it speaks HTTP/2; what stands before it may not, which the answer to a request for `url`
    /// tells. That none comes tells nothing, nor does one that says no: the next one to ask tries again.
    pub(super) async fn exchanges(&self, url: &str, headers: HeaderMap) {
        let connect = async || {
            let Ok(http2) = self.way.http2(HTTP2_ANSWER_WINDOW_BYTES).build() else {
                return Ok(None);
            };
            let answer = http2.get(url).headers(headers).send();
            let answer = tokio::time::timeout(PROBE_TIMEOUT, answer).await;
            let answer = answer.map_err(|_| Silent)?.map_err(|_| Silent)?;
            match answer.version() {
                Version::HTTP_2 if answer.status().is_success() => Ok(Some(http2)),
                Version::HTTP_2 => Err(Silent),
                _ => Ok(None),
            }
        };
        let _ = self.http2.get_or_try_init(connect).await;
    }
}

impl Files {
    fn read(options: &ConnectOptions) -> Result<Files, String> {
        let identity = match (&options.client_cert, &options.client_key) {
            (Some(cert), Some(key)) => Some((pem::read(cert)?, pem::read(key)?)),
            (None, None) => None,
            (Some(_), None) => return Err("a client certificate needs its key".to_owned()),
            (None, Some(_)) => return Err("a client's key needs its certificate".to_owned()),
        };
        Ok(Files {
            ca: options.ca_file.as_deref().map(pem::read).transpose()?,
            identity,
        })
    }
}

impl Way {
    fn new(address: &Address, options: &ConnectOptions, files: &Files) -> Result<Way, String> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let named = |path: &Option<_>| path.as_deref().map(Path::display).map(|path| path.to_string());
        let mut ca = Vec::new();
        if let Some(pem) = &files.ca {
            let name = named(&options.ca_file).unwrap_or_default();
            ca = Certificate::from_pem_bundle(pem).map_err(|error| format!("{name}: {error}"))?;
            if ca.is_empty() {
                return Err(format!("{name} holds no certificate in PEM form"));
            }
        }
        let identity = match (&files.identity, &options.client_cert, &options.client_key) {
            (Some((cert_pem, key_pem)), Some(cert), Some(key)) => {
                pem::fit((cert, cert_pem), (key, key_pem))?;
                let both = [&cert_pem[..], &key_pem[..]].join(&b'\n');
                let identity = Identity::from_pem(&both);
                Some(
                    identity
                        .map_err(|error| format!("{} with {}: {error}", cert.display(), key.display()))?,
                )
            }
            _ => None,
        };
        let proxy = options.proxy.as_deref().map(proxy).transpose()?;
        let tls_to_proxy = options
            .proxy
            .as_ref()
            .is_some_and(|url| url.starts_with("https:"));
        Ok(Way {
            tls: address.tls || tls_to_proxy,
            loopback: address.loopback,
            proxy,
            ca,
            identity,
        })
    }

    fn builder(&self) -> ClientBuilder {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if !self.tls {
            // Nobody to trust: reading the system's certificates takes longer than replicating a document.
            http = http.tls_certs_only([]);
        } else if !self.ca.is_empty() {
            http = http.tls_certs_merge(self.ca.clone());
        }
        if let Some(identity) = self.identity.clone() {
            http = http.identity(identity);
        }
        if self.loopback {
            http = http.no_proxy().no_gzip().no_zstd();
        }
        match self.proxy.clone() {
            Some(proxy) => http.proxy(proxy),
            None => http,
        }
    }

    fn http2(&self, window_bytes: u32) -> ClientBuilder {
        let http = self
            .builder()
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .http2_initial_stream_window_size(window_bytes)
            .http2_initial_connection_window_size(HTTP2_ANSWERS_WINDOW_BYTES);
        if self.tls {
            http
        } else {
            http.http2_prior_knowledge()
        }
    }
}

/// A proxy by its URL, which may hold a password and is never told.
fn proxy(url: &str) -> Result<Proxy, String> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let known = matches!(scheme, Some("http" | "https" | "socks5" | "socks5h"));
    let proxy = known.then(|| Proxy::all(url).ok()).flatten();
    proxy.ok_or_else(|| "the proxy must be a URL of http, https, socks5 or socks5h".to_owned())
}
