//! What can go wrong below, and why an edit can be refused. No HTTP status here.

use std::fmt;
use std::sync::Arc;
use trunkline_core::attachment::ContentHash;
use trunkline_core::db_name::DbName;
use trunkline_core::partition::InvalidMember;

/// A call failed as a whole; nothing of it was done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No database of that name.
    DatabaseMissing(DbName),
    /// There is one already.
    DatabaseExists(DbName),
    /// A system database cannot have partitions.
    PartitionedSystem(DbName),
    /// The store was closed.
    Closed,
    /// It takes one who sees all of the database, and the handle is on behalf of one who does not.
    NotWhole,
    /// The moment that a handle was to read is no longer kept.
    SnapshotEnded,
    /// Too many bytes wait to be written; the same call will do later.
    Busy,
    /// Another process holds the directory.
    Locked(std::path::PathBuf),
    /// The directory or a value in it was written by a newer version, or is damaged; what and where.
    Corrupt(String),
    /// The file system or redb failed; what was being done, and the cause.
    Io(String, Arc<dyn std::error::Error + Send + Sync>),
    /// A single refused request that is no document edit.
    Refused(Refused),
    /// Documents name these attachment bytes, but they have not come yet.
    ContentAbsent(ContentHash),
    /// No design document declares a feed of that name.
    FeedMissing(String),
    /// The feed of that name is yet to be built; see [`crate::Database::build_feed`].
    FeedUnbuilt(String),
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
    /// Attachment bytes that are named by their content are neither staged nor stored; the attachment's name.
    NotStaged(String),
    /// Staged bytes are not what their description says; what is wrong.
    BadAttachment(String),
    /// The database is a mirror: it takes what is replicated to it, and no edits of its own.
    Mirror,
    /// The database is partitioned, and the id is none in it.
    Member(InvalidMember),
    /// A guard of the database forbids it; its reason.
    Forbidden(String),
    /// A guard of the database wants to know who asks; its reason.
    Unauthorized(String),
    /// A guard of the database failed; how.
    GuardFailed(String),
}

impl Error {
    /// For `map_err`: names what was being done.
    pub(crate) fn io<E: std::error::Error + Send + Sync + 'static>(doing: &str) -> impl FnOnce(E) -> Error {
        move |cause| Error::Io(doing.to_owned(), Arc::new(cause))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::DatabaseMissing(name) => write!(f, "there is no database {}", name.as_str()),
            Error::DatabaseExists(name) => write!(f, "there is a database {} already", name.as_str()),
            Error::Busy => f.write_str("more writes are waiting than memory should hold; try again later"),
            Error::NotWhole => f.write_str("this takes one who may see all of the database"),
            Error::SnapshotEnded => f.write_str("the snapshot has ended; make another one and ask again"),
            Error::PartitionedSystem(name) => {
                write!(
                    f,
                    "{} is a system database, which has no partitions",
                    name.as_str()
                )
            }
            Error::Closed => f.write_str("the store is closed"),
            Error::Locked(dir) => write!(f, "{} is in use by another process", dir.display()),
            Error::Corrupt(what) => write!(f, "damaged or written by a newer version: {what}"),
            Error::Io(doing, _) => write!(f, "{doing} failed"),
            Error::Refused(refused) => refused.fmt(f),
            Error::FeedMissing(name) => write!(f, "no design document declares a feed {name}"),
            Error::FeedUnbuilt(name) => write!(f, "the feed {name} is yet to be built"),
            Error::ContentAbsent(hash) => {
                write!(
                    f,
                    "the attachment content {} has not come yet",
                    crate::file::hex(hash)
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(_, cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Conflict => f.write_str("the edit's parent is not a leaf of the document"),
            Refused::MissingStub(name) => write!(f, "no stored attachment for the stub {name}"),
            Refused::DocumentTooLarge => f.write_str("the document is too large"),
            Refused::AttachmentTooLarge(name) => write!(f, "the attachment {name} is too large"),
            Refused::Batch => f.write_str("another edit of the same batch was refused"),
            Refused::Missing => f.write_str("it is not there"),
            Refused::NotStaged(name) => write!(f, "the bytes of attachment {name} are not staged here"),
            Refused::BadAttachment(what) => write!(f, "the attachment cannot be taken: {what}"),
            Refused::Mirror => {
                f.write_str("the database is a mirror and takes only what is replicated to it")
            }
            Refused::Member(invalid) => invalid.fmt(f),
            Refused::Forbidden(reason) => write!(f, "forbidden: {reason}"),
            Refused::Unauthorized(reason) => write!(f, "unauthorized: {reason}"),
            Refused::GuardFailed(reason) => write!(f, "the document could not be validated: {reason}"),
        }
    }
}

// `?` needs one conversion per redb operation; all say the same.
macro_rules! from_redb {
    ($($kind:ident)*) => {
        $(impl From<redb::$kind> for Error {
            fn from(cause: redb::$kind) -> Error {
                Error::Io("access to the database file".into(), Arc::new(cause))
            }
        })*
    };
}

from_redb!(StorageError TableError TransactionError CommitError DatabaseError CursorError SetDurabilityError);
