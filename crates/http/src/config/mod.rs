//! What an embedder or an operator may set about a server: typed, with defaults that are safe. Where the settings come from
//! (a file, the environment, flags, `_config`) is `settings`'s business.

mod authentication;
mod connections;
mod cors;
mod tls;

pub use authentication::{
    Authentication, Certificates, Jwt, Lockout, Passwords, Prf, Proxy, SameSite, Sessions,
};
pub use connections::Connections;
pub use cors::Cors;
pub use tls::{Tls, TlsVersion};

use std::collections::BTreeMap;
use std::fmt;
use trunkline_core::limits;
use trunkline_replicate::Secrets;

/// Settings of a server. `Default` is what CouchDB's defaults would be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Administrators by name: each a password as [`Passwords`] keeps it (`-pbkdf2:sha256-…`), or in clear, which is
    /// hashed when the server starts.
    pub admins: BTreeMap<String, Secret>,
    /// How it is found out who asks.
    pub authentication: Authentication,
    /// Which pages of other hosts may ask.
    pub cors: Cors,
    /// What one client may take of the server.
    pub connections: Connections,
    /// Bytes of one request body, streamed uploads included.
    pub request_bytes_max: u64,
    /// Bytes of one request body that must be held in memory to be parsed, counted after decompression.
    pub request_buffer_bytes_max: usize,
    /// Bytes of all such bodies at once; others wait. At least as much as one may have.
    pub request_buffers_bytes_max: usize,
    /// Milliseconds that a request waits for its bytes among them, before it is told to come back.
    pub request_buffers_wait_ms: u64,
    /// Bytes of answers that were made and that their clients have not taken; others wait. Half of it is one user's at most.
    pub answers_bytes_max: usize,
    /// Bytes of one document without its attachments.
    pub document_bytes_max: usize,
    /// Bytes of one attachment.
    pub attachment_bytes_max: u64,
    /// Whether answers are compressed for clients that ask for it.
    pub compression: bool,
    /// `version` in the welcome: the CouchDB release whose behaviour clients may count on.
    pub couchdb_version: String,
    /// `vendor.version` in the welcome, and the version in the `Server` header.
    pub version: String,
    /// Where replications find credentials by name.
    pub secrets: Secrets,
    /// Milliseconds that open connections get to finish after the shutdown signal.
    pub shutdown_ms: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            admins: BTreeMap::new(),
            authentication: Authentication::default(),
            cors: Cors::default(),
            connections: Connections::default(),
            request_bytes_max: limits::REQUEST_BYTES_MAX,
            request_buffer_bytes_max: limits::REQUEST_BUFFER_BYTES_MAX,
            request_buffers_bytes_max: limits::REQUEST_BUFFERS_BYTES_MAX,
            request_buffers_wait_ms: limits::REQUEST_BUFFERS_WAIT_MS,
            answers_bytes_max: limits::ANSWERS_BYTES_MAX,
            document_bytes_max: limits::DOCUMENT_BYTES_MAX,
            attachment_bytes_max: limits::ATTACHMENT_BYTES_MAX,
            compression: true,
            couchdb_version: "3.5.2".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            secrets: Secrets::default(),
            shutdown_ms: 5_000,
        }
    }
}

/// A text that no log shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
