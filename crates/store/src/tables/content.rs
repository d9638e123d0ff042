//! Rows of the `attachments` table: how often content is named, and where its bytes are.

use super::VERSION;
use super::attachment::{GZIP, IDENTITY};
use super::bytes::{Malformed, Reader};
use trunkline_core::attachment::{Content, ContentHash, Encoding};
use trunkline_core::varint;

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
            stored_bytes: content.stored_bytes(),
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
