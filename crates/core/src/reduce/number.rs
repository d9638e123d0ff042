//! Numbers that are added up: integers exactly, whatever they grow to, doubles as doubles.

use crate::collate;
use crate::limits::INTEGER_DIGITS_MAX;
use num_bigint::BigInt;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Mul;

/// Bits of an integer that never has more digits than are read again: ten thousand times the binary logarithm of ten.
const INTEGER_BITS_MAX: u64 = INTEGER_DIGITS_MAX as u64 * 3_321_928 / 1_000_000;

/// A JSON number. One with a fraction or an exponent is a double, and so is all that it is added to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Integer(BigInt),
    /// Finite.
    Double(f64),
}

impl Number {
    pub(super) fn zero() -> Number {
        Number::Integer(BigInt::ZERO)
    }

    /// Of a valid JSON number.
    pub(super) fn parse(text: &str) -> Number {
        if let Ok(short) = text.parse::<i64>() {
            return Number::Integer(short.into());
        }
        match text.parse() {
            Ok(long) => Number::Integer(long),
            Err(_) => Number::Double(text.parse().unwrap_or_default()),
        }
    }

    /// `None` when the sum is too large for JSON.
    pub(super) fn plus(self, other: &Number) -> Option<Number> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => readable(a + b),
            (a, b) => finite(a.double() + b.double()),
        }
    }

    /// `None` when the square is too large for JSON.
    pub(super) fn square(&self) -> Option<Number> {
        match self {
            Number::Integer(integer) => readable(integer.mul(integer)),
            Number::Double(double) => finite(double * double),
        }
    }

    pub(super) fn compare(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(b),
            (Number::Double(a), Number::Double(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            _ => collate::compare_numbers(&self.to_string(), &other.to_string()),
        }
    }

    /// The nearest; infinite for an integer beyond all doubles.
    fn double(&self) -> f64 {
        match self {
            Number::Integer(integer) => integer.to_string().parse().unwrap_or_default(),
            Number::Double(double) => *double,
        }
    }
}

/// As JSON that reads as the same kind of number again: a whole double has a fraction or an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Integer(integer) => integer.fmt(f),
            Number::Double(double) => fmt::Debug::fmt(double, f),
        }
    }
}

fn finite(double: f64) -> Option<Number> {
    double.is_finite().then_some(Number::Double(double))
}

fn readable(integer: BigInt) -> Option<Number> {
    (integer.bits() <= INTEGER_BITS_MAX).then_some(Number::Integer(integer))
}
