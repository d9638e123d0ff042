//! Key ranges over names: `startkey`, `endkey`, `limit`, `skip`, `descending`, `inclusive_end`.

use super::Query;
use crate::body::INVALID_JSON;
use crate::error::{Error, Result};
use trunkline_core::db_name::DbName;

/// A range of database names.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameRange {
    start: Option<String>,
    end: Option<String>,
    exclusive_end: bool,
    descending: bool,
    skip: usize,
    limit: Option<usize>,
}

impl NameRange {
    pub(crate) fn parse(query: &Query) -> Result<NameRange> {
        let mut range = NameRange::default();
        for (name, value) in query.pairs() {
            match name {
                "startkey" | "start_key" => range.start = Some(key(value)?),
                "endkey" | "end_key" => range.end = Some(key(value)?),
                "inclusive_end" => range.exclusive_end = !boolean(value)?,
                "descending" => range.descending = boolean(value)?,
                "skip" => range.skip = count(value)?,
                "limit" => range.limit = Some(count(value)?),
                _ => {}
            }
        }
        Ok(range)
    }

    /// The names of the range, in its order.
    pub(crate) fn select<'a>(&self, names: &'a [DbName]) -> Box<dyn Iterator<Item = &'a DbName> + 'a> {
        let NameRange {
            start,
            end,
            exclusive_end,
            descending,
            skip,
            limit,
        } = self.clone();
        let ordered: Box<dyn Iterator<Item = &'a DbName>> = if descending {
            Box::new(names.iter().rev())
        } else {
            Box::new(names.iter())
        };
        let before = move |a: &str, b: &str| if descending { a > b } else { a < b };
        let within = move |name: &&DbName| {
            let name = name.as_str();
            !start.as_deref().is_some_and(|start| before(name, start))
                && !end
                    .as_deref()
                    .is_some_and(|end| before(end, name) || (exclusive_end && name == end))
        };
        Box::new(
            ordered
                .filter(within)
                .skip(skip)
                .take(limit.unwrap_or(usize::MAX)),
        )
    }
}

fn key(json: &str) -> Result<String> {
    serde_json::from_str(json).map_err(|_| INVALID_JSON)
}

/// `true` or `false`, in CouchDB's words for anything else.
pub(crate) fn boolean(value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Error::QueryParse(format!("Invalid boolean parameter: {other:?}"))),
    }
}

/// An integer of at least 0, in CouchDB's words for anything else.
pub(crate) fn count(value: &str) -> Result<usize> {
    match value.parse::<i64>() {
        Ok(number) if number >= 0 => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        Ok(_) => Err(Error::QueryParse(format!(
            "Invalid value for positive integer: {value:?}"
        ))),
        Err(_) => Err(Error::QueryParse(format!("Invalid value for integer: {value:?}"))),
    }
}
