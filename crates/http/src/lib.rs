//! The CouchDB-style HTTP server over a [`trunkline_store::Store`].
//!
//! [`serve`] runs it on a listener of the caller's until a future of the caller's resolves: the command line, tests,
//! benchmarks and programs that embed a server all start here.
//!
//! A request goes down once and up once: a row of `routes.rs`, its handler in `routes/` (one file per resource), typed
//! parameters from `request.rs`, the store; and back as a body, or as a row of the one table in `error.rs`.

mod absent;
mod access;
mod addresses;
mod admission;
mod app;
mod arriving;
mod audit;
mod auth;
mod background;
mod body;
mod config;
mod connection;
mod content;
mod cors;
mod descriptors;
mod edit;
mod encoding;
mod error;
mod feed;
mod feeds;
mod filters;
mod front;
mod function_request;
mod impatient;
mod jobs;
mod lenient;
mod listener;
mod local_filters;
mod loopback;
mod measured;
mod pace;
mod protective;
mod reads;
mod refusal;
mod request;
mod respond;
mod room;
mod routes;
mod server;
pub mod settings;
mod show;
mod snapshots;
mod streams;
mod tasks;
mod tls;
mod unread;
mod upload;
mod views;

pub use audit::TARGET as AUDIT;
pub use auth::hash_admin;
pub use config::{
    Authentication, Certificates, Config, Connections, Cors, Jwt, Lockout, Passwords, Prf, Proxy, SameSite,
    Secret, Sessions, Tls, TlsVersion,
};
pub use descriptors::raise_descriptors;
pub use listener::{Listener, Listeners};
pub use local_filters::local_filter;
pub use loopback::is_loopback;
pub use server::{serve, serve_with};
pub use settings::Live;
pub use tls::{ServerTls, TlsError};
