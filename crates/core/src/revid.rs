//! The revision id of an edit, equal to CouchDB's byte for byte: MD5 over the Erlang external term format of
//! `[Deleted, ParentGeneration, ParentId, Body, Attachments]`.

use crate::doc::Body;
use crate::rev::Rev;

/// What an attachment contributes: name, content type, MD5 of its stored bytes.
pub type AttachmentTerm<'a> = (&'a str, &'a str, [u8; 16]);

/// The revision that an edit makes. `attachments` in document order.
pub fn revision(
    _deleted: bool,
    _parent: Option<&Rev>,
    _body: &Body,
    _attachments: &[AttachmentTerm<'_>],
) -> Rev {
    todo!()
}
