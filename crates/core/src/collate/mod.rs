//! CouchDB's order of JSON values: null, false, true, numbers, strings, arrays, objects.
//!
//! Strings are in the order of Unicode's root collation, arrays go element by element, objects member by member, and
//! of two that begin alike the shorter is less. Values are compared as the texts they are.

mod number;

use crate::json::{self, JsonError, Reader};
use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed, CollatorPreferences};
use std::cmp::Ordering;
use std::sync::LazyLock;

/// `None` only if the tables built into the program were unusable; then strings are in the order of their bytes.
static COLLATOR: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(CollatorPreferences::default(), CollatorOptions::default()).ok());

/// Compares two values, both valid JSON texts.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    compare_next(&mut Reader::new(a), &mut Reader::new(b)).unwrap_or_else(|_| a.cmp(b))
}

/// Compares two strings. Different strings are equal where Unicode takes them for the same, such as an accented
/// letter and the letter with its accent behind it.
pub fn compare_strings(a: &str, b: &str) -> Ordering {
    match &*COLLATOR {
        Some(collator) if a != b => collator.compare(a, b),
        _ => a.cmp(b),
    }
}

/// Compares two numbers by value, integers exactly.
pub fn compare_numbers(a: &str, b: &str) -> Ordering {
    number::compare(a, b)
}

/// Takes a value from both sides, unless they differ; then no more than it takes to see that.
fn compare_next(a: &mut Reader<'_>, b: &mut Reader<'_>) -> Result<Ordering, JsonError> {
    let ranks = (rank(a.peek()), rank(b.peek()));
    if ranks.0 != ranks.1 {
        return Ok(ranks.0.cmp(&ranks.1));
    }
    match a.peek() {
        Some(b'{') => compare_objects(a, b),
        Some(b'[') => compare_arrays(a, b),
        Some(b'"') => {
            let (a, b) = (a.raw()?, b.raw()?);
            let spelled = |text| json::string(text).unwrap_or_default();
            Ok(compare_strings(&spelled(a), &spelled(b)))
        }
        Some(b't' | b'f' | b'n') => {
            a.raw()?;
            b.raw()?;
            Ok(Ordering::Equal)
        }
        _ => Ok(compare_numbers(a.raw()?, b.raw()?)),
    }
}

/// Place of a value's kind in the order, by the byte it starts with.
fn rank(first: Option<u8>) -> u8 {
    match first {
        Some(b'n') => 0,
        Some(b'f') => 1,
        Some(b't') => 2,
        Some(b'"') => 4,
        Some(b'[') => 5,
        Some(b'{') => 6,
        _ => 3,
    }
}

fn compare_arrays(a: &mut Reader<'_>, b: &mut Reader<'_>) -> Result<Ordering, JsonError> {
    let mut more = (a.open(b'[', b']', "array")?, b.open(b'[', b']', "array")?);
    while more == (true, true) {
        let order = compare_next(a, b)?;
        if order.is_ne() {
            return Ok(order);
        }
        more = (a.next(b']')?, b.next(b']')?);
    }
    Ok(more.0.cmp(&more.1))
}

fn compare_objects(a: &mut Reader<'_>, b: &mut Reader<'_>) -> Result<Ordering, JsonError> {
    let mut more = (a.open(b'{', b'}', "object")?, b.open(b'{', b'}', "object")?);
    while more == (true, true) {
        let keys = (json::unescape(a.key()?), json::unescape(b.key()?));
        let order = compare_strings(&keys.0, &keys.1);
        let order = if order.is_eq() { compare_next(a, b)? } else { order };
        if order.is_ne() {
            return Ok(order);
        }
        more = (a.next(b'}')?, b.next(b'}')?);
    }
    Ok(more.0.cmp(&more.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// CouchDB's documented order, and what its source adds.
    const ASCENDING: &[&str] = &[
        "null",
        "false",
        "true",
        "-1e300",
        "-9007199254740993",
        "-9007199254740992",
        "-2",
        "-1.5",
        "0",
        "1e-300",
        "1",
        "1.5",
        "2",
        "10",
        "9007199254740992.0",
        "9007199254740993",
        "123456789012345678901234567890",
        "1e300",
        "\"\"",
        "\" \"",
        "\"_\"",
        "\"-\"",
        "\"@\"",
        "\"0\"",
        "\"10\"",
        "\"2\"",
        "\"a\"",
        "\"A\"",
        "\"\\u00e4\"",
        "\"aa\"",
        "\"b\"",
        "\"B\"",
        "\"ba\"",
        "\"bb\"",
        "\"z\"",
        "\"\u{3b1}\"",
        "[]",
        "[null]",
        "[\"a\"]",
        "[\"b\"]",
        "[\"b\",\"c\"]",
        "[\"b\",\"c\",\"a\"]",
        "[\"b\",\"d\"]",
        "[\"b\",\"d\",\"e\"]",
        "[[]]",
        "{}",
        "{\"a\":1}",
        "{\"a\":2}",
        "{\"b\":1}",
        "{\"b\":2}",
        "{\"b\":2,\"a\":1}",
        "{\"b\":2,\"c\":2}",
        "{\"b\":{}}",
    ];

    #[test]
    fn values_are_in_couchdbs_order() {
        for (i, a) in ASCENDING.iter().enumerate() {
            for (j, b) in ASCENDING.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn equal_values_may_be_spelled_differently() {
        for (a, b) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0"),
            ("-0.0", "0"),
            ("\"a\"", "\"\\u0061\""),
            ("\"\u{e9}\"", "\"e\u{301}\""),
            ("[1,{\"a\":2}]", "[1.0,{\"\\u0061\":2e0}]"),
            ("1000000000000000000000", "1e21"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn deep_values_are_compared() {
        let nested = |inner: &str| "[".repeat(512) + inner + &"]".repeat(512);
        assert_eq!(compare(&nested("1"), &nested("2")), Ordering::Less);
        assert_eq!(compare(&nested("1.0"), &nested("1")), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn integers_and_doubles_are_compared_by_value(a: i64, b: i64, c in -1e18..1e18_f64) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
            let whole = c.trunc();
            prop_assert_eq!(compare(&a.to_string(), &format!("{whole:e}")), a.cmp(&(whole as i64)));
            prop_assert_eq!(compare(&format!("{c:e}"), &format!("{whole:.1}")), c.partial_cmp(&whole).unwrap());
            prop_assert_eq!(compare(&format!("{a}000000000000"), &format!("{b}000000000000")), a.cmp(&b));
        }
    }
}
