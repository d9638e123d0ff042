//! One document: text in, text out.

use crate::attachments::IncomingAttachment;
use crate::invalid::Kind;
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
        todo!()
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
        todo!()
    }
}

impl fmt::Display for InvalidDoc {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl std::error::Error for InvalidDoc {}

/// Parses one document's JSON text. One pass; the body keeps numbers' spelling and keys' order.
pub fn parse(_text: &[u8]) -> Result<IncomingDoc, InvalidDoc> {
    todo!()
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

/// Appends a document: `{"_id":..,"_rev":..[,"_deleted":true][..special members..],` and the body's members.
/// `forms` gives the form of each attachment, in order; missing ones are stubs.
pub fn write(_out: &mut Vec<u8>, _doc: Pieces<'_>, _forms: &[AttachmentForm], _shown: &Shown<'_>) {
    todo!()
}

/// Appends a revision made elsewhere, as `_bulk_docs` with `new_edits=false` and a replicating PUT take it: as
/// [`write()`], with `_revisions` from a path and no tree.
pub fn write_replicated(_out: &mut Vec<u8>, _doc: Pieces<'_>, _path: &RevPath, _forms: &[AttachmentForm]) {
    todo!()
}
