//! The server over a real socket, resource by resource.

// What a test asks of an answer, it may ask with a panic.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod absent;
mod aggregate;
mod all_docs;
mod attachments;
mod auth;
mod browsers;
mod bulk;
mod caps;
mod certificate_users;
mod certificates;
mod changes;
mod config;
mod conformance;
mod customers;
mod customers_ended;
mod customers_own;
mod databases;
mod designs;
mod doc_ids;
mod documents;
mod encoding;
mod exchange;
mod feeds_end;
mod filters;
mod find;
mod find_index;
mod formats;
mod forms;
mod harness;
mod hostile;
mod late_bodies;
mod listeners;
mod live_feeds;
mod local;
mod multipart;
mod named_feeds;
mod partition_docs;
mod partition_find;
mod partition_ids;
mod partition_reports;
mod partition_views;
mod partitions;
mod paths;
mod protocol;
mod quiet;
mod replications;
mod revoked;
mod rights;
mod rooms;
mod server;
mod session;
mod shutdown;
mod slow_clients;
mod smuggling;
mod snapshots;
mod sockets;
mod tls;
mod turns;
mod unstaged;
mod untaken;
mod updates;
mod users;
mod users_named;
mod users_own;
mod validate;
mod views;
mod views_builds;
mod views_docs;
mod views_kept;
mod windows;
