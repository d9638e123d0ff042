//! Multipart bodies on their way out, laid out exactly as CouchDB's replicator reads them.

use super::headers::escape;
use std::io::Write;
use trunkline_core::attachment::{Attachment, Encoding};

/// Writes a document with attachments: [`RelatedWriter::open`], then for each attachment whose form is `Follows`, in
/// document order, [`RelatedWriter::part`], its stored bytes and [`RelatedWriter::end_part`], then
/// [`RelatedWriter::close`].
#[derive(Clone, Debug)]
pub struct RelatedWriter {
    boundary: String,
}

impl RelatedWriter {
    /// `random` makes the boundary.
    pub fn new(random: u128) -> RelatedWriter {
        RelatedWriter {
            boundary: format!("{random:032x}"),
        }
    }

    /// `multipart/related; boundary="…"`.
    pub fn content_type(&self) -> String {
        format!("multipart/related; boundary=\"{}\"", self.boundary)
    }

    /// Bytes of the whole body, given the bytes of the document's JSON text and the attachments that follow.
    pub fn content_length<'a>(
        &self,
        doc_bytes: usize,
        following: impl IntoIterator<Item = &'a Attachment>,
    ) -> u64 {
        let mut frame = Vec::new();
        let mut length = doc_bytes as u64;
        self.open(&mut frame, b"");
        for attachment in following {
            self.part(&mut frame, attachment);
            self.end_part(&mut frame);
            length += attachment.content.stored_bytes();
        }
        self.close(&mut frame);
        length + frame.len() as u64
    }

    /// Appends the part of the document's JSON text.
    pub fn open(&self, out: &mut Vec<u8>, doc: &[u8]) {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "--{}{JSON_PART}", self.boundary);
        out.extend_from_slice(doc);
        self.end_part(out);
    }

    /// Appends the headers of an attachment's part.
    pub fn part(&self, out: &mut Vec<u8>, attachment: &Attachment) {
        out.extend_from_slice(b"\r\nContent-Disposition: attachment; filename=\"");
        escape(out, &attachment.name);
        out.extend_from_slice(b"\"\r\nContent-Type: ");
        escape_line(out, &attachment.content_type);
        let _ = write!(out, "\r\nContent-Length: {}", attachment.content.stored_bytes());
        if matches!(attachment.content.encoding, Encoding::Gzip { .. }) {
            out.extend_from_slice(b"\r\nContent-Encoding: gzip");
        }
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// Appends what stands behind an attachment's bytes.
    pub fn end_part(&self, out: &mut Vec<u8>) {
        let _ = write!(out, "\r\n--{}", self.boundary);
    }

    /// Appends the end.
    pub fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--");
    }
}

/// Headers of a part that is a document's JSON text. CouchDB accepts no other spelling.
const JSON_PART: &str = "\r\nContent-Type: application/json\r\n\r\n";

/// Appends a header's value; what would end its line becomes a space.
fn escape_line(out: &mut Vec<u8>, text: &str) {
    let shown = |byte: u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte };
    out.extend(text.bytes().map(shown));
}

/// Writes several items: [`MixedWriter::open`], then for each an item, its body and [`MixedWriter::end_item`], then
/// [`MixedWriter::close`].
#[derive(Clone, Debug)]
pub struct MixedWriter {
    boundary: String,
}

impl MixedWriter {
    /// `random` makes the boundary.
    pub fn new(random: u128) -> MixedWriter {
        MixedWriter {
            boundary: format!("{random:032x}"),
        }
    }

    /// `multipart/mixed; boundary="…"`.
    pub fn content_type(&self) -> String {
        format!("multipart/mixed; boundary=\"{}\"", self.boundary)
    }

    /// Appends what stands before the first item.
    pub fn open(&self, out: &mut Vec<u8>) {
        let _ = write!(out, "--{}", self.boundary);
    }

    /// Appends the headers of an item: a document without attachments that follow.
    pub fn doc(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(JSON_PART.as_bytes());
    }

    /// Appends the headers of an item that says what is not there.
    pub fn error(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\nContent-Type: application/json; error=\"true\"\r\n\r\n");
    }

    /// Appends the headers of an item that `related` writes. `_bulk_get` names document and revision.
    pub fn related(&self, out: &mut Vec<u8>, related: &RelatedWriter, names: Option<(&str, &str)>) {
        if let Some((id, rev)) = names {
            out.extend_from_slice(b"\r\nX-Doc-Id: ");
            escape_line(out, id);
            out.extend_from_slice(b"\r\nX-Rev-Id: ");
            escape_line(out, rev);
        }
        let _ = write!(out, "\r\nContent-Type: {}\r\n\r\n", related.content_type());
    }

    /// Appends what stands behind an item.
    pub fn end_item(&self, out: &mut Vec<u8>) {
        let _ = write!(out, "\r\n--{}", self.boundary);
    }

    /// Appends the end.
    pub fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--");
    }
}
