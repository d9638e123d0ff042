//! Bytes that sort as the values they are made of.
//!
//! | value | bytes |
//! | --- | --- |
//! | null, false, true | its rank |
//! | number | rank and digits in one, see [`number_key`] |
//! | string | rank, bytes without a zero, zero |
//! | array | rank, its elements, zero |
//! | object | rank, its members, each a string and a value, zero |
//!
//! No rank is zero, so what ends first is less. Every key tells where it ends, so none is the beginning of another, and
//! other bytes may stand behind it.

use super::{COLLATOR, Collation, ascii, number_key};
use crate::json::{self, JsonError, Reader};

/// Which bytes the keys have: to be stored with them, because keys of different versions do not sort together. It
/// changes with this module, and with the Unicode tables of the collator.
pub const SORT_KEY_VERSION: u32 = 1;

/// Ends what is of no fixed length.
const END: u8 = 0;

impl Collation {
    /// Appends a key of `value`, a JSON text: keys of two values compare as [`Collation::compare`] compares the values.
    /// After an error nothing is appended.
    pub fn sort_key(self, value: &str, key: &mut Vec<u8>) -> Result<(), JsonError> {
        let start = key.len();
        let mut reader = Reader::new(value);
        let written = self.write_next(&mut reader, key).and_then(|()| reader.end());
        written.inspect_err(|_| key.truncate(start))
    }

    fn write_next(self, reader: &mut Reader<'_>, key: &mut Vec<u8>) -> Result<(), JsonError> {
        let first = reader.peek();
        match first {
            Some(b'"') => self.write_string(reader.string()?, key),
            Some(b'{') => {
                key.push(self.rank(first));
                let mut more = reader.open(b'{', b'}', "object")?;
                while more {
                    self.write_string(reader.key()?, key);
                    self.write_next(reader, key)?;
                    more = reader.next(b'}')?;
                }
                key.push(END);
            }
            Some(b'[') => {
                key.push(self.rank(first));
                let mut more = reader.open(b'[', b']', "array")?;
                while more {
                    self.write_next(reader, key)?;
                    more = reader.next(b']')?;
                }
                key.push(END);
            }
            Some(b't' | b'f' | b'n') => {
                reader.raw()?;
                key.push(self.rank(first));
            }
            _ => number_key::write(reader.raw()?, key),
        }
        Ok(())
    }

    /// Appends the key of a string, `inside` being what is between its quotes.
    fn write_string(self, inside: &str, key: &mut Vec<u8>) {
        let text = json::unescape(inside);
        key.push(self.rank(Some(b'"')));
        match &*COLLATOR {
            Some(collator) if self == Collation::Unicode => {
                if !ascii::write(&text, key) {
                    let Ok(()) = collator.write_sort_key_to(&text, key);
                }
            }
            _ => write_bytes(text.as_bytes(), key),
        }
        key.push(END);
    }
}

/// Appends the key that a text has as a string in raw order: texts that differ have keys that differ.
pub fn text_sort_key(text: &str, key: &mut Vec<u8>) {
    key.push(Collation::Raw.rank(Some(b'"')));
    write_bytes(text.as_bytes(), key);
    key.push(END);
}

/// Appends bytes that sort as `bytes` do, with no zero among them: 0 becomes 1 1, and 1 becomes 1 2.
fn write_bytes(bytes: &[u8], key: &mut Vec<u8>) {
    if bytes.iter().all(|byte| *byte > 1) {
        return key.extend_from_slice(bytes);
    }
    for byte in bytes {
        match byte {
            0 | 1 => key.extend_from_slice(&[1, byte + 1]),
            _ => key.push(*byte),
        }
    }
}

/// Bytes that the sort keys of a group begin with, given any of them, or what some of them begin with: of an array, those
/// of its first `level` elements; of anything else, all of it. `None` when `bytes` have less than that.
pub fn sort_key_group_length(bytes: &[u8], level: usize) -> Option<usize> {
    if !matches!(bytes.first()?, 0x54 | 0x70) {
        return sort_key_length(bytes);
    }
    let mut at = 1;
    for _ in 0..level {
        let rest = bytes.get(at..)?;
        if rest.first()? == &END {
            return Some(at + 1);
        }
        at += sort_key_length(rest)?;
    }
    Some(at)
}

/// Bytes of the sort key, of either collation, that `bytes` begin with; `None` when they begin with no whole one.
pub fn sort_key_length(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += match rest.first()? {
            &END => {
                depth = depth.checked_sub(1)?;
                1
            }
            0x10..=0x12 | 0x50..=0x52 => 1,
            0x60 => memchr::memchr(END, rest)? + 1,
            0x53 | 0x54 | 0x70 | 0x71 => {
                depth += 1;
                1
            }
            _ => number_key::length(rest)?,
        };
        if depth == 0 {
            return Some(at);
        }
    }
}
