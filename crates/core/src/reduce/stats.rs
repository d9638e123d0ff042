//! `_stats`: sum, count, least, greatest and sum of squares, of numbers, or of each place of arrays of them.

use super::number::Number;
use super::sum::separated;
use crate::json::{JsonError, Reader};
use std::cmp::Ordering;

/// What is known of the numbers at one place, or of those at many.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stats {
    One(Box<Numbers>),
    Many(Vec<Stats>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    sum: Number,
    count: Number,
    min: Number,
    max: Number,
    sumsqr: Number,
}

/// Why there are no statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Neither numbers nor arrays of them, or not arrays of one length.
    Kinds,
    /// An object that is to be statistics already lacks a member.
    Missing(&'static str),
    /// It has one that is no number: its text.
    NoNumber(&'static str, String),
    /// No JSON number holds the result.
    Infinite,
}

impl From<JsonError> for Unfit {
    fn from(_: JsonError) -> Unfit {
        Unfit::Kinds
    }
}

impl Stats {
    /// A row's value, or what [`Stats::write`] wrote: statistics of numbers are taken for those numbers.
    pub(super) fn of_row(value: &str) -> Result<Stats, Unfit> {
        let mut reader = Reader::new(value);
        let stats = Stats::read(&mut reader)?;
        reader.end()?;
        Ok(stats)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Stats, Unfit> {
        match reader.peek() {
            Some(b'[') => {
                let mut places = Vec::new();
                reader.elements(|reader| {
                    places.push(Stats::read(reader)?);
                    Ok::<_, Unfit>(())
                })?;
                Ok(Stats::Many(places))
            }
            Some(b'{') => Numbers::read(reader).map(Box::new).map(Stats::One),
            Some(b'-' | b'0'..=b'9') => {
                let number = Number::parse(reader.raw()?);
                Ok(Stats::One(Box::new(Numbers {
                    count: Number::Integer(1.into()),
                    sumsqr: number.square().ok_or(Unfit::Infinite)?,
                    min: number.clone(),
                    max: number.clone(),
                    sum: number,
                })))
            }
            _ => Err(Unfit::Kinds),
        }
    }

    pub(super) fn plus(self, other: Stats) -> Result<Stats, Unfit> {
        match (self, other) {
            (Stats::One(a), Stats::One(b)) => a.plus(*b).ok_or(Unfit::Infinite).map(Box::new).map(Stats::One),
            (Stats::Many(a), Stats::Many(b)) if a.len() == b.len() => {
                let places = a.into_iter().zip(b).map(|(a, b)| a.plus(b));
                places.collect::<Result<_, _>>().map(Stats::Many)
            }
            _ => Err(Unfit::Kinds),
        }
    }

    /// Appends its JSON, which is its own encoding as well.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Stats::One(numbers) => numbers.write(out),
            Stats::Many(places) => {
                out.push(b'[');
                separated(places, out, Stats::write);
                out.push(b']');
            }
        }
    }
}

impl Numbers {
    /// Of no numbers at all.
    pub(super) fn none() -> Numbers {
        Numbers {
            sum: Number::zero(),
            count: Number::zero(),
            min: Number::zero(),
            max: Number::zero(),
            sumsqr: Number::zero(),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Numbers, Unfit> {
        const NAMES: [&str; 5] = ["sum", "count", "min", "max", "sumsqr"];
        let mut found = [const { None }; 5];
        reader.members(|key, reader| {
            let place = NAMES.iter().zip(&mut found).find(|(name, _)| **name == key);
            if let Some((_, place)) = place {
                *place = Some(reader.raw()?);
            }
            Ok::<_, Unfit>(())
        })?;
        let mut numbers = NAMES.iter().zip(found).map(|(name, found)| match found {
            None => Err(Unfit::Missing(name)),
            Some(text) if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                Ok(Number::parse(text))
            }
            Some(other) => Err(Unfit::NoNumber(name, other.to_owned())),
        });
        let mut next = || numbers.next().unwrap_or(Err(Unfit::Kinds));
        Ok(Numbers {
            sum: next()?,
            count: next()?,
            min: next()?,
            max: next()?,
            sumsqr: next()?,
        })
    }

    fn plus(self, other: Numbers) -> Option<Numbers> {
        Some(Numbers {
            sum: self.sum.plus(&other.sum)?,
            count: self.count.plus(&other.count)?,
            min: preferred(self.min, other.min, Ordering::Greater),
            max: preferred(self.max, other.max, Ordering::Less),
            sumsqr: self.sumsqr.plus(&other.sumsqr)?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Numbers {
            sum,
            count,
            min,
            max,
            sumsqr,
        } = self;
        let text = format!(r#"{{"sum":{sum},"count":{count},"min":{min},"max":{max},"sumsqr":{sumsqr}}}"#);
        out.extend(text.bytes());
    }
}

/// The first unless it compares to the second as `worse`.
fn preferred(a: Number, b: Number, worse: Ordering) -> Number {
    if a.compare(&b) == worse { b } else { a }
}
