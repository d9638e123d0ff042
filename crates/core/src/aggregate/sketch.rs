//! Percentiles of any number of values, in little memory: a DDSketch.
//!
//! Each value is counted in a bin whose ends are two percent apart, so that what is answered is within one percent of a
//! value that has that rank. Two sketches are merged by adding up their bins, and tell the same as one of all values.

use std::collections::BTreeMap;

/// How many values there are about where.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sketch {
    /// By the logarithm of the value, mirrored for those below zero, which has the bin 0.
    bins: BTreeMap<i32, u64>,
    count: u64,
    /// The least value and the greatest: nothing answered is outside.
    ends: Option<(f64, f64)>,
}

/// How far an answer may be from the value it stands for, as a part of it.
const ERROR: f64 = 0.01;
/// How many times the lower end of a bin is its upper end.
const BASE: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// Bin of the least value above zero, and more.
const MIDDLE: i32 = 40_000;
/// Bytes of a bin.
pub(super) const BIN_BYTES: usize = 24;

impl Sketch {
    /// Adds the text of a JSON number; answers whether it takes a new bin. What no double holds counts as the greatest.
    pub(super) fn add(&mut self, number: &str) -> bool {
        let value: f64 = number.parse().unwrap_or_default();
        let value = value.clamp(f64::MIN, f64::MAX);
        let (low, high) = self.ends.unwrap_or((value, value));
        self.ends = Some((low.min(value), high.max(value)));
        self.count += 1;
        let bins = self.bins.len();
        *self.bins.entry(bin(value)).or_default() += 1;
        self.bins.len() > bins
    }

    pub(super) fn merge(&mut self, other: Sketch) {
        for (bin, count) in other.bins {
            *self.bins.entry(bin).or_default() += count;
        }
        self.count += other.count;
        self.ends = match (self.ends, other.ends) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    pub(super) fn bytes(&self) -> usize {
        self.bins.len() * BIN_BYTES
    }

    /// About the value of which that many percent are no greater; `None` of no values.
    pub(super) fn percentile(&self, percent: f64) -> Option<f64> {
        let (low, high) = self.ends?;
        let last = self.count.saturating_sub(1);
        let rank = (percent / 100.0 * last as f64) as u64;
        match rank {
            0 => return Some(low),
            rank if rank == last => return Some(high),
            _ => {}
        }
        let mut before = 0;
        let bin = self.bins.iter().find(|(_, count)| {
            before += **count;
            before > rank
        });
        bin.map(|(bin, _)| middle(*bin).clamp(low, high))
    }
}

fn bin(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let index = (value.abs().ln() / BASE.ln()).ceil() as i32 + MIDDLE;
    if value < 0.0 { -index } else { index }
}

/// The value that is within [`ERROR`] of all in a bin, to six digits: more would only look exact.
fn middle(bin: i32) -> f64 {
    if bin == 0 {
        return 0.0;
    }
    let upper = (f64::from(bin.abs() - MIDDLE) * BASE.ln()).exp();
    let middle = 2.0 * upper / (BASE + 1.0);
    let rounded: f64 = format!("{middle:.5e}").parse().unwrap_or(middle);
    if bin < 0 { -rounded } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| {
            sketch.add(&value.to_string());
        });
        sketch
    }

    #[test]
    fn percentiles_are_within_one_percent() {
        let mut values: Vec<f64> = (0..10_000)
            .map(|n: u32| {
                let value = f64::from(n.wrapping_mul(2_654_435_761) >> 12) / 97.0 - 800.0;
                value * value * value
            })
            .collect();
        let halves = values.split_at(3000);
        let mut merged = sketch(halves.1);
        merged.merge(sketch(halves.0));
        assert_eq!(merged, sketch(&values));
        values.sort_by(f64::total_cmp);
        for percent in [0.0, 0.1, 5.0, 7.0, 25.0, 50.0, 95.0, 99.9, 100.0] {
            let exact = values[(percent / 100.0 * 9999.0) as usize];
            let found = merged.percentile(percent).unwrap();
            assert!(
                (found - exact).abs() <= exact.abs() * 0.010_01,
                "{percent}: {found} for {exact}"
            );
        }
    }

    #[test]
    fn odd_values() {
        assert_eq!(Sketch::default().percentile(50.0), None);
        assert_eq!(sketch(&[42.0]).percentile(95.0), Some(42.0));
        assert_eq!(sketch(&[0.0, 0.0, -1.0, 1.0]).percentile(50.0), Some(0.0));
        let wide = sketch(&[f64::MIN_POSITIVE, 5e-324, f64::MAX, -f64::MAX, 0.0]);
        assert_eq!(wide.percentile(100.0), Some(f64::MAX));
        assert_eq!(wide.percentile(0.0), Some(f64::MIN));
        assert!(wide.percentile(50.0).unwrap() < 1e-300);
        let mut long = Sketch::default();
        assert!(long.add(&"9".repeat(400)) && !long.add(&"9".repeat(401)));
        assert_eq!(long.percentile(50.0), Some(f64::MAX));
    }
}
