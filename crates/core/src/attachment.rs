//! What is known of an attachment, apart from its bytes.

/// Names attachment content: BLAKE3 of the stored bytes.
pub type ContentHash = [u8; 32];

/// One attachment of one stored revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its key in `_attachments`.
    pub name: Box<str>,
    /// MIME type as the client gave it.
    pub content_type: Box<str>,
    /// Generation of the revision that added these bytes.
    pub revpos: u64,
    /// The stored content.
    pub content: Content,
}

/// Stored bytes of an attachment, and the names they go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Names the stored bytes.
    pub hash: ContentHash,
    /// MD5 of the stored bytes; `digest` on the wire is `md5-` and its base64.
    pub md5: [u8; 16],
    /// Bytes of the attachment as its user sees it.
    pub length: u64,
    /// How the stored bytes are encoded.
    pub encoding: Encoding,
}

impl Content {
    /// Bytes as stored.
    pub fn stored_bytes(&self) -> u64 {
        match self.encoding {
            Encoding::Identity => self.length,
            Encoding::Gzip { encoded_length } => encoded_length,
        }
    }
}

/// Encoding of an attachment's stored bytes. Trunkline itself stores what it is given; gzip comes from a CouchDB
/// that compressed the attachment before it sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Stored as is.
    Identity,
    /// Stored as gzip of `encoded_length` bytes.
    Gzip {
        /// Bytes as stored.
        encoded_length: u64,
    },
}

/// One entry of `_attachments` in an edit.
#[derive(Clone, Debug)]
pub struct AttachmentEdit {
    /// Its key in `_attachments`.
    pub name: Box<str>,
    /// MIME type; `None` keeps a stub's own, and means `application/octet-stream` for new content.
    pub content_type: Option<Box<str>>,
    /// `revpos` as the sender gave it. Kept for replicated edits; checked against the stored one for
    /// interactive stubs; otherwise the new generation is used.
    pub revpos: Option<u64>,
    /// Where its bytes are.
    pub source: AttachmentSource,
}

/// Where the bytes of an edited attachment are.
#[derive(Clone, Debug)]
pub enum AttachmentSource {
    /// With an earlier revision of the document (`"stub":true`).
    Stub {
        /// `digest` as the sender gave it, parsed; helps to find the bytes when `revpos` does not.
        md5: Option<[u8; 16]>,
    },
    /// Staged in the store that the edit goes to, for this edit: it takes what is staged, or lets it go where the store has
    /// these bytes already.
    Staged(Content),
    /// Stored in the store that the edit goes to, or staged there for others: nothing of it is taken.
    Named(Content),
    /// Named only: where the store does not have these bytes, they are recorded as still to come.
    Later(Content),
}
