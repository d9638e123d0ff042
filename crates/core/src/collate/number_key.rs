//! Numbers as bytes that sort by value, doubles and integers of any length alike.
//!
//! A number is `0.d₁d₂… × 128ⁿ` with `d₁` not zero, which every double and every integer is exactly. Its key is one byte
//! for its sign and `n` (and two more when `n` is far from usual), then its digits, each with a lowest bit that tells
//! whether more follow. Bytes of negative numbers are turned round. Integers up to 127 take two bytes, a second's
//! timestamp six.

/// The key of zero, in the middle of the first bytes of all numbers.
pub(super) const ZERO: u8 = 0x30;
/// Largest `n` that the first byte holds; smaller than zero it holds none.
const EXPONENT_MAX: i32 = 10;
/// Distances from [`ZERO`]: for a negative `n`, for `n` of zero, for one over [`EXPONENT_MAX`].
const TINY: u8 = 1;
const PLAIN: u8 = 2;
const HUGE: u8 = PLAIN + EXPONENT_MAX as u8 + 1;
/// Makes `n` a positive `u16`: between -154 for the least double and 4746 for the longest integer.
const EXPONENT_BIAS: i32 = 1 << 15;
/// Bits of a `u128` that stay apart from the mantissa, so that it can be moved to where a digit begins.
const WORD_BITS_MAX: u32 = u128::BITS - 6;

use crate::json;

/// Appends the key of a JSON number.
pub(super) fn write(number: &str, key: &mut Vec<u8>) {
    if number.contains(['.', 'e', 'E']) {
        let bits = number.parse::<f64>().unwrap_or_default().to_bits();
        let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
        let mantissa = if exponent == 0 {
            fraction
        } else {
            fraction | 1 << 52
        };
        return word(bits >> 63 != 0, mantissa.into(), exponent.max(1) - 1075, key);
    }
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let short = digits.parse::<u64>().map(u128::from).or_else(|_| digits.parse());
    match short {
        Ok(magnitude) if magnitude.leading_zeros() >= u128::BITS - WORD_BITS_MAX => {
            word(negative, magnitude, 0, key);
        }
        _ => long(negative, digits, key),
    }
}

/// Bytes of the key at the start of `bytes`; `None` when there is none, or no end to it.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let head = match first.abs_diff(ZERO) {
        0 => return Some(1),
        TINY | HUGE => 3,
        PLAIN..HUGE => 1,
        _ => return None,
    };
    let last = u8::from(first < ZERO);
    let digits = bytes.get(head..)?;
    let at = digits.iter().position(|digit| digit & 1 == last)?;
    Some(head + at + 1)
}

/// Appends `mantissa × 2^exponent`.
fn word(negative: bool, mantissa: u128, exponent: i32, key: &mut Vec<u8>) {
    if mantissa == 0 {
        return key.push(ZERO);
    }
    let magnitude = (u128::BITS - mantissa.leading_zeros()) as i32 + exponent;
    let places = (magnitude + 6).div_euclid(7);
    // The first digit begins at the word's top, with zeros in front of the mantissa.
    let zeros = 7 * places - magnitude;
    let mut rest = mantissa << mantissa.leading_zeros() >> zeros;
    let digits = std::iter::from_fn(|| {
        let digit = (rest >> (u128::BITS - 7)) as u8;
        let more = rest != 0;
        rest <<= 7;
        more.then_some(digit)
    });
    write_digits(negative, places, digits, key);
}

/// Appends an integer that is longer than a word.
fn long(negative: bool, digits: &str, key: &mut Vec<u8>) {
    let bytes = json::long_magnitude(digits);
    let digit = |place: usize| {
        let byte = |at: usize| u16::from(bytes.get(at).copied().unwrap_or_default());
        let bit = 7 * place;
        let two = byte(bit / 8) | byte(bit / 8 + 1) << 8;
        (two >> (bit % 8) & 0x7f) as u8
    };
    let places = (8 * bytes.len()).div_ceil(7);
    let Some(first) = (0..places).rev().find(|place| digit(*place) != 0) else {
        return key.push(ZERO);
    };
    let last = (0..first).find(|place| digit(*place) != 0).unwrap_or(first);
    let digits = (last..=first).rev().map(digit);
    write_digits(negative, first as i32 + 1, digits, key);
}

fn write_digits(negative: bool, places: i32, digits: impl Iterator<Item = u8>, key: &mut Vec<u8>) {
    let distance = match places {
        ..0 => TINY,
        0..=EXPONENT_MAX => PLAIN + places as u8,
        _ => HUGE,
    };
    key.push(if negative {
        ZERO - distance
    } else {
        ZERO + distance
    });
    let start = key.len();
    if matches!(distance, TINY | HUGE) {
        key.extend(((places + EXPONENT_BIAS) as u16).to_be_bytes());
    }
    key.extend(digits.map(|digit| digit << 1 | 1));
    if let Some(last) = key.last_mut() {
        *last &= !1;
    }
    if negative {
        key.iter_mut().skip(start).for_each(|byte| *byte = !*byte);
    }
}
