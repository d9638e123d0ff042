//! What can be asked: groups, and what is told of each.

use super::Bucket;
use crate::selector::FieldPath;

/// What documents are grouped by.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Name of the column.
    pub name: String,
    /// A document without it is in the group null.
    pub field: FieldPath,
    /// Its values are times, and grouped by these.
    pub bucket: Option<Bucket>,
}

/// What is told of each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Name of the column.
    pub name: String,
    /// What of the field.
    pub measure: Measure,
    /// Of which field; without one, documents are counted.
    pub field: Option<FieldPath>,
}

/// What is told of the values of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// How many are there, and not null.
    Count,
    /// The sum of those that are numbers.
    Sum,
    /// Their average.
    Mean,
    /// The least number; where there is none, the least text.
    Min,
    /// The greatest.
    Max,
    /// About the number that this many percent of them do not exceed.
    Percentile(f64),
    /// How many different ones there are that are not null.
    CountDistinct,
    /// The documents with the greatest or the least numbers; behind them those with texts.
    Ranked {
        /// How many of them.
        most: usize,
        /// The greatest, or the least.
        greatest: bool,
        /// Which of their fields are shown, and as what.
        shown: Vec<(String, FieldPath)>,
    },
}

/// How rows are sorted: by a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub column: String,
    /// From the greatest down.
    pub descending: bool,
}

impl Measure {
    /// How many of which end.
    pub(super) fn ranking(&self) -> (usize, bool) {
        match self {
            Measure::Ranked { most, greatest, .. } => (*most, *greatest),
            _ => (0, true),
        }
    }

    pub(super) fn shown(&self) -> &[(String, FieldPath)] {
        match self {
            Measure::Ranked { shown, .. } => shown,
            _ => &[],
        }
    }
}
