//! Any bytes as values of an index, for fuzzing.

use super::block;
use super::heads::Head;
use super::row::places;
use super::rows::Rows;
use super::seal::{seal, unseal};
use super::state::Stored;

/// Reads bytes as each kind of value; whether what they say, if anything, is still said when it is written again.
#[doc(hidden)]
pub fn survives(bytes: &[u8]) -> bool {
    let mut sealed = bytes.to_vec();
    seal(b"key", &mut sealed);
    let _ = (unseal(b"key", bytes), places("id", bytes));
    let state = Stored::decode(bytes).map_or(Ok(true), |stored| {
        Stored::decode(&stored.encode()).map(|again| again == stored)
    });
    let head = Head::decode(bytes).map(|head| head.encode() == bytes);
    state == Ok(true)
        && unseal(b"key", &sealed) == Ok(bytes)
        && head.unwrap_or(true)
        && rows_survive(bytes).unwrap_or(true)
}

/// `None` where there are none.
fn rows_survive(bytes: &[u8]) -> Option<bool> {
    let (mut rows, mut again, mut block) = (Rows::default(), Rows::default(), Vec::new());
    block::decode(bytes, &mut rows).ok()?;
    let cuts = block::cuts(&rows);
    block::encode(rows.iter(), &mut block);
    let read = block::decode(&block, &mut again);
    let all_cut = cuts.last().map_or(0, |cut| cut.end) == rows.len();
    Some(read.is_ok() && all_cut && rows.iter().eq(again.iter()))
}
