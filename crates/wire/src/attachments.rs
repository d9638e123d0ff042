//! `_attachments`: entries whose bytes are elsewhere, inline or in parts that follow.

use crate::document::{AttachmentForm, InvalidDoc};
use std::io;
use trunkline_core::attachment::{Attachment, Encoding};

/// One entry of `_attachments` as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingAttachment {
    /// Its key, checked: not empty, not starting with `_`.
    pub name: String,
    /// `content_type`.
    pub content_type: Option<String>,
    /// `revpos`.
    pub revpos: Option<u64>,
    /// `digest`, when it is an `md5-` one.
    pub md5: Option<[u8; 16]>,
    /// Where its bytes are.
    pub data: IncomingData,
}

/// Where the bytes of an incoming attachment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingData {
    /// `"stub":true`.
    Stub,
    /// `"data"`: base64, decoded.
    Inline(Vec<u8>),
    /// `"follows":true`: the next part.
    Follows {
        /// Bytes of the part: `encoded_length` when `encoding` is gzip, else `length`.
        part_bytes: Option<u64>,
        /// Whether the part is gzip (`"encoding":"gzip"`).
        gzip: bool,
    },
}

/// Checks a name of an attachment.
pub fn check_name(_name: &str) -> Result<(), InvalidDoc> {
    todo!()
}

/// Reads the value of `_attachments`, an object.
pub fn parse(_text: &str) -> Result<Vec<IncomingAttachment>, InvalidDoc> {
    todo!()
}

/// Appends the value of `_attachments`. `forms` in order; missing ones are stubs.
pub fn write(
    _out: &mut Vec<u8>,
    _attachments: &[Attachment],
    _forms: &[AttachmentForm],
    _encoding_info: bool,
) {
    todo!()
}

/// `md5-` and the base64 of an MD5: `digest` on the wire.
pub fn digest(_md5: &[u8; 16]) -> String {
    todo!()
}

/// Reads what [`digest`] writes.
pub fn parse_digest(_digest: &str) -> Option<[u8; 16]> {
    todo!()
}

/// Standard base64 with padding: `Content-MD5`, ETags of attachments.
pub fn base64(_bytes: &[u8]) -> String {
    todo!()
}

/// Bytes of an attachment as its user sees it, at most `bytes_max` of them.
pub fn identity_bytes(_stored: Vec<u8>, _encoding: Encoding, _bytes_max: u64) -> io::Result<Vec<u8>> {
    todo!()
}
