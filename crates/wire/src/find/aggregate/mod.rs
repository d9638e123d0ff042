//! The body of `_aggregate`, and the rows of its answer.

mod group;
mod value;

use super::Refusal;
use super::request::{boolean, elements, invalid_key, members, number, selector, use_index};
use group::group;
use trunkline_core::aggregate::{Aggregate, InvalidAggregate, Order};
use trunkline_core::json::{self, Reader};
use value::named_values;

/// What is to be told of which documents.
#[derive(Clone, Debug)]
pub struct AggregateRequest {
    /// JSON text of an object; all documents where none is given.
    pub selector: String,
    /// Groups, values, and how rows are sorted.
    pub aggregate: Aggregate,
    /// How many rows at most.
    pub limit: u64,
    /// How many rows are left out first.
    pub skip: u64,
    /// Design document, and perhaps the name, of the index to be used.
    pub use_index: Vec<String>,
    /// Another index will do.
    pub allow_fallback: bool,
    /// Bring the index up to date first.
    pub update: bool,
    /// Tell what it took.
    pub execution_stats: bool,
}

/// Reads the body.
pub fn parse_aggregate(text: &[u8]) -> Result<AggregateRequest, Refusal> {
    let mut request = AggregateRequest {
        selector: "{}".to_owned(),
        // Taken from the body below.
        aggregate: Aggregate::default(),
        limit: u64::MAX,
        skip: 0,
        use_index: Vec::new(),
        allow_fallback: true,
        update: true,
        execution_stats: false,
    };
    let (mut groups, mut values, mut sort) = (Vec::new(), Vec::new(), Vec::new());
    members(text, |name, value| {
        match name {
            "selector" => request.selector = selector(value)?,
            "group" => {
                groups = array(value, "group")?
                    .into_iter()
                    .map(group)
                    .collect::<Result<_, _>>()?
            }
            "values" => values = named_values(value)?,
            "sort" => {
                sort = array(value, "sort")?
                    .into_iter()
                    .map(order)
                    .collect::<Result<_, _>>()?
            }
            "limit" => request.limit = number(value, 0)?,
            "skip" => request.skip = number(value, 0)?,
            "use_index" => request.use_index = use_index(value)?,
            "allow_fallback" => request.allow_fallback = boolean(value)?,
            "update" => request.update = boolean(value)?,
            "execution_stats" => request.execution_stats = boolean(value)?,
            _ => return Err(invalid_key(name)),
        }
        Ok(())
    })?;
    request.aggregate = Aggregate::new(groups, values, &sort)?;
    Ok(request)
}

/// Appends a row as an object of its columns.
pub fn write_row<'a>(columns: impl Iterator<Item = &'a str>, row: &[String], out: &mut Vec<u8>) {
    out.push(b'{');
    for (place, (name, value)) in columns.zip(row).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        json::quote(name, out);
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
}

impl From<InvalidAggregate> for Refusal {
    fn from(invalid: InvalidAggregate) -> Refusal {
        let word = match &invalid {
            InvalidAggregate::Nothing => "missing_required_key",
            InvalidAggregate::NoColumn(_) => "invalid_sort_field",
            InvalidAggregate::Field(_) => "invalid_field_name",
            InvalidAggregate::TooManyGroups => "too_many_groups",
            _ => "invalid_aggregate",
        };
        Refusal::new(word, invalid.to_string())
    }
}

fn array<'a>(value: &'a str, name: &str) -> Result<Vec<&'a str>, Refusal> {
    let wrong = || Refusal::new("invalid_array", format!("{name} must be an array, not: {value}"));
    elements(value)?.ok_or_else(wrong)
}

fn order(value: &str) -> Result<Order, Refusal> {
    if let Some(column) = json::string(value) {
        return Ok(Order {
            column: column.into_owned(),
            descending: false,
        });
    }
    let wrong = || Refusal::new("invalid_sort_field", format!("Invalid sort field: {value}"));
    let mut orders = Vec::new();
    if Reader::new(value).peek() == Some(b'{') {
        json::members(value, |column, direction| {
            orders.push(Order {
                column: column.into_owned(),
                descending: match json::string(direction).as_deref() {
                    Some("asc") => false,
                    Some("desc") => true,
                    _ => return Err(wrong()),
                },
            });
            Ok(())
        })?;
    }
    match <[Order; 1]>::try_from(orders) {
        Ok([order]) => Ok(order),
        Err(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
