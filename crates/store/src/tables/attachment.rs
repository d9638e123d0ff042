//! Attachment lists inside rows.

use super::bytes::{Malformed, Reader, put_bytes};
use trunkline_core::attachment::{Attachment, Content, Encoding};
use trunkline_core::varint;

pub(super) const IDENTITY: u8 = 0;
pub(super) const GZIP: u8 = 1;

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
