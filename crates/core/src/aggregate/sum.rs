//! Sums of decimal numbers, exact whatever they grow to, and so the same in whatever order they are added up.

use num_bigint::BigInt;
use std::fmt;

/// The sum of some JSON numbers. Those with an exponent, or of more than [`DIGITS_MAX`] digits behind the point, are taken
/// for the nearest double.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sum {
    /// In units of ten to the minus [`SCALE`].
    small: i128,
    /// What is not in there.
    large: Option<Box<Large>>,
}

/// A whole number of units of ten to the minus `scale`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Large {
    units: BigInt,
    scale: usize,
}

/// Digits behind the point of numbers that are added up without allocating.
const SCALE: usize = 9;
const SCALE_FACTOR: i128 = 1_000_000_000;
/// Digits of such a number: a hundred million million of them fit together.
const DIGITS_SHORT: usize = 15;
/// Digits behind the point that are added exactly.
const DIGITS_MAX: usize = 1000;

impl Sum {
    /// Adds the text of a JSON number.
    pub(super) fn add(&mut self, number: &str) {
        let sum = short(number).and_then(|units| self.small.checked_add(units));
        match sum {
            Some(sum) => self.small = sum,
            None => self.add_large(Large::parse(number)),
        }
    }

    pub(super) fn merge(&mut self, other: Sum) {
        match self.small.checked_add(other.small) {
            Some(sum) => self.small = sum,
            None => self.add_large(Large::of_small(other.small)),
        }
        if let Some(large) = other.large {
            self.add_large(*large);
        }
    }

    fn add_large(&mut self, number: Large) {
        self.large.get_or_insert_default().add(number);
    }

    /// Divided by a count.
    pub(super) fn mean(&self, count: u64) -> f64 {
        let sum: f64 = self.to_string().parse().unwrap_or_default();
        sum / count as f64
    }

    /// Bytes beside its own.
    pub(super) fn bytes(&self) -> usize {
        let large = self.large.as_deref();
        large.map_or(0, |large| {
            size_of::<Large>() + usize::try_from(large.units.bits() / 8).unwrap_or(usize::MAX)
        })
    }
}

/// As a JSON number with no more digits than it has.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.large {
            None => decimal(&self.small.to_string(), SCALE, f),
            Some(large) => {
                let mut all = Large::of_small(self.small);
                all.add(Large::clone(large));
                decimal(&all.units.to_string(), all.scale, f)
            }
        }
    }
}

/// Writes units of ten to the minus `scale` with a point, and without zeros at the end.
fn decimal(units: &str, scale: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (sign, digits) = units
        .strip_prefix('-')
        .map_or(("", units), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits
        .split_at_checked(digits.len() - scale)
        .unwrap_or((&digits, ""));
    match fraction.trim_end_matches('0') {
        "" => write!(f, "{sign}{whole}"),
        fraction => write!(f, "{sign}{whole}.{fraction}"),
    }
}

/// The units of [`SCALE`] of a number of few digits.
fn short(number: &str) -> Option<i128> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.len() > DIGITS_SHORT {
        return None;
    }
    let (mut units, mut scale) = (0_i128, None);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                units = units * 10 + i128::from(byte - b'0');
                scale = scale.map(|scale: usize| scale + 1);
            }
            b'.' => scale = Some(0),
            _ => return None,
        }
    }
    let missing = SCALE.checked_sub(scale.unwrap_or(0))?;
    let units = units
        * if missing == SCALE {
            SCALE_FACTOR
        } else {
            power(missing)
        };
    Some(if digits.len() < number.len() {
        -units
    } else {
        units
    })
}

fn power(exponent: usize) -> i128 {
    (0..exponent).fold(1, |power, _| power * 10)
}

impl Large {
    fn of_small(small: i128) -> Large {
        Large {
            units: small.into(),
            scale: SCALE,
        }
    }

    fn parse(number: &str) -> Large {
        let rounded;
        let fraction = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let number = if number.contains(['e', 'E']) || fraction > DIGITS_MAX {
            rounded = number.parse::<f64>().unwrap_or_default().to_string();
            &rounded
        } else {
            number
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        Large {
            units: format!("{whole}{fraction}").parse().unwrap_or_default(),
            scale: fraction.len(),
        }
    }

    fn add(&mut self, mut other: Large) {
        let scale = self.scale.max(other.scale);
        for side in [&mut *self, &mut other] {
            let missing = u32::try_from(scale - side.scale).unwrap_or_default();
            if missing > 0 {
                side.units *= BigInt::from(10).pow(missing);
                side.scale = scale;
            }
        }
        self.units += other.units;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(numbers: &[&str], expected: &str) {
        let (mut there, mut back) = (Sum::default(), Sum::default());
        numbers.iter().for_each(|number| there.add(number));
        numbers.iter().rev().for_each(|number| back.add(number));
        assert_eq!(there.to_string(), expected, "{numbers:?}");
        assert_eq!(back.to_string(), expected, "{numbers:?}");
        let mut halves = Sum::default();
        for number in numbers {
            let mut one = Sum::default();
            one.add(number);
            halves.merge(one);
        }
        assert_eq!(halves.to_string(), expected, "{numbers:?}");
    }

    #[test]
    fn sums_are_exact() {
        check(&[], "0");
        check(&["1", "2", "-5"], "-2");
        check(&["0.1", "0.2"], "0.3");
        check(&["12.34", "0.66"], "13");
        check(&["-0.5", "0.25"], "-0.25");
        check(&["9007199254740993", "1"], "9007199254740994");
        check(
            &["9223372036854775807", "9223372036854775807"],
            "18446744073709551614",
        );
        check(&["0.0000000001", "1"], "1.0000000001");
        check(&["1e3", "1.5e-3", "1"], "1001.0015");
        check(&["1e300", "-1e300", "7"], "7");
        check(
            &["123456789012345678901234567890123456789012345678901", "0.5"],
            "123456789012345678901234567890123456789012345678901.5",
        );
        check(&["-0", "0.0", "-0.0"], "0");
        let tiny = format!("0.{}1", "0".repeat(DIGITS_MAX));
        check(&[&tiny, "2"], "2");
    }

    #[test]
    fn what_does_not_fit_goes_on_exactly() {
        let mut sum = Sum {
            small: i128::MAX,
            large: None,
        };
        sum.add("1");
        sum.merge(sum.clone());
        let mut expected = Large::of_small(i128::MAX);
        expected.add(Large::parse("1"));
        expected.add(expected.clone());
        assert_eq!(sum.to_string(), {
            let all = Sum {
                small: 0,
                large: Some(expected.into()),
            };
            all.to_string()
        });
        assert!(sum.bytes() > 0 && Sum::default().bytes() == 0);
        assert_eq!(sum.mean(2), i128::MAX as f64 / 1e9);
    }
}
