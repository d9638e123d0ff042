//! The orders that CouchDB has for JSON values, and bytes that sort in them.
//!
//! The usual order is null, false, true, numbers, strings, arrays, objects, with strings in the order of Unicode's root
//! collation. Views may ask for the raw order instead, Erlang's own: numbers, false, null, true, objects, arrays, strings,
//! with strings in the order of their bytes. In both, arrays go element by element, objects member by member, and of two
//! that begin alike the shorter is less. Values are compared as the texts they are.

mod ascii;
mod number;
mod number_key;
mod sort_key;

pub use sort_key::{SORT_KEY_VERSION, sort_key_group_length, sort_key_length, text_sort_key};

use crate::json::{self, JsonError, Reader};
use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed, CollatorPreferences};
use std::cmp::Ordering;
use std::sync::LazyLock;

/// `None` only if the tables built into the program were unusable; then strings are in the order of their bytes.
static COLLATOR: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(CollatorPreferences::default(), CollatorOptions::default()).ok());

/// Which of CouchDB's orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Collation {
    /// Strings by Unicode's root collation.
    #[default]
    Unicode,
    /// Erlang's order of terms: a view's option `"collation": "raw"`.
    Raw,
}

impl Collation {
    /// Compares two values, both valid JSON texts.
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let order = self.compare_next(&mut Reader::new(a), &mut Reader::new(b));
        order.unwrap_or_else(|_| a.cmp(b))
    }

    fn compare_strings(self, a: &str, b: &str) -> Ordering {
        match &*COLLATOR {
            Some(collator) if self == Collation::Unicode && a != b => collator.compare(a, b),
            _ => a.cmp(b),
        }
    }

    /// Takes a value from both sides, unless they differ; then no more than it takes to see that.
    fn compare_next(self, a: &mut Reader<'_>, b: &mut Reader<'_>) -> Result<Ordering, JsonError> {
        let ranks = (self.rank(a.peek()), self.rank(b.peek()));
        if ranks.0 != ranks.1 {
            return Ok(ranks.0.cmp(&ranks.1));
        }
        match a.peek() {
            Some(b'{') => self.compare_objects(a, b),
            Some(b'[') => self.compare_arrays(a, b),
            Some(b'"') => {
                let (a, b) = (json::unescape(a.string()?), json::unescape(b.string()?));
                Ok(self.compare_strings(&a, &b))
            }
            Some(b't' | b'f' | b'n') => {
                a.raw()?;
                b.raw()?;
                Ok(Ordering::Equal)
            }
            _ => Ok(compare_numbers(a.raw()?, b.raw()?)),
        }
    }

    /// Place of a value's kind in the order, by the byte it starts with. Sort keys begin with it.
    fn rank(self, first: Option<u8>) -> u8 {
        match (self, first) {
            (Collation::Unicode, Some(b'n')) => 0x10,
            (Collation::Unicode, Some(b'f')) => 0x11,
            (Collation::Unicode, Some(b't')) => 0x12,
            (Collation::Raw, Some(b'f')) => 0x50,
            (Collation::Raw, Some(b'n')) => 0x51,
            (Collation::Raw, Some(b't')) => 0x52,
            (Collation::Raw, Some(b'{')) => 0x53,
            (Collation::Raw, Some(b'[')) => 0x54,
            (_, Some(b'"')) => 0x60,
            (Collation::Unicode, Some(b'[')) => 0x70,
            (Collation::Unicode, Some(b'{')) => 0x71,
            _ => number_key::ZERO,
        }
    }

    fn compare_arrays(self, a: &mut Reader<'_>, b: &mut Reader<'_>) -> Result<Ordering, JsonError> {
        let mut more = (a.open(b'[', b']', "array")?, b.open(b'[', b']', "array")?);
        while more == (true, true) {
            let order = self.compare_next(a, b)?;
            if order.is_ne() {
                return Ok(order);
            }
            more = (a.next(b']')?, b.next(b']')?);
        }
        Ok(more.0.cmp(&more.1))
    }

    fn compare_objects(self, a: &mut Reader<'_>, b: &mut Reader<'_>) -> Result<Ordering, JsonError> {
        let mut more = (a.open(b'{', b'}', "object")?, b.open(b'{', b'}', "object")?);
        while more == (true, true) {
            let keys = (json::unescape(a.key()?), json::unescape(b.key()?));
            let order = self.compare_strings(&keys.0, &keys.1);
            let order = if order.is_eq() {
                self.compare_next(a, b)?
            } else {
                order
            };
            if order.is_ne() {
                return Ok(order);
            }
            more = (a.next(b'}')?, b.next(b'}')?);
        }
        Ok(more.0.cmp(&more.1))
    }
}

/// Compares two values, both valid JSON texts, in the usual order.
pub fn compare(a: &str, b: &str) -> Ordering {
    Collation::Unicode.compare(a, b)
}

/// Compares two strings. Different strings are equal where Unicode takes them for the same, such as an accented
/// letter and the letter with its accent behind it.
pub fn compare_strings(a: &str, b: &str) -> Ordering {
    Collation::Unicode.compare_strings(a, b)
}

/// Compares two numbers by value, integers exactly.
pub fn compare_numbers(a: &str, b: &str) -> Ordering {
    number::compare(a, b)
}

#[cfg(test)]
mod tests;
