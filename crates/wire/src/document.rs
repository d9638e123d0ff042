//! One document: text in, text out.

use crate::attachments::IncomingAttachment;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;

/// A document as a client or peer sent it, members apart.
#[derive(Clone, Debug)]
pub struct IncomingDoc {
    /// `_id` as given, unchecked.
    pub id: Option<String>,
    /// `_rev`.
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

/// Why a text is no document. `Display` is CouchDB's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDoc {
    /// Not JSON (error `bad_request`, reason `invalid UTF-8 JSON`).
    Json,
    /// Not an object (`bad_request`, `Document must be a JSON object`).
    NotAnObject,
    /// `doc_validation`: an unknown `_member`; its name.
    BadMember(String),
    /// `bad_request`: a special member with a value of the wrong kind; the reason.
    BadValue(String),
    /// Longer than the document limit.
    TooLarge,
}

/// Parses one document's JSON text. One pass; the body keeps numbers' spelling and keys' order.
pub fn parse(_text: &str) -> Result<IncomingDoc, InvalidDoc> {
    todo!()
}

/// What to put in front of a body. `Default` is `_id` and `_rev` only.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// The document's tree, for the options below.
    pub tree: Option<&'a RevTree>,
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
    /// `encoding` and `encoded_length` in stubs.
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
pub fn write(
    _out: &mut Vec<u8>,
    _id: &str,
    _rev: &Rev,
    _deleted: bool,
    _body: &str,
    _attachments: &[Attachment],
    _forms: &[AttachmentForm],
    _shown: &Shown<'_>,
) {
    todo!()
}
