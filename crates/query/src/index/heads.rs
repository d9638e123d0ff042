//! Heads: what is known of a block, or of several consecutive ones, without reading them.
//!
//! The heads of level 0 are those of the blocks. A head of a higher level stands for consecutive heads of the level below.
//! Each begins at its label and ends where the next of its level begins; the first of a level has the view for its
//! label, so that every place of the view is in one of them.

use super::Malformed;
use super::block::{VERSION, shared};
use super::row::{VIEW_BYTES, ViewNumber, put_bytes, take_bytes};
use super::rows::Rows;
use std::ops::Range;
use trunkline_core::varint;

/// The partial reductions of some rows: one for each reduce function of the view.
pub type Parts = Vec<Box<[u8]>>;

/// A head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// How many rows there are.
    pub rows: u64,
    /// Bytes of their blocks.
    pub bytes: u64,
    /// What all their places begin with: where it is a whole sort key, or some elements of one, all are of one group.
    pub common: Vec<u8>,
    /// The key of the first of them, JSON text; empty where it is long.
    pub key: Vec<u8>,
    /// Their partial reductions.
    pub parts: Parts,
}

/// Keys up to so many bytes are kept in heads: what most groups are, and a fraction of a block.
const KEY_BYTES_MAX: usize = 256;

impl Head {
    /// Of rows, without their reductions.
    pub(super) fn of_rows(rows: &Rows, range: &Range<usize>, bytes: usize) -> Head {
        let first = rows.get(range.start);
        let last = range.end.checked_sub(1).and_then(|last| rows.get(last));
        let (Some(first), Some(last)) = (first, last) else {
            return Head::default();
        };
        let short = first.key.len() <= KEY_BYTES_MAX;
        Head {
            rows: range.len() as u64,
            bytes: bytes as u64,
            common: common(first.place, last.place),
            key: first.key.get(..).filter(|_| short).unwrap_or_default().to_vec(),
            parts: Parts::new(),
        }
    }

    /// Of consecutive heads that have rows, without their reductions.
    pub(super) fn of_heads(heads: &[&Head]) -> Head {
        let (Some(first), Some(last)) = (heads.first(), heads.last()) else {
            return Head::default();
        };
        Head {
            rows: heads.iter().map(|head| head.rows).sum(),
            bytes: heads.iter().map(|head| head.bytes).sum(),
            common: common(&first.common, &last.common),
            key: first.key.clone(),
            parts: Parts::new(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        varint::write(self.rows, &mut out);
        varint::write(self.bytes, &mut out);
        put_bytes(&self.common, &mut out);
        put_bytes(&self.key, &mut out);
        for part in &self.parts {
            put_bytes(part, &mut out);
        }
        out
    }

    pub(super) fn decode(value: &[u8]) -> Result<Head, Malformed> {
        let mut rest = value.strip_prefix(&[VERSION]).ok_or(Malformed)?;
        let mut head = Head {
            rows: varint::read(&mut rest).ok_or(Malformed)?,
            bytes: varint::read(&mut rest).ok_or(Malformed)?,
            common: take_bytes(&mut rest).ok_or(Malformed)?.to_vec(),
            key: take_bytes(&mut rest).ok_or(Malformed)?.to_vec(),
            parts: Vec::new(),
        };
        while !rest.is_empty() {
            let part = take_bytes(&mut rest).ok_or(Malformed)?;
            head.parts.push(part.into());
        }
        Ok(head)
    }
}

/// What two places begin with.
fn common(a: &[u8], b: &[u8]) -> Vec<u8> {
    let shared = shared(a, b);
    a.get(..shared).unwrap_or_default().to_vec()
}

/// The key of a head: view, level, and the rest of its label.
pub(super) fn key(level: u8, label: &[u8]) -> Vec<u8> {
    let (view, rest) = label.split_at(VIEW_BYTES.min(label.len()));
    let mut key = Vec::with_capacity(label.len() + 1);
    key.extend_from_slice(view);
    key.push(level);
    key.extend_from_slice(rest);
    key
}

/// The label in such a key.
pub(super) fn label(key: &[u8]) -> Vec<u8> {
    let mut label = key.to_vec();
    if label.len() > VIEW_BYTES {
        label.remove(VIEW_BYTES);
    }
    label
}

/// Behind every place of a view: where the next view begins.
pub(super) fn view_end(view: ViewNumber) -> Vec<u8> {
    view.saturating_add(1).to_be_bytes().to_vec()
}

/// The key behind all heads of a level that begin before a label, which may be the end of the view.
pub(super) fn level_end(level: u8, label: &[u8]) -> Vec<u8> {
    match <[u8; VIEW_BYTES]>::try_from(label) {
        Ok(next) => {
            let view = ViewNumber::from_be_bytes(next).saturating_sub(1);
            key(level + 1, &view.to_be_bytes())
        }
        Err(_) => key(level, label),
    }
}
