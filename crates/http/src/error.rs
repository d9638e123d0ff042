//! The one table from what went wrong to status, error word and reason.
//!
//! Nothing below this crate knows an HTTP status. Words are CouchDB's, since clients and replicators compare them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use trunkline_core::doc_id::InvalidDocId;
use trunkline_core::rev::{InvalidRev, Rev};
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
    /// A query value that cannot be read.
    QueryParse(String),
    /// A document id that cannot be.
    IllegalDocId(InvalidDocId),
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
    /// Attachment bytes that differ from what was announced; how.
    BadAttachment(String),
    /// A seq of another incarnation of the database.
    StaleSeq(String),
    /// CouchDB has it, we do not (yet); what to do instead.
    NotImplemented(&'static str),
    /// A peer of a replication failed; error word and reason.
    Replication(StatusCode, &'static str, String),
    /// The store or server is closing.
    Closing,
    /// The client went away in the middle of its request.
    Disconnected,
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
            Kind::IllegalDocId => Error::IllegalDocId(InvalidDocId::Reserved),
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
            Refused::BadAttachment(reason) => Error::BadAttachment(reason),
            other => Error::Internal(format!("refused: {other:?}")),
        }
    }

    /// The table: status, error word, reason.
    pub(crate) fn row(&self) -> (StatusCode, &'static str, Cow<'_, str>) {
        use StatusCode as S;
        let own = |text: &'static str| Cow::Borrowed(text);
        match self {
            Error::BadRequest(reason) => (S::BAD_REQUEST, "bad_request", Cow::Borrowed(reason)),
            Error::QueryParse(reason) => (S::BAD_REQUEST, "query_parse_error", Cow::Borrowed(reason)),
            Error::IllegalDocId(invalid) => {
                (S::BAD_REQUEST, "illegal_docid", Cow::Owned(invalid.to_string()))
            }
            Error::IllegalDatabaseName(name) => (
                S::BAD_REQUEST,
                "illegal_database_name",
                Cow::Owned(format!(
                    "Name: '{name}'. Only lowercase characters (a-z), digits (0-9), and any of the characters \
                     _, $, (, ), +, -, and / are allowed. Must begin with a letter."
                )),
            ),
            Error::DatabaseNameTooLong(name) => (
                S::BAD_REQUEST,
                "database_name_too_long",
                Cow::Owned(format!("At least one path segment of `{name}` is too long.")),
            ),
            Error::DocValidation(reason) => (S::BAD_REQUEST, "doc_validation", Cow::Borrowed(reason)),
            Error::DatabaseMissing => (S::NOT_FOUND, "not_found", own("Database does not exist.")),
            Error::DatabaseExists => (
                S::PRECONDITION_FAILED,
                "file_exists",
                own("The database could not be created, the file already exists."),
            ),
            Error::NotFound(reason) => (S::NOT_FOUND, "not_found", Cow::Borrowed(reason)),
            Error::Conflict => (S::CONFLICT, "conflict", own("Document update conflict.")),
            Error::MissingRev => (S::CONFLICT, "not_found", own("missing_rev")),
            Error::Md5Mismatch => (
                S::BAD_REQUEST,
                "content_md5_mismatch",
                own("Possible message corruption."),
            ),
            Error::NotModified(_) => (S::NOT_MODIFIED, "not_modified", own("")),
            Error::MissingStub(reason) => (S::PRECONDITION_FAILED, "missing_stub", Cow::Borrowed(reason)),
            Error::Batch => (
                S::CONFLICT,
                "batch_refused",
                own("Another document of the same atomic batch was refused; nothing was written."),
            ),
            Error::TooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "too_large",
                own("the request entity is too large"),
            ),
            Error::DocumentTooLarge(id) => (S::PAYLOAD_TOO_LARGE, "document_too_large", Cow::Borrowed(id)),
            Error::AttachmentTooLarge(name) => {
                (S::PAYLOAD_TOO_LARGE, "attachment_too_large", Cow::Borrowed(name))
            }
            Error::BadContentType(reason) => (S::UNSUPPORTED_MEDIA_TYPE, "bad_content_type", own(reason)),
            Error::BadContentEncoding => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "bad_content_encoding",
                own("Content-Encoding must be identity, gzip or zstd"),
            ),
            Error::RangeNotSatisfiable(_) => (
                S::RANGE_NOT_SATISFIABLE,
                "requested_range_not_satisfiable",
                own("Requested range not satisfiable"),
            ),
            Error::MethodNotAllowed(allowed) => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                Cow::Owned(format!("Only {allowed} allowed")),
            ),
            Error::BadAttachment(reason) => (S::BAD_REQUEST, "bad_request", Cow::Borrowed(reason)),
            Error::StaleSeq(reason) => (S::CONFLICT, "stale_seq", Cow::Borrowed(reason)),
            Error::NotImplemented(reason) => (S::NOT_IMPLEMENTED, "not_implemented", own(reason)),
            Error::Replication(status, word, reason) => (*status, word, Cow::Borrowed(reason)),
            Error::Closing => (
                S::SERVICE_UNAVAILABLE,
                "shutting_down",
                own("The server is shutting down; try again."),
            ),
            Error::Disconnected => (
                S::BAD_REQUEST,
                "bad_request",
                own("The request ended before its body did."),
            ),
            Error::Internal(reason) => (
                S::INTERNAL_SERVER_ERROR,
                "internal_server_error",
                Cow::Borrowed(reason),
            ),
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

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, _, _) = self.row();
        if status.is_server_error() {
            tracing::error!(error = ?self, "request failed");
        }
        if let Error::NotModified(etag) = self {
            return (status, [(header::ETAG, etag)]).into_response();
        }
        let mut response = crate::respond::json(status, self.json());
        match self {
            Error::MethodNotAllowed(allowed) => {
                if let Ok(value) = HeaderValue::try_from(allowed) {
                    response.headers_mut().insert(header::ALLOW, value);
                }
            }
            Error::RangeNotSatisfiable(length) => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    response.headers_mut().insert(header::CONTENT_RANGE, value);
                }
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
            store::Error::Closed => Error::Closing,
            store::Error::Refused(refused) => Error::refused(refused, ""),
            other => Error::Internal(other.to_string()),
        }
    }
}

impl From<InvalidDocId> for Error {
    fn from(invalid: InvalidDocId) -> Error {
        Error::IllegalDocId(invalid)
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
