//! The one table from what went wrong to status, error word and reason.
//!
//! Nothing below this crate knows an HTTP status. Words are CouchDB's, since clients and replicators compare them.

use crate::absent::Absent;
use crate::access::Refusal;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use trunkline_core::doc_id::InvalidDocId;
use trunkline_core::partition::{InvalidMember, InvalidPartition};
use trunkline_core::rev::{InvalidRev, Rev};
use trunkline_query::FunctionError;
use trunkline_store as store;
use trunkline_store::Refused;
use trunkline_wire::document::InvalidDoc;
use trunkline_wire::invalid::{Invalid, Kind};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request is not answered as asked.
#[derive(Clone, Debug)]
pub(crate) enum Error {
    /// The request is malformed; what is wrong.
    BadRequest(Cow<'static, str>),
    /// A password that the settings do not want; why.
    Password(String),
    /// A query value that cannot be read.
    QueryParse(String),
    /// A document id that cannot be.
    IllegalDocId(InvalidDocId),
    /// A partition that cannot be.
    IllegalPartition(InvalidPartition),
    /// A database name that cannot be.
    IllegalDatabaseName(String),
    /// A database name over the limit.
    DatabaseNameTooLong(String),
    /// A document that breaks a rule; which.
    DocValidation(String),
    /// No such database.
    DatabaseMissing,
    /// There is one of that name.
    DatabaseExists,
    /// The thing asked for is not there; CouchDB's reason tells `missing` from `deleted`.
    NotFound(Cow<'static, str>),
    /// The parent is not a leaf.
    Conflict,
    /// `If-None-Match` names what is there.
    NotModified(HeaderValue),
    /// An attachment is to be changed in a revision that is not there.
    MissingRev,
    /// Bytes whose MD5 is not the one announced.
    Md5Mismatch,
    /// An attachment stub without bytes here.
    MissingStub(String),
    /// Another edit of the same atomic batch was refused.
    Batch,
    /// The request body is over its limit.
    TooLarge,
    /// The document is over its limit; its id.
    DocumentTooLarge(String),
    /// An attachment is over its limit; its name.
    AttachmentTooLarge(String),
    /// The content type must be another; CouchDB's reason.
    BadContentType(&'static str),
    /// The content encoding is none we know.
    BadContentEncoding,
    /// No byte of the range is there; how many there are.
    RangeNotSatisfiable(u64),
    /// The resource is there, the method is not; which are.
    MethodNotAllowed(String),
    /// A document names contents whose bytes are neither stored nor were brought before it; of which attachment.
    NotStaged(String),
    /// Attachment bytes that differ from what was announced; how.
    BadAttachment(String),
    /// The database takes only replicated changes.
    Mirror,
    /// The snapshot that was asked about is no longer kept.
    SnapshotEnded,
    /// As many snapshots are kept as may be.
    TooManySnapshots,
    /// Attachment bytes that documents name have not come yet; whose, where that is known.
    ContentAbsent(Option<Box<Absent>>),
    /// An upload is to go on where none was cut off; how many bytes one left.
    UploadElsewhere(u64),
    /// A seq of another incarnation of the database.
    StaleSeq(String),
    /// CouchDB has it, we do not (yet); what to do instead.
    NotImplemented(&'static str),
    /// A validation function refuses the document; its reason.
    Forbidden(String),
    /// A validation function wants to know who asks; its reason.
    Unauthorized(String),
    /// This name failed too often from where the request came; seconds until it may try again.
    LockedOut(u64),
    /// A function of a design document failed; error word and reason.
    Function(&'static str, String),
    /// A design document whose functions cannot be run; error word and reason.
    Design(&'static str, String),
    /// A peer of a replication failed; error word and reason.
    Replication(StatusCode, &'static str, String),
    /// A named feed was declared anew just now, and is to be built first.
    FeedUnbuilt,
    /// Other requests hold all the memory there is for request bodies.
    Busy,
    /// As many requests, or feeds, are under way as may be.
    Overloaded,
    /// The client sends its body too slowly.
    TooSlow,
    /// Other requests wait for their passwords to be checked.
    PasswordsBusy,
    /// The store or server is closing.
    Closing,
    /// The client went away in the middle of its request.
    Disconnected,
    /// A query or an index that is not acceptable; error word and reason.
    Mango(StatusCode, &'static str, String),
    /// A failure of ours: the log has more.
    Internal(String),
}

impl Error {
    pub(crate) fn bad(reason: impl Into<Cow<'static, str>>) -> Error {
        Error::BadRequest(reason.into())
    }

    /// The client has it already.
    pub(crate) fn not_modified(etag: &str) -> Error {
        Error::NotModified(HeaderValue::from_str(etag).unwrap_or(HeaderValue::from_static("\"\"")))
    }

    fn of_kind(kind: Kind, reason: String) -> Error {
        match kind {
            Kind::BadRequest => Error::BadRequest(reason.into()),
            Kind::IllegalDocId => Error::IllegalDocId(InvalidDocId::NotText),
            Kind::DocValidation => Error::DocValidation(reason),
            Kind::DocumentTooLarge => Error::DocumentTooLarge(reason),
            Kind::TooLarge => Error::TooLarge,
        }
    }

    pub(crate) const MISSING: Error = Error::NotFound(Cow::Borrowed("missing"));
    pub(crate) const DELETED: Error = Error::NotFound(Cow::Borrowed("deleted"));

    /// One edit's refusal; `id` names its document.
    pub(crate) fn refused(refused: Refused, id: &str) -> Error {
        match refused {
            Refused::Conflict => Error::Conflict,
            Refused::MissingStub(name) => {
                Error::MissingStub(format!("Invalid attachment stub in {id} for {name}"))
            }
            Refused::DocumentTooLarge => Error::DocumentTooLarge(id.to_owned()),
            Refused::AttachmentTooLarge(name) => Error::AttachmentTooLarge(name),
            Refused::Batch => Error::Batch,
            Refused::Missing => Error::MISSING,
            Refused::NotStaged(name) => Error::NotStaged(name),
            Refused::BadAttachment(reason) => Error::BadAttachment(reason),
            Refused::Mirror => Error::Mirror,
            Refused::Member(invalid) => invalid.into(),
            Refused::Forbidden(reason) => Error::Forbidden(reason),
            Refused::Unauthorized(reason) => Error::Unauthorized(reason),
            Refused::GuardFailed(reason) => Error::Function(thrown_word(&reason), reason),
            other => Error::Internal(format!("refused: {other:?}")),
        }
    }

    /// The table: status, error word, reason. What is wrong with a name or a request comes first, then what stands
    /// against it.
    pub(crate) fn row(&self) -> (StatusCode, &'static str, Cow<'_, str>) {
        use StatusCode as S;
        match self {
            Error::Password(reason) => (S::BAD_REQUEST, "bad_request", reason.into()),
            Error::BadRequest(reason) => (S::BAD_REQUEST, "bad_request", reason.as_ref().into()),
            Error::BadAttachment(reason) => (S::BAD_REQUEST, "bad_request", reason.into()),
            // Only the exchange names contents.
            Error::NotStaged(name) => (
                S::BAD_REQUEST,
                trunkline_wire::exchange::NOT_STAGED,
                format!("The bytes of attachment {name} are not here.").into(),
            ),
            Error::Disconnected => (S::BAD_REQUEST, "bad_request", reasons::DISCONNECTED.into()),
            Error::QueryParse(reason) => (S::BAD_REQUEST, "query_parse_error", reason.into()),
            Error::IllegalDocId(invalid) => (S::BAD_REQUEST, "illegal_docid", invalid.to_string().into()),
            Error::IllegalPartition(invalid) => {
                (S::BAD_REQUEST, "illegal_partition", invalid.to_string().into())
            }
            Error::IllegalDatabaseName(name) => (
                S::BAD_REQUEST,
                "illegal_database_name",
                reasons::illegal_database_name(name).into(),
            ),
            Error::DatabaseNameTooLong(name) => (
                S::BAD_REQUEST,
                "database_name_too_long",
                reasons::database_name_too_long(name).into(),
            ),
            Error::DocValidation(reason) => (S::BAD_REQUEST, "doc_validation", reason.into()),
            Error::Md5Mismatch => (
                S::BAD_REQUEST,
                "content_md5_mismatch",
                reasons::MD5_MISMATCH.into(),
            ),
            Error::NotModified(_) => (S::NOT_MODIFIED, "not_modified", "".into()),
            Error::DatabaseMissing => (S::NOT_FOUND, "not_found", reasons::DATABASE_MISSING.into()),
            Error::NotFound(reason) => (S::NOT_FOUND, "not_found", reason.as_ref().into()),
            Error::MethodNotAllowed(allowed) => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("Only {allowed} allowed").into(),
            ),
            Error::SnapshotEnded => (S::GONE, "snapshot_ended", reasons::SNAPSHOT_ENDED.into()),
            Error::TooManySnapshots => (
                S::SERVICE_UNAVAILABLE,
                "too_many_snapshots",
                reasons::TOO_MANY_SNAPSHOTS.into(),
            ),
            Error::Mirror => (S::FORBIDDEN, "forbidden", reasons::MIRROR.into()),
            Error::UploadElsewhere(begun) => (
                S::CONFLICT,
                "conflict",
                format!("The upload goes on at byte {begun}.").into(),
            ),
            Error::Conflict => (S::CONFLICT, "conflict", reasons::CONFLICT.into()),
            Error::MissingRev => (S::CONFLICT, "not_found", "missing_rev".into()),
            Error::Batch => (S::CONFLICT, "batch_refused", reasons::BATCH.into()),
            Error::StaleSeq(reason) => (S::CONFLICT, "stale_seq", reason.into()),
            Error::DatabaseExists => (
                S::PRECONDITION_FAILED,
                "file_exists",
                reasons::DATABASE_EXISTS.into(),
            ),
            Error::MissingStub(reason) => (S::PRECONDITION_FAILED, "missing_stub", reason.into()),
            Error::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", reasons::TOO_LARGE.into()),
            Error::DocumentTooLarge(id) => (S::PAYLOAD_TOO_LARGE, "document_too_large", id.into()),
            Error::AttachmentTooLarge(name) => (S::PAYLOAD_TOO_LARGE, "attachment_too_large", name.into()),
            Error::BadContentType(reason) => {
                (S::UNSUPPORTED_MEDIA_TYPE, "bad_content_type", (*reason).into())
            }
            Error::BadContentEncoding => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "bad_content_type",
                reasons::BAD_CONTENT_ENCODING.into(),
            ),
            Error::RangeNotSatisfiable(_) => (
                S::RANGE_NOT_SATISFIABLE,
                "requested_range_not_satisfiable",
                reasons::RANGE.into(),
            ),
            Error::Forbidden(reason) => (S::FORBIDDEN, "forbidden", reason.into()),
            Error::Unauthorized(reason) => (S::UNAUTHORIZED, "unauthorized", reason.into()),
            Error::LockedOut(_) => (S::FORBIDDEN, "forbidden", reasons::LOCKED_OUT.into()),
            Error::Function(word, reason) => (S::INTERNAL_SERVER_ERROR, word, reason.into()),
            Error::Design(word, reason) => (S::BAD_REQUEST, word, reason.into()),
            Error::Replication(status, word, reason) | Error::Mango(status, word, reason) => {
                (*status, word, reason.into())
            }
            Error::Internal(reason) => (S::INTERNAL_SERVER_ERROR, "internal_server_error", reason.into()),
            Error::NotImplemented(reason) => (S::NOT_IMPLEMENTED, "not_implemented", (*reason).into()),
            Error::FeedUnbuilt => (
                S::SERVICE_UNAVAILABLE,
                "feed_unbuilt",
                "The feed is being built; try again.".into(),
            ),
            Error::Busy => (S::SERVICE_UNAVAILABLE, "busy", reasons::BUSY.into()),
            Error::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded", reasons::OVERLOADED.into()),
            Error::TooSlow => (S::REQUEST_TIMEOUT, "request_timeout", reasons::TOO_SLOW.into()),
            Error::PasswordsBusy => (S::SERVICE_UNAVAILABLE, "busy", reasons::PASSWORDS_BUSY.into()),
            Error::ContentAbsent(_) => (
                S::SERVICE_UNAVAILABLE,
                "content_absent",
                reasons::CONTENT_ABSENT.into(),
            ),
            Error::Closing => (S::SERVICE_UNAVAILABLE, "shutting_down", reasons::CLOSING.into()),
        }
    }

    /// `{"error":..,"reason":..}` and a line feed, as CouchDB ends its answers.
    pub(crate) fn json(&self) -> Vec<u8> {
        let (_, word, reason) = self.row();
        let mut out = Vec::with_capacity(64 + reason.len());
        trunkline_wire::fault::write(&mut out, word, &reason);
        out
    }
}

/// What a client may present that presented nothing, or nothing right.
const REALM: &str = "Basic realm=\"Trunkline\"";

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, _, _) = self.row();
        // What is not there, and what works again soon, is no failure.
        let is_failure = !matches!(
            self,
            Error::NotImplemented(_)
                | Error::Busy
                | Error::Overloaded
                | Error::PasswordsBusy
                | Error::ContentAbsent(_)
                | Error::Closing
                | Error::TooManySnapshots
                | Error::Function(..)
        );
        if status.is_server_error() && is_failure {
            tracing::error!(error = ?self, "request failed");
        }
        if let Error::NotModified(etag) = self {
            return (status, [(header::ETAG, etag)]).into_response();
        }
        let mut response = crate::respond::json(status, self.json());
        if status == StatusCode::UNAUTHORIZED {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(REALM));
        }
        match self {
            Error::LockedOut(seconds) => {
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, seconds.into());
            }
            Error::MethodNotAllowed(allowed) => {
                if let Ok(value) = HeaderValue::try_from(allowed) {
                    response.headers_mut().insert(header::ALLOW, value);
                }
            }
            Error::Busy
            | Error::Overloaded
            | Error::PasswordsBusy
            | Error::ContentAbsent(None)
            | Error::Closing
            | Error::TooManySnapshots => {
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The server's front answers instead, which knows the replications.
            Error::ContentAbsent(Some(absent)) => {
                response.extensions_mut().insert(*absent);
            }
            Error::RangeNotSatisfiable(length) => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    response.headers_mut().insert(header::CONTENT_RANGE, value);
                }
            }
            Error::Forbidden(reason) | Error::Unauthorized(reason) | Error::Password(reason) => {
                response.extensions_mut().insert(Refusal(reason));
            }
            _ => {}
        }
        response
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::DatabaseMissing(_) => Error::DatabaseMissing,
            store::Error::DatabaseExists(_) => Error::DatabaseExists,
            store::Error::PartitionedSystem(_) => Error::bad("Cannot partition a system database"),
            store::Error::Closed => Error::Closing,
            store::Error::SnapshotEnded => Error::SnapshotEnded,
            store::Error::NotWhole => Error::Forbidden(error.to_string()),
            store::Error::FeedMissing(_) => Error::NotFound(trunkline_wire::feeds::MISSING.into()),
            store::Error::FeedUnbuilt(_) => Error::FeedUnbuilt,
            store::Error::Busy => Error::Busy,
            store::Error::ContentAbsent(_) => Error::ContentAbsent(None),
            store::Error::Refused(refused) => Error::refused(refused, ""),
            other => Error::Internal(other.to_string()),
        }
    }
}

/// The error word for what a function threw: the name of an `Error`.
fn thrown_word(message: &str) -> &'static str {
    let named = |name: &&str| message.starts_with(&format!("{name}:"));
    let words = [
        "TypeError",
        "ReferenceError",
        "RangeError",
        "SyntaxError",
        "Error",
    ];
    words.into_iter().find(named).unwrap_or("unknown_error")
}

impl From<FunctionError> for Error {
    fn from(error: FunctionError) -> Error {
        match error {
            FunctionError::NoDesign => Error::MISSING,
            FunctionError::DesignDeleted => Error::DELETED,
            FunctionError::NoMember(_) => Error::NotFound(error.to_string().into()),
            FunctionError::BadDesign(reason) => Error::bad(reason),
            FunctionError::Language(_) => Error::Function("unknown_query_language", error.to_string()),
            FunctionError::Script(_) => Error::Function("compilation_error", error.to_string()),
            FunctionError::Bounds(reason) => Error::Function("os_process_error", reason),
            FunctionError::BadAnswer(reason) => Error::Function("bad_answer", reason),
            FunctionError::Threw { message, .. } => {
                let word = thrown_word(&message);
                Error::Function(word, message)
            }
            FunctionError::Store(error) => error.into(),
            other => Error::Internal(other.to_string()),
        }
    }
}

impl From<InvalidDocId> for Error {
    fn from(invalid: InvalidDocId) -> Error {
        Error::IllegalDocId(invalid)
    }
}

impl From<InvalidPartition> for Error {
    fn from(invalid: InvalidPartition) -> Error {
        Error::IllegalPartition(invalid)
    }
}

impl From<InvalidMember> for Error {
    fn from(invalid: InvalidMember) -> Error {
        match invalid {
            InvalidMember::DocId(invalid) => invalid.into(),
            InvalidMember::Partition(invalid) => invalid.into(),
        }
    }
}

impl From<InvalidRev> for Error {
    fn from(_: InvalidRev) -> Error {
        Error::bad("Invalid rev format")
    }
}

impl From<InvalidDoc> for Error {
    fn from(invalid: InvalidDoc) -> Error {
        match invalid {
            InvalidDoc::TooLarge(id) => Error::DocumentTooLarge(id),
            other => Error::of_kind(other.kind(), other.to_string()),
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Error {
        Error::of_kind(invalid.kind, invalid.reason)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Internal(error.to_string())
    }
}

/// Reads a revision from a query value or header.
pub(crate) fn rev(text: &str) -> Result<Rev> {
    Rev::parse(text).map_err(Error::from)
}

/// Reasons, in CouchDB's words where it has them.
mod reasons {
    pub(super) const BAD_CONTENT_ENCODING: &str = "Content-Encoding must be identity, gzip or zstd";
    pub(super) const BATCH: &str =
        "Another document of the same atomic batch was refused; nothing was written.";
    pub(super) const BUSY: &str = "Too many bytes of requests are being written; try again.";
    pub(super) const CLOSING: &str = "The server is shutting down; try again.";
    pub(super) const CONFLICT: &str = "Document update conflict.";
    pub(super) const CONTENT_ABSENT: &str = "The attachment is known here, but its bytes have not come yet.";
    pub(super) const DATABASE_EXISTS: &str = "The database could not be created, the file already exists.";
    pub(super) const DATABASE_MISSING: &str = "Database does not exist.";
    pub(super) const DISCONNECTED: &str = "The request ended before its body did.";
    pub(super) const LOCKED_OUT: &str =
        "Account is temporarily locked due to multiple authentication failures";
    pub(super) const MD5_MISMATCH: &str = "Possible message corruption.";
    pub(super) const TOO_MANY_SNAPSHOTS: &str =
        "As many snapshots are kept as may be. End one with DELETE, or wait until one ends.";
    pub(super) const SNAPSHOT_ENDED: &str = "The snapshot has ended. Make another one and ask again.";
    pub(super) const MIRROR: &str = "The database is a mirror: it takes replicated changes only.";
    pub(super) const OVERLOADED: &str = "The server answers as many requests as it can; try again.";
    pub(super) const PASSWORDS_BUSY: &str = "Too many passwords are being checked; try again.";
    pub(super) const RANGE: &str = "Requested range not satisfiable";
    pub(super) const TOO_LARGE: &str = "the request entity is too large";
    pub(super) const TOO_SLOW: &str = "The request's body came too slowly.";

    pub(super) fn illegal_database_name(name: &str) -> String {
        format!(
            "Name: '{name}'. Only lowercase characters (a-z), digits (0-9), and any of the characters \
             _, $, (, ), +, -, and / are allowed. Must begin with a letter."
        )
    }

    pub(super) fn database_name_too_long(name: &str) -> String {
        format!("At least one path segment of `{name}` is too long.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tracing::span;

    /// Counts the events that are logged as errors.
    #[derive(Default)]
    struct Errors(Arc<AtomicUsize>);

    impl tracing::Subscriber for Errors {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::ERROR
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn only_failures_are_logged_as_such() {
        let logged = Arc::new(AtomicUsize::new(0));
        tracing::subscriber::with_default(Errors(logged.clone()), || {
            for error in [
                Error::NotImplemented("views"),
                Error::Busy,
                Error::ContentAbsent(None),
                Error::Closing,
                Error::Conflict,
            ] {
                let _ = error.into_response();
            }
            assert_eq!(logged.load(Ordering::Relaxed), 0);
            let _ = Error::Internal("a bug".to_owned()).into_response();
            assert_eq!(logged.load(Ordering::Relaxed), 1);
        });
    }
}
