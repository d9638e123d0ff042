//! Blocks: consecutive rows of one view, kept as one value.
//!
//! A block opens with [`VERSION`], then each row: how many bytes its place shares with the one before it, the rest of the
//! place, where the sort key ends in it, key, value.

use super::Malformed;
use super::row::{Row, VIEW_BYTES, put_bytes, take_bytes};
use super::rows::Rows;
use std::ops::Range;
use trunkline_core::collate::sort_key_group_length;
use trunkline_core::limits::{INDEX_BLOCK_BYTES_MAX, INDEX_BLOCK_BYTES_MIN};
use trunkline_core::varint;

/// First byte of every value of an index.
pub(super) const VERSION: u8 = 2;

/// Writes rows, which are sorted.
pub(super) fn encode<'a>(rows: impl Iterator<Item = Row<'a>>, out: &mut Vec<u8>) {
    out.clear();
    out.push(VERSION);
    let mut before: &[u8] = &[];
    for row in rows {
        let shared = shared(before, row.place);
        varint::write(shared as u64, out);
        put_bytes(row.place.get(shared..).unwrap_or_default(), out);
        varint::write(row.sort_key_end as u64, out);
        put_bytes(row.key, out);
        put_bytes(row.value, out);
        before = row.place;
    }
}

/// How many bytes two places begin with that are the same.
pub(super) fn shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Adds the rows of a block to others.
pub(super) fn decode(block: &[u8], out: &mut Rows) -> Result<(), Malformed> {
    let mut rest = block.strip_prefix(&[VERSION]).ok_or(Malformed)?;
    let mut place = Vec::new();
    while !rest.is_empty() {
        out.copy(&next(&mut rest, &mut place).ok_or(Malformed)?);
    }
    Ok(())
}

fn next<'a, 'b: 'a>(rest: &mut &'b [u8], place: &'a mut Vec<u8>) -> Option<Row<'a>> {
    let shared = usize::try_from(varint::read(rest)?).ok()?;
    let own = take_bytes(rest)?;
    if shared > place.len() {
        return None;
    }
    place.truncate(shared);
    place.extend_from_slice(own);
    Some(Row {
        place,
        sort_key_end: usize::try_from(varint::read(rest)?).ok()?,
        key: take_bytes(rest)?,
        value: take_bytes(rest)?,
    })
}

/// How rows of one view are parted into blocks. Between the least and the most bytes a block ends where the first element
/// of the keys changes, or else where the key does, so that the groups people ask for are made of whole blocks.
pub(super) fn cuts(rows: &Rows) -> Vec<Range<usize>> {
    let mut cuts = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let end = cut(rows, start);
        cuts.push(start..end);
        start = end;
    }
    cuts
}

fn cut(rows: &Rows, start: usize) -> usize {
    let mut bytes = 0;
    let mut best = (0, start);
    let mut before: Option<Row<'_>> = None;
    for index in start..rows.len() {
        let Some(row) = rows.get(index) else { break };
        if let Some(before) = before {
            if bytes >= INDEX_BLOCK_BYTES_MIN {
                best = best.max((rank(&before, &row), index));
            }
            if bytes + row.bytes() > INDEX_BLOCK_BYTES_MAX {
                return if best.0 > 0 { best.1 } else { index };
            }
        }
        bytes += row.bytes();
        before = Some(row);
    }
    rows.len()
}

/// How much of a boundary lies between two neighbours.
fn rank(a: &Row<'_>, b: &Row<'_>) -> u8 {
    let (a, b) = (a.group(), b.group());
    if a == b {
        return 1;
    }
    let sort_key = a.get(VIEW_BYTES..).unwrap_or_default();
    let first = sort_key_group_length(sort_key, 1).unwrap_or(usize::MAX);
    if shared(a, b) < VIEW_BYTES.saturating_add(first) {
        3
    } else {
        2
    }
}
