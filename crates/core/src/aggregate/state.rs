//! What is known of a value of a group so far.

use super::different::Different;
use super::ranked::{self, Ranked};
use super::sketch::{BIN_BYTES, Sketch};
use super::sum::Sum;
use super::{Measure, Value};

/// Of no documents, of some, or of all; two of them make one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    Count(u64),
    Sum(Sum),
    Mean(Sum, u64),
    Extreme(Option<Box<str>>),
    Percentile(Box<Sketch>),
    Different(Box<Different>),
    Ranked(Ranked),
}

/// Shows a document.
pub(super) type Show<'a> = dyn Fn() -> String + 'a;

impl State {
    pub(super) fn new(value: &Value) -> State {
        match value.measure {
            Measure::Count => State::Count(0),
            Measure::Sum => State::Sum(Sum::default()),
            Measure::Mean => State::Mean(Sum::default(), 0),
            Measure::Min | Measure::Max => State::Extreme(None),
            Measure::Percentile(_) => State::Percentile(Box::default()),
            Measure::CountDistinct => State::Different(Box::default()),
            Measure::Ranked { .. } => State::Ranked(Ranked::default()),
        }
    }

    /// Adds what a document has in the field; answers how many bytes more that takes.
    pub(super) fn add(&mut self, measure: &Measure, found: &str, id: &str, show: &Show<'_>) -> isize {
        let is_number = found.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match self {
            State::Count(count) => *count += u64::from(found != "null"),
            State::Sum(sum) if is_number => return add_number(sum, found),
            State::Mean(sum, count) if is_number => {
                *count += 1;
                return add_number(sum, found);
            }
            State::Percentile(sketch) if is_number => {
                return change(0, usize::from(sketch.add(found)) * BIN_BYTES);
            }
            State::Different(different) if found != "null" => {
                return change(0, usize::from(different.add(found)) * size_of::<u64>());
            }
            State::Extreme(extreme) if ranked::has_rank(found) => {
                let greatest = *measure == Measure::Max;
                if extreme
                    .as_deref()
                    .is_none_or(|old| ranked::order(found, old, greatest).is_lt())
                {
                    let before = extreme.replace(found.into());
                    return change(before.map_or(0, |old| old.len()), found.len());
                }
            }
            State::Ranked(ranked) if ranked::has_rank(found) => {
                return ranked.add(measure.ranking(), (found, id), show);
            }
            _ => {}
        }
        0
    }

    pub(super) fn merge(&mut self, measure: &Measure, other: State) {
        match (self, other) {
            (State::Count(a), State::Count(b)) => *a += b,
            (State::Sum(a), State::Sum(b)) => a.merge(b),
            (State::Mean(a, a_count), State::Mean(b, b_count)) => {
                a.merge(b);
                *a_count += b_count;
            }
            (State::Extreme(a), State::Extreme(Some(b))) => {
                let greatest = *measure == Measure::Max;
                if a.as_deref()
                    .is_none_or(|a| ranked::order(&b, a, greatest).is_lt())
                {
                    *a = Some(b);
                }
            }
            (State::Percentile(a), State::Percentile(b)) => a.merge(*b),
            (State::Different(a), State::Different(b)) => a.merge(*b),
            (State::Ranked(a), State::Ranked(b)) => a.merge(measure.ranking(), b),
            // States of one value are of one kind.
            _ => {}
        }
    }

    /// Bytes beside its own.
    pub(super) fn bytes(&self) -> usize {
        match self {
            State::Count(_) => 0,
            State::Sum(sum) | State::Mean(sum, _) => sum.bytes(),
            State::Extreme(extreme) => extreme.as_deref().map_or(0, str::len),
            State::Percentile(sketch) => size_of::<Sketch>() + sketch.bytes(),
            State::Different(different) => size_of::<Different>() + different.bytes(),
            State::Ranked(ranked) => ranked.bytes(),
        }
    }

    /// The value, JSON text. Of no numbers the sum is 0, all else but counts null.
    pub(super) fn text(&self, measure: &Measure) -> String {
        let double = |value: Option<f64>| match value {
            Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
            Some(value) if value.is_finite() => format!("{value:?}"),
            _ => "null".to_owned(),
        };
        match self {
            State::Count(count) => count.to_string(),
            State::Sum(sum) => sum.to_string(),
            State::Mean(sum, count) => double((*count > 0).then(|| sum.mean(*count))),
            State::Extreme(extreme) => extreme.as_deref().unwrap_or("null").to_owned(),
            State::Percentile(sketch) => match measure {
                Measure::Percentile(percent) => double(sketch.percentile(*percent)),
                _ => double(None),
            },
            State::Different(different) => different.count().to_string(),
            State::Ranked(ranked) => ranked.text(),
        }
    }
}

fn add_number(sum: &mut Sum, number: &str) -> isize {
    let before = sum.bytes();
    sum.add(number);
    change(before, sum.bytes())
}

/// From so many bytes to so many. None of them are as many as an `isize` cannot tell.
pub(super) fn change(before: usize, after: usize) -> isize {
    after as isize - before as isize
}
