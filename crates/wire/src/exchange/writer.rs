//! Frames into byte buffers.

use super::{HEAD_BYTES, Log, MAGIC, Progress, document_bit, kind, source};
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Content, Encoding};
use trunkline_core::doc::{ReplicatedEdit, RevPath};
use trunkline_core::limits::EXCHANGE_FRAME_BYTES_MAX;
use trunkline_core::rev::{Digest, Rev};
use trunkline_core::varint;

/// Appends what every stream begins with.
pub fn start(out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
}

/// Appends a row. Documents that would make its frame too long are left out: they can be asked for by themselves.
pub fn write_row<'a>(
    out: &mut Vec<u8>,
    id: &str,
    revs: &[Rev],
    docs: impl ExactSizeIterator<Item = &'a ReplicatedEdit>,
) {
    frame(out, kind::ROW, |out| {
        text(out, id);
        varint::write(revs.len() as u64, out);
        for rev in revs {
            varint::write(rev.generation, out);
            digest(out, &rev.digest);
        }
        let before = out.len();
        varint::write(docs.len() as u64, out);
        for doc in docs {
            document(out, doc);
            if out.len() - before > EXCHANGE_FRAME_BYTES_MAX / 2 {
                out.truncate(before);
                out.push(0);
                return;
            }
        }
    });
}

/// Appends how far rows reach.
pub fn write_progress(out: &mut Vec<u8>, progress: &Progress) {
    frame(out, kind::PROGRESS, |out| {
        text(out, &progress.last_seq);
        option(out, progress.pending);
        option(out, progress.oldest_age_ms);
    });
}

/// Appends a feed's end.
pub fn write_end(out: &mut Vec<u8>) {
    frame(out, kind::END, |_| ());
}

/// Appends why a feed breaks off.
pub fn write_fault(out: &mut Vec<u8>, error: &str, reason: &str) {
    frame(out, kind::FAULT, |out| {
        text(out, error);
        text(out, reason);
    });
}

/// Appends a document; false, and nothing appended, when its frame would be longer than a reader takes.
pub fn write_document(out: &mut Vec<u8>, doc: &ReplicatedEdit) -> bool {
    let before = out.len();
    frame(out, kind::DOCUMENT, |out| {
        text(out, doc.id.as_str());
        document(out, doc);
    });
    let fits = out.len() - before <= HEAD_BYTES + EXCHANGE_FRAME_BYTES_MAX;
    if !fits {
        out.truncate(before);
    }
    fits
}

/// Appends a checkpoint.
pub fn write_log(out: &mut Vec<u8>, log: &Log) {
    frame(out, kind::LOG, |out| {
        text(out, &log.replication_id);
        varint::write(log.number, out);
        text(out, &log.body);
    });
}

fn frame(out: &mut Vec<u8>, kind: u8, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0, 0]);
    payload(out);
    // A frame that is too long for four bytes is refused by its reader long before.
    let length = u32::try_from(out.len() - start - HEAD_BYTES).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start + 1..start + HEAD_BYTES) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

fn document(out: &mut Vec<u8>, doc: &ReplicatedEdit) {
    let mut bits = 0;
    if doc.deleted {
        bits |= document_bit::DELETED;
    }
    if !doc.attachments.is_empty() {
        bits |= document_bit::ATTACHMENTS;
    }
    out.push(bits);
    let RevPath { generation, digests } = &doc.path;
    varint::write(*generation, out);
    varint::write(digests.len() as u64, out);
    digests.iter().for_each(|one| digest(out, one));
    varint::write(doc.age_ms, out);
    text(out, doc.body.as_str());
    if !doc.attachments.is_empty() {
        varint::write(doc.attachments.len() as u64, out);
        doc.attachments.iter().for_each(|one| attachment(out, one));
    }
}

fn attachment(out: &mut Vec<u8>, attachment: &AttachmentEdit) {
    text(out, &attachment.name);
    match &attachment.content_type {
        Some(content_type) => {
            out.push(1);
            text(out, content_type);
        }
        None => out.push(0),
    }
    option(out, attachment.revpos);
    match &attachment.source {
        AttachmentSource::Staged(known) | AttachmentSource::Named(known) => {
            out.push(source::STAGED);
            content(out, known);
        }
        AttachmentSource::Later(known) => {
            out.push(source::LATER);
            content(out, known);
        }
        AttachmentSource::Stub { md5: None } => out.push(source::STUB),
        AttachmentSource::Stub { md5: Some(md5) } => {
            out.push(source::STUB_OF_DIGEST);
            out.extend_from_slice(md5);
        }
    }
}

fn content(out: &mut Vec<u8>, content: &Content) {
    out.extend_from_slice(&content.hash);
    out.extend_from_slice(&content.md5);
    varint::write(content.length, out);
    let encoded_length = match content.encoding {
        Encoding::Identity => None,
        Encoding::Gzip { encoded_length } => Some(encoded_length),
    };
    option(out, encoded_length);
}

fn digest(out: &mut Vec<u8>, digest: &Digest) {
    bytes(out, digest.as_bytes());
}

fn option(out: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(value) => {
            out.push(1);
            varint::write(value, out);
        }
        None => out.push(0),
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    bytes(out, text.as_bytes());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::write(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
