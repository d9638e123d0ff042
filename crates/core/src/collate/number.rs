//! Numbers as JSON spells them, by value. Integers are compared by their digits, whatever their length.

use std::cmp::Ordering;

/// From here on every double is an integer.
const INTEGERS_ONLY: f64 = 9_007_199_254_740_992.0;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a.cmp(&b);
    }
    match (is_integer(a), is_integer(b)) {
        (true, true) => compare_integers(a, b),
        (false, false) => double(a).partial_cmp(&double(b)).unwrap_or(Ordering::Equal),
        (true, false) => compare_mixed(a, double(b)),
        (false, true) => compare_mixed(b, double(a)).reverse(),
    }
}

fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

fn double(number: &str) -> f64 {
    number.parse().unwrap_or_default()
}

/// A double is exact, so an integer is compared with the integer it is, or with the two it lies between.
fn compare_mixed(integer: &str, double: f64) -> Ordering {
    if double.abs() < INTEGERS_ONLY {
        // Below this bound integers are doubles, and above it an integer still compares right when it is rounded.
        let integer: f64 = integer.parse().unwrap_or_default();
        return integer.partial_cmp(&double).unwrap_or(Ordering::Equal);
    }
    compare_integers(integer, &format!("{double:.0}"))
}

fn compare_integers(a: &str, b: &str) -> Ordering {
    let (a_negative, a_digits) = sign_and_digits(a);
    let (b_negative, b_digits) = sign_and_digits(b);
    let magnitudes = a_digits.len().cmp(&b_digits.len()).then(a_digits.cmp(b_digits));
    match (a_negative, b_negative) {
        (false, false) => magnitudes,
        (true, true) => magnitudes.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// Zero is not negative, and has no digits but one.
fn sign_and_digits(integer: &str) -> (bool, &str) {
    match integer.strip_prefix('-') {
        Some(digits) if digits != "0" => (true, digits),
        Some(zero) => (false, zero),
        None => (false, integer),
    }
}
