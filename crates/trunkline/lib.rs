//! Trunkline: an embedded document store that replicates.
mod asynchronous;
mod attachments;
mod changes;
mod database;
mod doc;
mod docs;
mod edits;
mod error;
mod replication;
mod store;

pub use asynchronous::AsyncDatabase;
pub use attachments::AttachmentReader;
pub use changes::{AsyncChanges, Change, Changes};
pub use database::Database;
pub use doc::Doc;
pub use docs::Docs;
pub use edits::Edits;
pub use error::{Error, Result};
pub use replication::{Replication, RunningReplication};
pub use store::Store;

#[doc(no_inline)]
pub use trunkline_core as core;
#[doc(no_inline)]
pub use trunkline_http as http;
#[doc(no_inline)]
pub use trunkline_replicate as replicate;
#[doc(no_inline)]
pub use trunkline_store as engine;
#[doc(no_inline)]
pub use trunkline_wire as wire;
