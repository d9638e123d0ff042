//! `Range` headers, read as CouchDB reads them.

use crate::error::{Error, Result};

/// Which bytes are to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::routes) enum Ranges {
    /// All: no range, one that is not understood, or too many.
    Whole,
    /// From one to another, the latter included.
    One(u64, u64),
    /// Several, in the order asked for.
    Several(Vec<(u64, u64)>),
}

/// More ranges than this are answered with the whole: each costs a part of its own.
const RANGES_MAX: usize = 9;

/// Reads a `Range` header against an attachment of `length` bytes.
pub(in crate::routes) fn parse(text: &str, length: u64) -> Result<Ranges> {
    let Some(list) = text.trim().strip_prefix("bytes=") else {
        return Ok(Ranges::Whole);
    };
    let mut ranges = Vec::new();
    for item in list.split(',') {
        match one(item.trim(), length) {
            Some(Bounds::Whole) | None => return Ok(Ranges::Whole),
            Some(Bounds::Outside) => return Err(Error::RangeNotSatisfiable(length)),
            Some(Bounds::Within(from, to)) => ranges.push((from, to)),
        }
    }
    Ok(match ranges.as_slice() {
        [] => Ranges::Whole,
        [(from, to)] => Ranges::One(*from, *to),
        several if several.len() > RANGES_MAX => Ranges::Whole,
        _ => Ranges::Several(ranges),
    })
}

enum Bounds {
    Whole,
    Outside,
    Within(u64, u64),
}

/// `None` for what is no range at all.
fn one(item: &str, length: u64) -> Option<Bounds> {
    let (from, to) = item.split_once('-')?;
    let last = length.checked_sub(1);
    let bounds = match (from, to) {
        ("", suffix) => {
            let suffix: u64 = suffix.parse().ok()?;
            (suffix > 0).then(|| (length.saturating_sub(suffix), length))
        }
        ("0", "") => return Some(Bounds::Whole),
        (from, "") => Some((from.parse().ok()?, length)),
        (from, to) => Some((from.parse().ok()?, to.parse().ok()?)),
    };
    Some(match (bounds, last) {
        (Some((from, to)), Some(last)) if from <= to.min(last) => Bounds::Within(from, to.min(last)),
        _ => Bounds::Outside,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let check =
            |text: &str, expected: Option<Ranges>| assert_eq!(parse(text, 10).ok(), expected, "{text}");
        check("bytes=0-", Some(Ranges::Whole));
        check("bytes=2-4", Some(Ranges::One(2, 4)));
        check("bytes=2-", Some(Ranges::One(2, 9)));
        check("bytes=-3", Some(Ranges::One(7, 9)));
        check("bytes=-30", Some(Ranges::One(0, 9)));
        check("bytes=5-100", Some(Ranges::One(5, 9)));
        check("bytes=0-1, 8-9", Some(Ranges::Several(vec![(0, 1), (8, 9)])));
        check("bytes=10-", None);
        check("bytes=4-2", None);
        check("bytes=-0", None);
        check("lines=1-2", Some(Ranges::Whole));
        check("bytes=a-b", Some(Ranges::Whole));
        check(
            "bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9",
            Some(Ranges::Whole),
        );
    }

    #[test]
    fn nothing_of_no_bytes() {
        assert_eq!(parse("bytes=0-0", 0).ok(), None);
        assert_eq!(parse("bytes=0-", 0).ok(), Some(Ranges::Whole));
    }
}
