//! Multipart bodies on their way out, laid out exactly as CouchDB's replicator reads them.

use trunkline_core::attachment::Attachment;

/// Writes a document with attachments: [`RelatedWriter::open`], then for each attachment whose form is `Follows`, in
/// document order, [`RelatedWriter::part`], its stored bytes and [`RelatedWriter::end_part`], then
/// [`RelatedWriter::close`].
#[derive(Clone, Debug)]
pub struct RelatedWriter {
    boundary: String,
}

impl RelatedWriter {
    /// `random` makes the boundary.
    pub fn new(_random: u128) -> RelatedWriter {
        todo!()
    }
    /// `multipart/related; boundary="…"`.
    pub fn content_type(&self) -> String {
        let _ = &self.boundary;
        todo!()
    }
    /// Bytes of the whole body, given the bytes of the document's JSON text and the attachments that follow.
    pub fn content_length<'a>(
        &self,
        _doc_bytes: usize,
        _following: impl IntoIterator<Item = &'a Attachment>,
    ) -> u64 {
        todo!()
    }
    /// Appends the part of the document's JSON text.
    pub fn open(&self, _out: &mut Vec<u8>, _doc: &[u8]) {
        todo!()
    }
    /// Appends the headers of an attachment's part.
    pub fn part(&self, _out: &mut Vec<u8>, _attachment: &Attachment) {
        todo!()
    }
    /// Appends what stands behind an attachment's bytes.
    pub fn end_part(&self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the end.
    pub fn close(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}

/// Writes several items: [`MixedWriter::open`], then for each an item, its body and [`MixedWriter::end_item`], then
/// [`MixedWriter::close`].
#[derive(Clone, Debug)]
pub struct MixedWriter {
    boundary: String,
}

impl MixedWriter {
    /// `random` makes the boundary.
    pub fn new(_random: u128) -> MixedWriter {
        todo!()
    }
    /// `multipart/mixed; boundary="…"`.
    pub fn content_type(&self) -> String {
        let _ = &self.boundary;
        todo!()
    }
    /// Appends what stands before the first item.
    pub fn open(&self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the headers of an item: a document without attachments that follow.
    pub fn doc(&self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the headers of an item that says what is not there.
    pub fn error(&self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the headers of an item that `related` writes. `_bulk_get` names document and revision.
    pub fn related(&self, _out: &mut Vec<u8>, _related: &RelatedWriter, _names: Option<(&str, &str)>) {
        todo!()
    }
    /// Appends what stands behind an item.
    pub fn end_item(&self, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the end.
    pub fn close(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}
