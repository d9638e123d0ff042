//! Documents in a multipart body: `multipart/related` alone, or any number of items in a `multipart/mixed`.

use crate::invalid::Invalid;
use crate::multipart::reader::{Headers, PartReader};
use bytes::Bytes;

/// What comes next. Each document is [`DocumentEvent::Doc`], then for each attachment that follows its start, bytes
/// and end, in the order of `_attachments`, then [`DocumentEvent::DocEnd`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentEvent {
    /// Nothing until more bytes are fed.
    More,
    /// A document's JSON text.
    Doc(Vec<u8>),
    /// An item that says what is not there (`error="true"`): its JSON text.
    Error(Vec<u8>),
    /// An attachment starts.
    Attachment(Headers),
    /// Bytes of the attachment, as transferred.
    Data(Bytes),
    /// The attachment ends.
    AttachmentEnd,
    /// The document has no more attachments here.
    DocEnd,
    /// The body ends; anything behind it is ignored.
    Closed,
}

/// Finds documents in bytes fed by chunks.
#[derive(Debug)]
pub struct DocumentReader {
    outer: PartReader,
}

impl DocumentReader {
    /// Before the first byte of a body with this content type, `multipart/related` or `multipart/mixed`.
    pub fn new(_content_type: &str) -> Result<DocumentReader, Invalid> {
        todo!()
    }
    /// Takes the next bytes.
    pub fn feed(&mut self, _chunk: &[u8]) {
        let _ = &self.outer;
        todo!()
    }
    /// What comes next.
    pub fn next_event(&mut self) -> Result<DocumentEvent, Invalid> {
        todo!()
    }
    /// Says that the bytes are at their end: an error unless the body was closed.
    pub fn finish(&self) -> Result<(), Invalid> {
        todo!()
    }
}
