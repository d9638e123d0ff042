//! How many different values: exactly while they are few, then within some two percent.

use crate::reduce::distinct::{Distinct, hash};

/// The values that there were.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Different {
    /// Their hashes, in order.
    Few(Vec<u64>),
    Many(Distinct),
}

/// Hashes take as much room then as what counts any number of them.
const FEW_MAX: usize = 256;
const MANY_BYTES: usize = 2048;

impl Default for Different {
    fn default() -> Different {
        Different::Few(Vec::new())
    }
}

impl Different {
    /// Adds a value; answers whether it takes room.
    pub(super) fn add(&mut self, value: &str) -> bool {
        hash(value).is_some_and(|hash| self.add_hash(hash))
    }

    fn add_hash(&mut self, hash: u64) -> bool {
        match self {
            Different::Many(many) => {
                many.add_hash(hash);
                false
            }
            Different::Few(few) => {
                let Err(place) = few.binary_search(&hash) else {
                    return false;
                };
                few.insert(place, hash);
                if few.len() > FEW_MAX {
                    let mut many = Distinct::new();
                    few.iter().for_each(|hash| many.add_hash(*hash));
                    *self = Different::Many(many);
                }
                true
            }
        }
    }

    pub(super) fn merge(&mut self, other: Different) {
        match (&mut *self, other) {
            (_, Different::Few(few)) => few.into_iter().for_each(|hash| {
                self.add_hash(hash);
            }),
            (Different::Many(many), Different::Many(other)) => many.merge(&other),
            (Different::Few(few), Different::Many(mut many)) => {
                few.iter().for_each(|hash| many.add_hash(*hash));
                *self = Different::Many(many);
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        match self {
            Different::Few(few) => few.len() as u64,
            Different::Many(many) => many.estimate(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Different::Few(few) => few.len() * size_of::<u64>(),
            Different::Many(_) => MANY_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl IntoIterator<Item = u32>) -> Different {
        let mut different = Different::default();
        numbers.into_iter().for_each(|number| {
            different.add(&number.to_string());
        });
        different
    }

    #[test]
    fn few_are_counted_and_many_estimated_however_they_come_together() {
        assert_eq!(of([1, 2, 1]).count(), 2);
        assert_eq!(of(0..256).count(), 256);
        for (a, b) in [
            (0..10, 5..20),
            (0..200, 100..300),
            (0..1000, 900..905),
            (0..5, 0..3000),
        ] {
            let whole = of(a.clone().chain(b.clone()));
            let (mut there, mut back) = (of(a.clone()), of(b.clone()));
            there.merge(of(b.clone()));
            back.merge(of(a.clone()));
            assert_eq!(there, whole);
            assert_eq!(back, whole);
            let exact = a.end.max(b.end);
            let off = whole.count().abs_diff(u64::from(exact));
            assert!(off * 20 <= u64::from(exact), "{} for {exact}", whole.count());
        }
        let mut same = of([1]);
        assert!(!same.add("1.0") && same.add("\"1\""));
    }
}
