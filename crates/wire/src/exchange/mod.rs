//! The exchange between our own nodes: rows of a feed with all their documents in one stream of binary frames, and
//! documents on their way to a target in another.
//!
//! A stream begins with four bytes, three that name it and its version. Then come frames: a byte for the kind, four for
//! the payload's length (lowest first), the payload. Inside, integers are [`trunkline_core::varint`]s, texts and bytes
//! have their length before them. Bodies are JSON text as stored; what attachments hold goes by hash. Times are ages:
//! clocks of different nodes are never compared.

mod absent;
mod ask;
mod fields;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use absent::{parse_absent, parse_absent_ask, write_absent, write_absent_ask};
pub use ask::{
    Ask, DocsAnswer, hash_text, parse_ask, parse_contents, parse_docs_answer, parse_hash, write_ask,
    write_contents, write_docs_answer,
};
pub use reader::Reader;
pub use writer::{start, write_document, write_end, write_fault, write_log, write_progress, write_row};

use crate::fault::Fault;
use trunkline_core::doc::ReplicatedEdit;
use trunkline_core::rev::Rev;

/// The content type of a stream of frames.
pub const CONTENT_TYPE: &str = "application/vnd.trunkline.exchange";

/// The header that tells how many bytes of a content an upload that was cut off left.
pub const UPLOAD_OFFSET: &str = "upload-offset";

/// The error word of a document that a target refused only because contents it names are not there (any more).
pub const NOT_STAGED: &str = "not_staged";

/// One frame.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A row of a feed.
    Row(Row),
    /// How far the rows before it reach.
    Progress(Progress),
    /// The feed is at its end.
    End,
    /// The feed broke off; why.
    Fault(Fault),
    /// A document for the target.
    Document(ReplicatedEdit),
    /// A checkpoint for the commit of the documents.
    Log(Log),
}

/// One row of a feed.
#[derive(Clone, Debug)]
pub struct Row {
    /// The document; what a source takes for an id may be none here.
    pub id: Box<str>,
    /// Its leaves, or those asked for.
    pub revs: Vec<Rev>,
    /// All of them as documents, or none; none also where they cannot be read.
    pub docs: Vec<ReplicatedEdit>,
}

/// How far the rows before it reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// JSON text.
    pub last_seq: Box<str>,
    /// Changes behind it.
    pub pending: Option<u64>,
    /// How long ago the oldest of the rows was first committed, in ms.
    pub oldest_age_ms: Option<u64>,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Names its local document.
    pub replication_id: Box<str>,
    /// The number last read or written.
    pub number: u64,
    /// JSON text of an object without members that start with `_`.
    pub body: Box<str>,
}

/// What a stream begins with; the last byte is the version.
const MAGIC: [u8; 4] = *b"TLX\x01";
/// Kind and length.
const HEAD_BYTES: usize = 5;

/// Kinds of frames.
mod kind {
    pub(super) const ROW: u8 = 1;
    pub(super) const PROGRESS: u8 = 2;
    pub(super) const END: u8 = 3;
    pub(super) const FAULT: u8 = 4;
    pub(super) const DOCUMENT: u8 = 5;
    pub(super) const LOG: u8 = 6;
}

/// Bits of a document's first byte.
mod document_bit {
    pub(super) const DELETED: u8 = 1;
    pub(super) const ATTACHMENTS: u8 = 2;
}

/// Where an attachment's bytes are, as its byte.
mod source {
    pub(super) const STAGED: u8 = 0;
    pub(super) const LATER: u8 = 1;
    pub(super) const STUB: u8 = 2;
    pub(super) const STUB_OF_DIGEST: u8 = 3;
}
