//! Attachment lists inside rows, and the rows of the `attachments` table.

use super::VERSION;
use super::bytes::{Malformed, Reader, put_bytes};
use trunkline_core::attachment::{Attachment, Content, ContentHash, Encoding};
use trunkline_core::varint;

const IDENTITY: u8 = 0;
const GZIP: u8 = 1;

/// Appends a list of attachments, in document order.
pub(crate) fn encode_attachments(attachments: &[Attachment], out: &mut Vec<u8>) {
    varint::write(attachments.len() as u64, out);
    for attachment in attachments {
        put_bytes(out, attachment.name.as_bytes());
        put_bytes(out, attachment.content_type.as_bytes());
        varint::write(attachment.revpos, out);
        out.extend_from_slice(&attachment.content.hash);
        out.extend_from_slice(&attachment.content.md5);
        varint::write(attachment.content.length, out);
        match attachment.content.encoding {
            Encoding::Identity => out.push(IDENTITY),
            Encoding::Gzip { encoded_length } => {
                out.push(GZIP);
                varint::write(encoded_length, out);
            }
        }
    }
}

/// Reads what [`encode_attachments`] wrote; no bytes at all are no attachments.
pub(crate) fn decode_attachments(bytes: &[u8]) -> Result<Vec<Attachment>, Malformed> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = Reader(bytes);
    let list = (0..bytes.varint()?)
        .map(|_| decode_attachment(&mut bytes))
        .collect::<Result<_, Malformed>>()?;
    bytes.end()?;
    Ok(list)
}

fn decode_attachment(bytes: &mut Reader<'_>) -> Result<Attachment, Malformed> {
    Ok(Attachment {
        name: bytes.str()?.into(),
        content_type: bytes.str()?.into(),
        revpos: bytes.varint()?,
        content: Content {
            hash: bytes.array()?,
            md5: bytes.array()?,
            length: bytes.varint()?,
            encoding: match bytes.u8()? {
                IDENTITY => Encoding::Identity,
                GZIP => Encoding::Gzip {
                    encoded_length: bytes.varint()?,
                },
                _ => return Err(Malformed),
            },
        },
    })
}

/// A row of the `attachments` table, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRow<'a> {
    /// How many leaves name this content; a leaf that names it twice counts twice.
    pub(crate) refs: u64,
    /// Bytes as stored.
    pub(crate) stored_bytes: u64,
    pub(crate) bytes: ContentBytes<'a>,
}

/// Where the bytes of a content are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentBytes<'a> {
    /// Here.
    Inline(&'a [u8]),
    /// In a file of their own.
    File,
    /// Still to come; what else is known of them.
    Absent { md5: [u8; 16], length: u64, gzip: bool },
}

impl<'a> ContentRow<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        varint::write(self.refs, &mut out);
        varint::write(self.stored_bytes, &mut out);
        match self.bytes {
            ContentBytes::Inline(bytes) => {
                out.push(0);
                out.extend_from_slice(bytes);
            }
            ContentBytes::File => out.push(1),
            ContentBytes::Absent { md5, length, gzip } => {
                out.push(2);
                out.extend_from_slice(&md5);
                varint::write(length, &mut out);
                out.push(if gzip { GZIP } else { IDENTITY });
            }
        }
        out
    }

    pub(crate) fn decode(row: &'a [u8]) -> Result<ContentRow<'a>, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        let refs = row.varint()?;
        let stored_bytes = row.varint()?;
        let bytes = match row.u8()? {
            0 => ContentBytes::Inline(row.0),
            1 => {
                row.end()?;
                ContentBytes::File
            }
            2 => {
                let (md5, length) = (row.array()?, row.varint()?);
                let gzip = match row.u8()? {
                    IDENTITY => false,
                    GZIP => true,
                    _ => return Err(Malformed),
                };
                row.end()?;
                ContentBytes::Absent { md5, length, gzip }
            }
            _ => return Err(Malformed),
        };
        Ok(ContentRow {
            refs,
            stored_bytes,
            bytes,
        })
    }
}

impl ContentRow<'static> {
    /// Of content that is named before its bytes have come.
    pub(crate) fn absent(content: &Content, refs: u64) -> ContentRow<'static> {
        ContentRow {
            refs,
            stored_bytes: stored_bytes(content),
            bytes: ContentBytes::Absent {
                md5: content.md5,
                length: content.length,
                gzip: content.encoding != Encoding::Identity,
            },
        }
    }
}

impl ContentRow<'_> {
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.bytes, ContentBytes::Absent { .. })
    }

    /// The content, as long as its bytes have not come; afterwards documents alone know it.
    pub(crate) fn absent_content(&self, hash: ContentHash) -> Option<Content> {
        let ContentBytes::Absent { md5, length, gzip } = self.bytes else {
            return None;
        };
        Some(Content {
            hash,
            md5,
            length,
            encoding: if gzip {
                Encoding::Gzip {
                    encoded_length: self.stored_bytes,
                }
            } else {
                Encoding::Identity
            },
        })
    }
}

/// Bytes of some content as stored.
pub(crate) fn stored_bytes(content: &Content) -> u64 {
    match content.encoding {
        Encoding::Identity => content.length,
        Encoding::Gzip { encoded_length } => encoded_length,
    }
}
