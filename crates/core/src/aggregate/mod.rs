//! Aggregates: documents by groups, and of each group counts, sums, percentiles, and the documents that come first.
//!
//! An [`Aggregate`] says what is asked. A [`Fold`] takes documents as stored JSON text, reads no more of it than the last
//! field that is asked for, and holds one state for each value of each group. Folds of different documents, from several
//! threads perhaps, are merged into one that is what a single fold of all of them would have been. A [`Report`] makes rows
//! of it.
//!
//! Sums are exact, decimals too. Percentiles are within one percent; distinct values are counted exactly up to 256, and
//! beyond within some two percent.

mod asked;
mod bucket;
mod different;
mod fold;
mod invalid;
mod ranked;
mod report;
mod sketch;
mod state;
mod sum;

pub use asked::{Group, Measure, Order, Value};
pub use bucket::{Bucket, Length, Unit};
pub use fold::{Fold, Seen};
pub use invalid::InvalidAggregate;
pub use report::Report;

use crate::limits::{AGGREGATE_COLUMNS_MAX, JSON_DEPTH_MAX, RANKED_VALUES_MAX};
use crate::selector::{FieldPath, Picker};
use std::collections::HashSet;

/// What is asked; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    groups: Vec<Group>,
    values: Vec<Value>,
    /// Columns, by place.
    sort: Vec<(usize, bool)>,
    /// All fields, each once: those of bodies, then [`SPECIAL`] ones.
    fields: Vec<FieldPath>,
    picker: Picker,
    /// Of each group and value, where among the fields its own is; of ranked documents, those shown.
    group_fields: Vec<usize>,
    value_fields: Vec<Option<usize>>,
    shown_fields: Vec<Vec<usize>>,
}

/// Members that stand beside a body and can be asked for.
const SPECIAL: [&str; 2] = ["_id", "_rev"];

impl Aggregate {
    /// Of groups and values; rows are sorted by columns, or else by groups.
    pub fn new(
        groups: Vec<Group>,
        values: Vec<Value>,
        sort: &[Order],
    ) -> Result<Aggregate, InvalidAggregate> {
        check(&groups, &values)?;
        let names: Vec<&str> = columns(&groups, &values).collect();
        let sort = sort.iter().map(|order| {
            let place = names.iter().position(|name| *name == order.column);
            let unknown = || InvalidAggregate::NoColumn(order.column.clone());
            Ok((place.ok_or_else(unknown)?, order.descending))
        });
        let sort = sort.collect::<Result<_, InvalidAggregate>>()?;
        let is_special = |field: &&FieldPath| SPECIAL.contains(&field.name());
        let (special, of_body): (Vec<_>, Vec<_>) = all_fields(&groups, &values).partition(is_special);
        let mut fields: Vec<FieldPath> = Vec::new();
        let mut bodies = 0;
        for (place, field) in of_body.iter().chain(&special).enumerate() {
            if !fields.contains(field) {
                fields.push(FieldPath::clone(field));
                bodies += usize::from(place < of_body.len());
            }
        }
        let place = |field: &FieldPath| fields.iter().position(|known| known == field).unwrap_or_default();
        Ok(Aggregate {
            sort,
            picker: Picker::new(fields.iter().take(bodies)),
            group_fields: groups.iter().map(|group| place(&group.field)).collect(),
            value_fields: values
                .iter()
                .map(|value| value.field.as_ref().map(place))
                .collect(),
            shown_fields: values
                .iter()
                .map(|value| {
                    value
                        .measure
                        .shown()
                        .iter()
                        .map(|(_, field)| place(field))
                        .collect()
                })
                .collect(),
            fields,
            groups,
            values,
        })
    }

    /// Every field that it looks at, each once, in the order in which [`Fold::add_found`] takes what they hold.
    pub fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    /// Names of the columns: groups, then values.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        columns(&self.groups, &self.values)
    }
}

fn columns<'a>(groups: &'a [Group], values: &'a [Value]) -> impl Iterator<Item = &'a str> {
    let groups = groups.iter().map(|group| group.name.as_str());
    groups.chain(values.iter().map(|value| value.name.as_str()))
}

fn all_fields<'a>(groups: &'a [Group], values: &'a [Value]) -> impl Iterator<Item = &'a FieldPath> {
    let of_value = |value: &'a Value| {
        let shown = value.measure.shown().iter().map(|(_, field)| field);
        value.field.iter().chain(shown)
    };
    groups
        .iter()
        .map(|group| &group.field)
        .chain(values.iter().flat_map(of_value))
}

fn check(groups: &[Group], values: &[Value]) -> Result<(), InvalidAggregate> {
    if groups.is_empty() && values.is_empty() {
        return Err(InvalidAggregate::Nothing);
    }
    let mut names = HashSet::new();
    let mut seen = 0;
    for name in columns(groups, values) {
        if !names.insert(name) {
            return Err(InvalidAggregate::ColumnTwice(name.to_owned()));
        }
    }
    for field in all_fields(groups, values) {
        seen += 1;
        let known = !field.name().starts_with('_') || SPECIAL.contains(&field.name());
        if field.name().is_empty() || !known || field.parts().count() > JSON_DEPTH_MAX {
            return Err(InvalidAggregate::Field(field.name().chars().take(100).collect()));
        }
    }
    if names.len().max(seen) > AGGREGATE_COLUMNS_MAX {
        return Err(InvalidAggregate::TooManyColumns);
    }
    for value in values {
        let right = match &value.measure {
            Measure::Percentile(percent) => (0.0..=100.0).contains(percent),
            Measure::Ranked { most, .. } => (1..=RANKED_VALUES_MAX).contains(most),
            _ => true,
        };
        if !right {
            return Err(InvalidAggregate::OutOfRange(value.name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
