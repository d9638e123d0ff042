//! Replications between databases of this process: what they move, what they survive, what they record.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod attachments;
mod bad_servers;
mod behind;
mod beside;
mod checkpoints;
mod couch;
mod couchdb;
mod exchange;
mod faults;
mod hidden;
mod interop;
mod lag;
mod liars;
mod moves;
mod named_feeds;
mod options;
mod requests;
mod scheduler;
mod scripted;
mod tls;
mod tls_reasons;
mod unserved;
mod verify;
mod world;
