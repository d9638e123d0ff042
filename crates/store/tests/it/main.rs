//! The store from outside: one binary, one module per promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod attachments;
mod basics;
mod contents;
mod crash;
mod damage;
mod digests;
mod draw;
mod feed_model;
mod feed_world;
mod feeds;
mod fixture;
mod guard;
mod lifecycle;
mod model;
mod partitioned;
mod pinned;
mod seen;
mod seen_answers;
mod seen_contents;
mod seen_locals;
mod seen_refused;
mod seen_tombstones;
mod support;
mod taken;
mod taken_together;
mod taken_tombstones;
mod together;
mod witnessed;
