//! Numbers of JSON: where they end, and whether a double can hold them.

use super::JsonError;
use crate::limits::INTEGER_DIGITS_MAX;

/// No double reaches ten to this power.
const DIGITS_ALWAYS_FINITE: usize = 300;

/// Bytes of the number at the start of `text`. The error is relative to it.
pub(super) fn number_length(text: &str) -> Result<usize, JsonError> {
    let bytes = text.as_bytes();
    let digits = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len())
    };
    let some_digits = |at: usize| match digits(at) {
        0 => Err(JsonError::Syntax(at)),
        count => Ok(at + count),
    };
    let whole = usize::from(bytes.first() == Some(&b'-'));
    let mut end = some_digits(whole)?;
    if bytes.get(whole) == Some(&b'0') && end > whole + 1 {
        return Err(JsonError::Syntax(whole + 1));
    }
    let mut is_float = false;
    if bytes.get(end) == Some(&b'.') {
        is_float = end > DIGITS_ALWAYS_FINITE;
        end = some_digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        is_float = true;
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = some_digits(end + 1 + sign)?;
    }
    if is_float {
        let double: f64 = text
            .get(..end)
            .and_then(|number| number.parse().ok())
            .ok_or(JsonError::Syntax(0))?;
        if double.is_infinite() {
            return Err(JsonError::Syntax(0));
        }
    } else if end > INTEGER_DIGITS_MAX + whole {
        return Err(JsonError::TooManyDigits);
    }
    Ok(end)
}

/// The little-endian bytes of an integer's digits that are too long for the types of the machine.
pub(crate) fn long_magnitude(digits: &str) -> Vec<u8> {
    let mut limbs: Vec<u64> = Vec::with_capacity(digits.len() / 19 + 1);
    for chunk in digits.as_bytes().chunks(19) {
        let (scale, part) = chunk.iter().fold((1_u64, 0), |(scale, part), digit| {
            (scale * 10, part * 10 + u64::from(digit.wrapping_sub(b'0')))
        });
        let mut carry = part;
        for limb in &mut limbs {
            let product = u128::from(*limb) * u128::from(scale) + u128::from(carry);
            *limb = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            limbs.push(carry);
        }
    }
    limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect()
}
