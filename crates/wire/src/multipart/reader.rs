//! Parts of a multipart body, one level of them.

use crate::invalid::Invalid;
use bytes::Bytes;

/// The header lines of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of a header; `name` in lower case.
    pub fn value(&self, _name: &str) -> Option<&str> {
        let _ = &self.0;
        todo!()
    }
    /// `filename` of `Content-Disposition`.
    pub fn filename(&self) -> Option<String> {
        todo!()
    }
    /// `Content-Length`, when it is a number.
    pub fn content_length(&self) -> Option<u64> {
        todo!()
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartEvent {
    /// Nothing until more bytes are fed.
    More,
    /// A part starts.
    Start(Headers),
    /// Bytes of its body.
    Body(Bytes),
    /// The part ends.
    End,
    /// The last part has ended; anything behind it is ignored.
    Closed,
}

/// Finds parts in bytes fed by chunks.
#[derive(Debug)]
pub struct PartReader {
    buffer: bytes::BytesMut,
}

impl PartReader {
    /// Before the first byte. `boundary` without its dashes.
    pub fn new(_boundary: &str) -> PartReader {
        todo!()
    }
    /// Takes the next bytes.
    pub fn feed(&mut self, _chunk: &[u8]) {
        let _ = &self.buffer;
        todo!()
    }
    /// What comes next.
    pub fn next_event(&mut self) -> Result<PartEvent, Invalid> {
        todo!()
    }
}
