//! Places in a feed: `"N-xxxxxxxx"`, where x names the incarnation of the database, and what `since` may be.

use trunkline_core::Seq;

/// The value of `since` (or `Last-Event-ID`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the beginning.
    Start,
    /// What comes from now on.
    Now,
    /// After a seq.
    Seq {
        /// Its number.
        seq: Seq,
        /// The incarnation it belongs to; `None` for a bare number.
        suffix: Option<Box<str>>,
    },
    /// After a time, in ms since 1970.
    Time(u64),
}

/// The text is no `since`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSince(pub Box<str>);

/// The part of a database's uuid that its seqs carry.
pub fn suffix(_uuid: &str) -> &str {
    todo!()
}

/// Appends a seq as JSON text, quotes and all. `suffix` as [`suffix()`] gives it.
pub fn write(_out: &mut Vec<u8>, _seq: Seq, _suffix: &str) {
    todo!()
}

/// A seq as JSON text, quotes and all.
pub fn json(_seq: Seq, _suffix: &str) -> String {
    todo!()
}

/// Reads `since`: `0`, `now`, `N`, `N-x`, each also as a JSON string, or an RFC 3339 time.
pub fn parse(_text: &str) -> Result<Since, InvalidSince> {
    todo!()
}

/// Reads an RFC 3339 time into ms since 1970.
pub fn parse_time(_text: &str) -> Option<u64> {
    todo!()
}
