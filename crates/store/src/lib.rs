//! Documents on disk: a [`Store`] is a directory, a [`Database`] one redb file in it with its attachment files.
//!
//! Everything here blocks, and knows neither HTTP nor an async runtime. Two seams let a runtime use it without
//! blocking: [`Database::submit`] queues edits and calls back, and [`Database::listen`] gives a listener that can be
//! awaited.
//!
//! | module | holds |
//! | --- | --- |
//! | `directory`, `database` | the store directory; which redb files are open, and which may be closed |
//! | `file`, `backend`, `tables` | the redb file of a database; every table and row of the file format |
//! | `write` | the one door: queue, leader, decisions, the commit |
//! | `feeds` | which changes named feeds have, known when they are written |
//! | `asker`, `sight` | on whose behalf a handle is used, and what is seen through it |
//! | `guard` | who else decides which edits are taken |
//! | `companion` | what others keep of a store, found by all who have it |
//! | `read`, `changes`, `pending`, `all_docs`, `local` | reading, each call on a fresh snapshot |
//! | `attachments`, `contents`, `content_reader` | attachment bytes in; which are here, and which to come; out |
//! | `pinned` | reading one moment, call after call |
//! | `partition` | what a partitioned database tells of its partitions |
//! | `digests` | what two databases compare |
//! | `compact`, `check` | giving space back; verifying every invariant |

mod all_docs;
mod asker;
mod attachments;
mod backend;
mod changes;
mod check;
mod compact;
mod companion;
mod content_reader;
mod contents;
mod database;
mod digests;
mod directory;
mod error;
mod feeds;
mod file;
mod flush;
mod guard;
mod local;
mod partition;
mod pending;
mod pinned;
mod read;
mod sight;
mod staged;
mod tables;
mod types;
mod updates;
mod write;

pub use asker::{Asker, Takes, Told, Witness};
pub use attachments::Staging;
#[doc(hidden)]
pub use backend::BackendSeam;
pub use content_reader::ContentReader;
pub use error::{Error, Refused};
pub use feeds::FeedState;
pub use guard::{Candidate, Guard, GuardMaker, Guarded};
pub use sight::{Seen, Sees};
pub use staged::StagedContents;
pub use types::*;
pub use write::Leader;

use std::sync::Arc;

/// A directory of databases. Cheap to clone; one process at a time holds the directory.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<directory::Shared>,
}

/// A handle of one database. Cheap to clone; it does not keep the redb file open while idle.
#[derive(Clone, Debug)]
pub struct Database {
    store: Store,
    inner: Arc<database::Inner>,
    /// The moment that it reads, if it is not whatever is there.
    pinned: Option<Arc<pinned::Pinned>>,
    /// On whose behalf it is used, if it is anybody's.
    asker: Option<Arc<Asker>>,
}
