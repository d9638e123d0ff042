//! One document: text in, text out.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::parse;
pub(crate) use read::read;
pub use write::{attached, is_selected, judged, write, write_replicated};

use crate::attachments::IncomingAttachment;
use crate::invalid::{Invalid, Kind, json_reason};
use std::fmt;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::json::JsonError;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;

/// A document as a client or peer sent it, members apart.
#[derive(Clone, Debug)]
pub struct IncomingDoc {
    /// `_id` as given, unchecked.
    pub id: Option<String>,
    /// `_rev`, or the newest of `_revisions`, which wins.
    pub rev: Option<Rev>,
    /// `_revisions`, as a path.
    pub revisions: Option<RevPath>,
    /// `_deleted`.
    pub deleted: bool,
    /// The rest.
    pub body: Body,
    /// `_attachments`, in order.
    pub attachments: Vec<IncomingAttachment>,
}

impl IncomingDoc {
    /// The revision with its known ancestors: `_revisions`, or `_rev` alone. `InvalidDoc::MissingRev` without either:
    /// a replicated edit needs one.
    pub fn path(&self) -> Result<RevPath, InvalidDoc> {
        if let Some(path) = &self.revisions {
            return Ok(path.clone());
        }
        let rev = self.rev.as_ref().ok_or(InvalidDoc::MissingRev)?;
        RevPath::new(rev.generation, vec![rev.digest.clone()]).ok_or(InvalidDoc::BadRev)
    }
}

/// Why a text is no document. `Display` is CouchDB's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDoc {
    /// Not JSON, or too deep.
    Json(JsonError),
    /// Not an object.
    NotAnObject,
    /// `_id` is no string.
    IdNotText,
    /// An unknown special member, or one with a value of the wrong kind; its name.
    BadMember(String),
    /// `_revisions` is malformed; the reason.
    BadRevisions(&'static str),
    /// `_rev` is no revision id.
    BadRev,
    /// `_attachments` has an entry that is not acceptable; the reason.
    BadAttachment(String),
    /// A replicated edit without `_rev` and `_revisions`.
    MissingRev,
    /// The body is longer than [`trunkline_core::limits::DOCUMENT_BYTES_MAX`]; names the document.
    TooLarge(String),
}

impl InvalidDoc {
    /// Which error word fits.
    pub fn kind(&self) -> Kind {
        match self {
            InvalidDoc::IdNotText => Kind::IllegalDocId,
            InvalidDoc::BadMember(_) | InvalidDoc::BadRevisions(_) => Kind::DocValidation,
            InvalidDoc::TooLarge(_) => Kind::DocumentTooLarge,
            InvalidDoc::Json(_)
            | InvalidDoc::NotAnObject
            | InvalidDoc::BadRev
            | InvalidDoc::BadAttachment(_)
            | InvalidDoc::MissingRev => Kind::BadRequest,
        }
    }
}

impl fmt::Display for InvalidDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidDoc::Json(error) => f.write_str(&json_reason(error)),
            InvalidDoc::NotAnObject => f.write_str("Document must be a JSON object"),
            InvalidDoc::IdNotText => f.write_str("Document id must be a string"),
            InvalidDoc::BadMember(name) => write!(f, "Bad special document member: {name}"),
            InvalidDoc::BadRevisions(reason) => f.write_str(reason),
            InvalidDoc::BadRev => f.write_str("Invalid rev format"),
            InvalidDoc::BadAttachment(reason) => f.write_str(reason),
            InvalidDoc::MissingRev => {
                f.write_str("When `new_edits: false`, the document needs `_rev` or `_revisions` specified")
            }
            InvalidDoc::TooLarge(id) => f.write_str(id),
        }
    }
}

impl From<JsonError> for InvalidDoc {
    fn from(error: JsonError) -> InvalidDoc {
        InvalidDoc::Json(error)
    }
}

impl From<InvalidDoc> for Invalid {
    fn from(invalid: InvalidDoc) -> Invalid {
        Invalid {
            kind: invalid.kind(),
            reason: invalid.to_string(),
        }
    }
}

impl std::error::Error for InvalidDoc {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InvalidDoc::Json(error) => Some(error),
            _ => None,
        }
    }
}

/// A stored document in borrowed pieces.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a> {
    /// `_id`.
    pub id: &'a str,
    /// `_rev`.
    pub rev: &'a Rev,
    /// `_deleted`.
    pub deleted: bool,
    /// JSON text as in [`Body`].
    pub body: &'a str,
    /// In document order.
    pub attachments: &'a [Attachment],
}

/// What to show beside `_id`, `_rev` and the body. `Default` is nothing.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// The document's tree: `revs` and `revs_info` need it.
    pub tree: Option<&'a RevTree>,
    /// All leaves with whether they are deleted, for the two options on conflicts where no tree is at hand.
    pub leaves: &'a [(Rev, bool)],
    /// `_revisions`.
    pub revs: bool,
    /// `_revs_info`.
    pub revs_info: bool,
    /// `_conflicts`.
    pub conflicts: bool,
    /// `_deleted_conflicts`.
    pub deleted_conflicts: bool,
    /// `_local_seq`, when given.
    pub local_seq: Option<u64>,
    /// `encoding` and `encoded_length` in attachments' entries.
    pub att_encoding_info: bool,
}

/// Appends one document's text (or `null`), where a row is to show it.
pub type AppendDoc<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// How one attachment appears in `_attachments`.
#[derive(Clone, Debug)]
pub enum AttachmentForm {
    /// `"stub":true`.
    Stub,
    /// `"follows":true` (its bytes come as a multipart part).
    Follows,
    /// `"data"`: the identity bytes, base64-encoded here.
    Data(Vec<u8>),
}
