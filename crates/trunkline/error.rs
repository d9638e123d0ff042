//! What a call of the library can answer instead of what was asked.

use std::fmt;
use trunkline_store::Refused;

/// Why a call failed. `Display` is one line; `source()` has the cause below.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The store failed, or the database is not there.
    Store(trunkline_store::Error),
    /// An edit was refused, and nothing of it was done.
    Refused {
        /// The document.
        id: String,
        /// Why.
        refused: Refused,
    },
    /// A value could not become a document, or a document not the type asked for.
    Value {
        /// The document.
        id: String,
        /// What serde says.
        cause: serde_json::Error,
    },
    /// A name, an id, a selector or a URL is not acceptable; which, and why.
    Invalid(String),
    /// A view could not be asked, or an index not be read.
    Query(trunkline_query::Error),
    /// What a view's rows come to cannot be told; why.
    Reduce(String),
    /// A replication could not go on.
    Replication(trunkline_replicate::PeerError),
}

impl Error {
    /// Whether an edit was refused because the document has changed since it was read (or exists already): read it
    /// again and decide.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Error::Refused {
                refused: Refused::Conflict,
                ..
            }
        )
    }

    /// Whether attachment bytes were asked for that are known here and have not come yet: a replication leaves them for
    /// later. [`Replications::holders`](trunkline_replicate::Replications::holders) names the nodes that have them, and
    /// [`Replications::fetch_first`](trunkline_replicate::Replications::fetch_first) makes them come before others.
    pub fn is_absent(&self) -> bool {
        matches!(self, Error::Store(trunkline_store::Error::ContentAbsent(_)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Store(error) => error.fmt(f),
            Error::Refused { id, refused } => {
                write!(f, "document {id:?} was refused: {refused}")
            }
            Error::Value { id, .. } => write!(f, "document {id:?} and the type in use do not fit each other"),
            Error::Query(error) => error.fmt(f),
            Error::Reduce(what) | Error::Invalid(what) => f.write_str(what),
            Error::Replication(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Store(error) => error.source(),
            Error::Query(error) => error.source(),
            Error::Value { cause, .. } => Some(cause),
            Error::Replication(error) => error.source(),
            Error::Refused { .. } | Error::Reduce(_) | Error::Invalid(_) => None,
        }
    }
}

impl From<trunkline_store::Error> for Error {
    fn from(error: trunkline_store::Error) -> Error {
        Error::Store(error)
    }
}

impl From<trunkline_query::Error> for Error {
    fn from(error: trunkline_query::Error) -> Error {
        match error {
            trunkline_query::Error::Store(error) => Error::Store(error),
            error => Error::Query(error),
        }
    }
}

impl From<trunkline_replicate::PeerError> for Error {
    fn from(error: trunkline_replicate::PeerError) -> Error {
        Error::Replication(error)
    }
}

/// What calls of the library answer.
pub type Result<T> = std::result::Result<T, Error>;
