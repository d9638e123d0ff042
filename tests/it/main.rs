//! What the product as a whole does: the real binary, real sockets, real files. Whatever can be tested lower down is
//! tested there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod administrator;
mod cli;
#[cfg(target_os = "linux")]
mod descriptors;
mod examples;
mod export;
mod front;
mod hostile;
mod import;
mod jobs;
mod kill9;
mod library;
mod link;
mod login;
mod migrate;
mod named_files;
mod node;
mod queries;
mod readme;
mod replication;
mod settings;
mod snapshot;
mod verify;
