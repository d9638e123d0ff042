//! CouchDB's built-in reduce functions: each folds rows into a state, states of neighbouring blocks into one, and a state
//! into JSON.
//!
//! A state may be stored. However rows were split into blocks, the result is the same, up to the rounding of doubles:
//! integers are added exactly, whatever they grow to. Rows that cannot be reduced make an error of every state they are
//! in, which whoever asks for the result gets.

pub(crate) mod distinct;
mod error;
mod number;
mod stats;
mod sum;

pub use error::ReduceError;

use crate::collate;
use crate::json;
use crate::limits::RANKED_VALUES_MAX;
use crate::varint;
use distinct::Distinct;
use stats::{Numbers, Stats};
use sum::Term;

/// A built-in reduce function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reducer {
    /// `_sum`: of numbers, arrays of numbers, or objects of these.
    Sum,
    /// `_count`: how many rows.
    Count,
    /// `_stats`: sum, count, min, max and sum of squares.
    Stats,
    /// `_approx_count_distinct`: about how many different keys.
    ApproxCountDistinct,
    /// `_top_N`: the greatest so many different values, greatest first.
    Top(usize),
    /// `_bottom_N`: the least so many different values, least first.
    Bottom(usize),
    /// `_first`: the value of the first row.
    First,
    /// `_last`: the value of the last row.
    Last,
}

impl Reducer {
    /// The function that a design document names so; `None` when there is no such function.
    pub fn parse(name: &str) -> Option<Reducer> {
        let ranked = |count: &str| {
            let plain = count.bytes().all(|byte| byte.is_ascii_digit());
            let count = count.parse().ok()?;
            (plain && (1..=RANKED_VALUES_MAX).contains(&count)).then_some(count)
        };
        Some(match name {
            "_sum" => Reducer::Sum,
            "_count" => Reducer::Count,
            "_stats" => Reducer::Stats,
            "_approx_count_distinct" => Reducer::ApproxCountDistinct,
            "_first" => Reducer::First,
            "_last" => Reducer::Last,
            _ => match name.strip_prefix("_top_") {
                Some(count) => Reducer::Top(ranked(count)?),
                None => Reducer::Bottom(ranked(name.strip_prefix("_bottom_")?)?),
            },
        })
    }
}

/// What a reducer made of some neighbouring rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    reducer: Reducer,
    state: Result<State, ReduceError>,
}

/// `None` of no rows.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Sum(Option<Term>),
    Count(u64),
    Stats(Option<Stats>),
    Distinct(Distinct),
    /// Values in the order of the result.
    Ranked(Vec<String>),
    /// The value of the first or the last row.
    Edge(Option<String>),
}

impl Reduction {
    /// Of no rows.
    pub fn new(reducer: Reducer) -> Reduction {
        let state = match reducer {
            Reducer::Sum => State::Sum(None),
            Reducer::Count => State::Count(0),
            Reducer::Stats => State::Stats(None),
            Reducer::ApproxCountDistinct => State::Distinct(Distinct::new()),
            Reducer::Top(_) | Reducer::Bottom(_) => State::Ranked(Vec::new()),
            Reducer::First | Reducer::Last => State::Edge(None),
        };
        Reduction {
            reducer,
            state: Ok(state),
        }
    }

    /// Adds the row that is next in the order of keys; both are JSON texts.
    pub fn add(&mut self, key: &str, value: &str) {
        let Ok(state) = &mut self.state else { return };
        let added = match state {
            State::Sum(sum) => {
                let added = Term::of_row(value).and_then(|term| plus(sum, term, Term::plus));
                added.map_err(|unsummable| ReduceError::of_sum(unsummable, value))
            }
            State::Count(count) => {
                *count = count.saturating_add(1);
                Ok(())
            }
            State::Stats(stats) => {
                let added = Stats::of_row(value).and_then(|row| plus(stats, row, Stats::plus));
                added.map_err(|unfit| ReduceError::of_stats(unfit, value))
            }
            State::Distinct(distinct) => {
                distinct.add(key);
                Ok(())
            }
            State::Ranked(values) => {
                rank(self.reducer, values, value);
                Ok(())
            }
            State::Edge(edge) => {
                if edge.is_none() || self.reducer == Reducer::Last {
                    *edge = Some(value.to_owned());
                }
                Ok(())
            }
        };
        if let Err(error) = added {
            self.state = Err(error);
        }
    }

    /// Adds the rows of `other`, which are behind all rows of this. States of another reducer are no part of it, and
    /// change nothing.
    pub fn merge(&mut self, other: &Reduction) {
        let (Ok(state), Ok(behind)) = (&mut self.state, &other.state) else {
            if self.state.is_ok() {
                self.state.clone_from(&other.state);
            }
            return;
        };
        let merged = match (state, behind) {
            (State::Sum(sum), State::Sum(Some(term))) => plus(sum, term.clone(), Term::plus)
                .map_err(|unsummable| ReduceError::of_sum(unsummable, &text(|out| term.write(out)))),
            (State::Stats(stats), State::Stats(Some(rows))) => plus(stats, rows.clone(), Stats::plus)
                .map_err(|unfit| ReduceError::of_stats(unfit, &text(|out| rows.write(out)))),
            (State::Count(count), State::Count(more)) => {
                *count = count.saturating_add(*more);
                Ok(())
            }
            (State::Distinct(distinct), State::Distinct(more)) => {
                distinct.merge(more);
                Ok(())
            }
            (State::Ranked(values), State::Ranked(more)) => {
                more.iter().for_each(|value| rank(self.reducer, values, value));
                Ok(())
            }
            (State::Edge(edge), State::Edge(Some(more))) => {
                if edge.is_none() || self.reducer == Reducer::Last {
                    *edge = Some(more.clone());
                }
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = merged {
            self.state = Err(error);
        }
    }

    /// The reduced value as JSON. Of no rows: zero, statistics of nothing, an empty array, or null.
    pub fn result(&self) -> Result<String, ReduceError> {
        let state = self.state.as_ref().map_err(ReduceError::clone)?;
        Ok(match state {
            State::Sum(None) => "0".to_owned(),
            State::Sum(Some(sum)) => text(|out| sum.write(out)),
            State::Count(count) => count.to_string(),
            State::Stats(None) => text(|out| Numbers::none().write(out)),
            State::Stats(Some(stats)) => text(|out| stats.write(out)),
            State::Distinct(distinct) => distinct.estimate().to_string(),
            State::Ranked(values) => format!("[{}]", values.join(",")),
            State::Edge(edge) => edge.as_deref().unwrap_or("null").to_owned(),
        })
    }
}

/// What the first byte of an encoded state tells of the rest.
const ENCODED_STATE: u8 = 0;
const ENCODED_ERROR: u8 = 1;

impl Reduction {
    /// Appends bytes that [`Reduction::decode`] takes: sums and statistics as the JSON they are.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let state = match &self.state {
            Ok(state) => state,
            Err(error) => {
                out.push(ENCODED_ERROR);
                return error.encode(out);
            }
        };
        out.push(ENCODED_STATE);
        match state {
            State::Sum(None) | State::Stats(None) | State::Edge(None) => {}
            State::Sum(Some(sum)) => sum.write(out),
            State::Stats(Some(stats)) => stats.write(out),
            State::Count(count) => varint::write(*count, out),
            State::Distinct(distinct) => distinct.encode(out),
            State::Ranked(values) => {
                for value in values {
                    varint::write(value.len() as u64, out);
                    out.extend(value.bytes());
                }
            }
            State::Edge(Some(value)) => out.extend(value.bytes()),
        }
    }

    /// Reads what a state of this reducer was encoded to; `None` for any other bytes.
    pub fn decode(reducer: Reducer, bytes: &[u8]) -> Option<Reduction> {
        let (kind, mut rest) = bytes.split_first()?;
        match *kind {
            ENCODED_STATE => {}
            ENCODED_ERROR => {
                let state = Err(ReduceError::decode(rest)?);
                return Some(Reduction { reducer, state });
            }
            _ => return None,
        }
        let mut reduction = Reduction::new(reducer);
        match reduction.state.as_mut().ok()? {
            State::Count(count) => *count = varint::read(&mut rest).filter(|_| rest.is_empty())?,
            State::Distinct(distinct) => *distinct = Distinct::decode(rest)?,
            _ if rest.is_empty() => {}
            State::Sum(sum) => *sum = Some(Term::of_row(json::validate(rest).ok()?).ok()?),
            State::Stats(stats) => *stats = Some(Stats::of_row(json::validate(rest).ok()?).ok()?),
            State::Edge(edge) => *edge = Some(json::validate(rest).ok()?.to_owned()),
            State::Ranked(values) => {
                while !rest.is_empty() {
                    let length = varint::read(&mut rest)?;
                    let (value, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                    rank(reducer, values, json::validate(value).ok()?);
                    rest = behind;
                }
            }
        }
        Some(reduction)
    }
}

/// Adds to what may be nothing yet. After an error it is nothing.
fn plus<T, E>(sum: &mut Option<T>, term: T, plus: impl FnOnce(T, T) -> Result<T, E>) -> Result<(), E> {
    *sum = Some(match sum.take() {
        Some(sum) => plus(sum, term)?,
        None => term,
    });
    Ok(())
}

/// Puts a value where it belongs, unless it is there already or behind all that are wanted.
fn rank(reducer: Reducer, values: &mut Vec<String>, value: &str) {
    let (count, greatest_first) = match reducer {
        Reducer::Top(count) => (count, true),
        Reducer::Bottom(count) => (count, false),
        _ => return,
    };
    let order = |other: &String| {
        let order = collate::compare(other, value);
        if greatest_first { order.reverse() } else { order }
    };
    if let Err(at) = values.binary_search_by(order)
        && at < count
    {
        values.truncate(count - 1);
        values.insert(at, value.to_owned());
    }
}

/// What is written, all of it JSON.
fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests;
