//! Rows of the `by_seq` and `bodies` tables: where a body is, and what stands in front of it.

use super::VERSION;
use super::attachment::{decode_attachments, encode_attachments};
use super::bytes::{Malformed, Reader, put_bytes};
use trunkline_core::attachment::Attachment;
use trunkline_core::rev::{Digest, Rev};
use trunkline_core::revtree::LeafState;
use trunkline_core::varint;

const DELETED: u8 = 1;
const BODY_ELSEWHERE: u8 = 2;
const HAS_ATTACHMENTS: u8 = 4;
const HAS_AGE: u8 = 8;
const FLAGS: u8 = DELETED | BODY_ELSEWHERE | HAS_ATTACHMENTS | HAS_AGE;

/// Where the winner's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowBody<'a> {
    /// Here.
    Inline(&'a [u8]),
    /// In the bodies table.
    Elsewhere {
        /// Its number there.
        number: u64,
        /// Its bytes.
        length: u64,
    },
}

impl RowBody<'_> {
    pub(crate) fn length(&self) -> u64 {
        match self {
            RowBody::Inline(bytes) => bytes.len() as u64,
            RowBody::Elsewhere { length, .. } => *length,
        }
    }
}

/// A row of `by_seq`, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeqRow<'a> {
    pub(crate) deleted: bool,
    pub(crate) time_ms: u64,
    /// How old the change was then; 0 for one made here, which takes no byte.
    pub(crate) age_ms: u64,
    pub(crate) id: &'a [u8],
    pub(crate) leaves: &'a [u8],
    /// Encoded; empty when the winner has none.
    pub(crate) attachments: &'a [u8],
    pub(crate) body: RowBody<'a>,
}

impl<'a> SeqRow<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = u8::from(self.deleted) * DELETED;
        if matches!(self.body, RowBody::Elsewhere { .. }) {
            flags |= BODY_ELSEWHERE;
        }
        if !self.attachments.is_empty() {
            flags |= HAS_ATTACHMENTS;
        }
        if self.age_ms != 0 {
            flags |= HAS_AGE;
        }
        out.extend_from_slice(&[VERSION, flags]);
        // Six bytes of milliseconds last until the year 10889.
        out.extend(self.time_ms.to_be_bytes().into_iter().skip(2));
        if self.age_ms != 0 {
            varint::write(self.age_ms, out);
        }
        put_bytes(out, self.id);
        put_bytes(out, self.leaves);
        if !self.attachments.is_empty() {
            put_bytes(out, self.attachments);
        }
        match self.body {
            RowBody::Inline(body) => out.extend_from_slice(body),
            RowBody::Elsewhere { number, length } => {
                varint::write(number, out);
                varint::write(length, out);
            }
        }
    }

    pub(crate) fn decode(row: &'a [u8]) -> Result<SeqRow<'a>, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        let flags = row.u8()?;
        if flags & !FLAGS != 0 {
            return Err(Malformed);
        }
        let [a, b, c, d, e, f] = row.array::<6>()?;
        let time_ms = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let age_ms = if flags & HAS_AGE != 0 { row.varint()? } else { 0 };
        let id = row.bytes()?;
        let leaves = row.bytes()?;
        let attachments = if flags & HAS_ATTACHMENTS != 0 {
            row.bytes()?
        } else {
            &[]
        };
        let body = if flags & BODY_ELSEWHERE != 0 {
            let body = RowBody::Elsewhere {
                number: row.varint()?,
                length: row.varint()?,
            };
            row.end()?;
            body
        } else {
            RowBody::Inline(row.0)
        };
        Ok(SeqRow {
            deleted: flags & DELETED != 0,
            time_ms,
            age_ms,
            id,
            leaves,
            attachments,
            body,
        })
    }

    /// When the change was first committed anywhere, by this node's clock.
    pub(crate) fn origin_ms(&self) -> u64 {
        self.time_ms.saturating_sub(self.age_ms)
    }

    pub(crate) fn id(&self) -> Result<&'a str, Malformed> {
        Ok(std::str::from_utf8(self.id)?)
    }

    pub(crate) fn attachments(&self) -> Result<Vec<Attachment>, Malformed> {
        decode_attachments(self.attachments)
    }
}

/// Appends a leaf to the leaves of a row: generation, digest length and deletion in one number, digest.
pub(crate) fn put_leaf(out: &mut Vec<u8>, rev: &Rev, state: LeafState) {
    let digest = rev.digest.as_bytes();
    varint::write(rev.generation, out);
    varint::write((digest.len() as u64) << 1 | u64::from(state.deleted), out);
    out.extend_from_slice(digest);
}

/// Reads what [`put_leaf`] wrote.
pub(crate) fn take_leaf(bytes: &mut Reader<'_>) -> Result<(Rev, bool), Malformed> {
    let generation = bytes.varint()?;
    let head = bytes.varint()?;
    let digest = bytes.take(usize::try_from(head >> 1).map_err(|_| Malformed)?)?;
    let rev = Rev {
        generation,
        digest: Digest::from_bytes(digest),
    };
    Ok((rev, head & 1 == 1))
}

/// A row of `bodies`, borrowed: attachments and body of one leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyRow<'a> {
    /// Encoded; empty when there are none.
    pub(crate) attachments: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl<'a> BodyRow<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_bytes(out, self.attachments);
        out.extend_from_slice(self.body);
    }

    pub(crate) fn decode(row: &'a [u8]) -> Result<BodyRow<'a>, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        let attachments = row.bytes()?;
        Ok(BodyRow {
            attachments,
            body: row.0,
        })
    }
}

/// Encodes a leaf's attachments; nothing at all when there are none.
pub(crate) fn attachments_bytes(attachments: &[Attachment]) -> Vec<u8> {
    let mut out = Vec::new();
    if !attachments.is_empty() {
        encode_attachments(attachments, &mut out);
    }
    out
}
