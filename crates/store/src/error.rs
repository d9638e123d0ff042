//! What can go wrong below, and why an edit can be refused. No HTTP status here.

use std::fmt;
use trunkline_core::db_name::DbName;

/// A call failed as a whole; nothing of it was done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No database of that name.
    DatabaseMissing(DbName),
    /// There is one already.
    DatabaseExists(DbName),
    /// The store was closed.
    Closed,
    /// Another process holds the directory.
    Locked(std::path::PathBuf),
    /// The directory or a value in it was written by a newer version, or is damaged; what and where.
    Corrupt(String),
    /// The file system or redb failed; what was being done, and the cause.
    Io(String, std::sync::Arc<dyn std::error::Error + Send + Sync>),
    /// A single refused request that is no document edit.
    Refused(Refused),
}

/// Why one edit (or local document, or staged attachment) was refused. A value, not a failure: others go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The parent is not a leaf, or the document exists and no parent was given.
    Conflict,
    /// An attachment stub whose bytes are not here; its name.
    MissingStub(String),
    /// The body is longer than the limit (bytes).
    DocumentTooLarge,
    /// An attachment is longer than the limit; its name.
    AttachmentTooLarge(String),
    /// Another edit of the same atomic batch was refused.
    Batch,
    /// It is not there.
    Missing,
    /// Staged bytes are not what their description says; what is wrong.
    BadAttachment(String),
}

impl fmt::Display for Error {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl std::error::Error for Error {}
