//! Why an aggregate is not acceptable.

use crate::limits::{AGGREGATE_BYTES_MAX, AGGREGATE_COLUMNS_MAX, RANKED_VALUES_MAX};
use std::fmt;

/// Why an aggregate is not acceptable, or cannot go on. `Display` says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidAggregate {
    /// Neither groups nor values.
    Nothing,
    /// Two columns of one name.
    ColumnTwice(String),
    /// More than [`AGGREGATE_COLUMNS_MAX`].
    TooManyColumns,
    /// Rows are to be sorted by a column that there is not.
    NoColumn(String),
    /// A field that cannot be asked for.
    Field(String),
    /// The percentile or the number of documents of a column.
    OutOfRange(String),
    /// More groups than memory should hold: [`AGGREGATE_BYTES_MAX`].
    TooManyGroups,
}

impl fmt::Display for InvalidAggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidAggregate::Nothing => f.write_str("Name at least one group or one value."),
            InvalidAggregate::ColumnTwice(name) => {
                write!(
                    f,
                    "Two columns are named {name}. Rename one, a group with \"as\"."
                )
            }
            InvalidAggregate::TooManyColumns => {
                write!(
                    f,
                    "More than {AGGREGATE_COLUMNS_MAX} groups, values and shown fields."
                )
            }
            InvalidAggregate::NoColumn(name) => {
                write!(f, "Cannot sort by {name}: no group or value has that name.")
            }
            InvalidAggregate::Field(name) => write!(
                f,
                "Invalid field {name}: of the fields that start with _ there are _id and _rev."
            ),
            InvalidAggregate::OutOfRange(name) => write!(
                f,
                "{name}: \"p\" must be from 0 to 100, \"n\" from 1 to {RANKED_VALUES_MAX}."
            ),
            InvalidAggregate::TooManyGroups => write!(
                f,
                "The groups of this report take more than {} MiB. Narrow the selector, group by fewer or coarser fields, \
                 or leave out count_distinct, percentile and top.",
                AGGREGATE_BYTES_MAX >> 20
            ),
        }
    }
}

impl std::error::Error for InvalidAggregate {}
