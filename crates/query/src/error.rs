//! What can go wrong.

use crate::index::Malformed;
use std::fmt;
use std::sync::Arc;
use trunkline_core::aggregate::InvalidAggregate;
use trunkline_core::selector::TooMuchWork;
use trunkline_wire::invalid::Invalid;

/// A call failed as a whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The index file is damaged or of another version: it will be made anew.
    Damaged,
    /// The index is of another incarnation of the database, or purges that it lacks were forgotten: it will be made anew.
    Outdated,
    /// It was not pinned with the moment of the database that is asked about.
    NotPinned,
    /// There is no such design document.
    NoDesign,
    /// The design document was deleted.
    DesignDeleted,
    /// The design document cannot be read.
    Design(Invalid),
    /// The design document has no view of that name.
    NoView,
    /// What rows come to was asked by one who does not see all documents: it is made of those of others, too.
    ReducesAll,
    /// A key that was asked for is no JSON, or nested too deep.
    Key,
    /// Nothing here runs functions in that language.
    Language(String),
    /// A function of the design document cannot be compiled, or its sandbox not be made.
    Script(trunkline_js::Error),
    /// An aggregate cannot go on.
    Aggregate(InvalidAggregate),
    /// A document would take too long to be matched with a selector.
    TooMuchWork(TooMuchWork),
    /// Reading the database failed.
    Store(trunkline_store::Error),
    /// The file system or redb failed.
    Io(Arc<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Damaged => f.write_str("the index file is damaged or of another version"),
            Error::Outdated => f.write_str("the index is not of the database as it is now"),
            Error::NotPinned => f.write_str("the snapshot was made without that index"),
            Error::NoDesign => f.write_str("there is no such design document"),
            Error::DesignDeleted => f.write_str("the design document was deleted"),
            Error::Design(invalid) => invalid.fmt(f),
            Error::NoView => f.write_str("the design document has no view of that name"),
            Error::ReducesAll => f.write_str(
                "Reduced views count documents that you may not see: ask with reduce=false, or ask _aggregate.",
            ),
            Error::Key => f.write_str("a key is no JSON text, or nested too deep"),
            Error::Language(name) => write!(f, "there is no query server for the language {name}"),
            Error::Script(error) => error.fmt(f),
            Error::Aggregate(error) => error.fmt(f),
            Error::TooMuchWork(error) => error.fmt(f),
            Error::Store(error) => error.fmt(f),
            Error::Io(_) => f.write_str("reading or writing an index failed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Damaged | Error::Outdated | Error::NotPinned | Error::Language(_) => None,
            Error::NoDesign | Error::DesignDeleted | Error::NoView | Error::Key | Error::Aggregate(_) => None,
            Error::ReducesAll | Error::TooMuchWork(_) => None,
            Error::Design(invalid) => std::error::Error::source(invalid),
            Error::Script(error) => std::error::Error::source(error),
            Error::Store(error) => std::error::Error::source(error),
            Error::Io(cause) => Some(&**cause),
        }
    }
}

impl From<TooMuchWork> for Error {
    fn from(error: TooMuchWork) -> Error {
        Error::TooMuchWork(error)
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Error {
        Error::Damaged
    }
}

impl From<trunkline_js::Error> for Error {
    fn from(error: trunkline_js::Error) -> Error {
        Error::Script(error)
    }
}

impl From<trunkline_store::Error> for Error {
    fn from(error: trunkline_store::Error) -> Error {
        Error::Store(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Io(Arc::new(error))
    }
}

macro_rules! from_redb {
    ($($cause:ty),*) => {
        $(impl From<$cause> for Error {
            fn from(cause: $cause) -> Error {
                match redb::Error::from(cause) {
                    redb::Error::Corrupted(_) => Error::Damaged,
                    cause => Error::Io(Arc::new(cause)),
                }
            }
        })*
    };
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
