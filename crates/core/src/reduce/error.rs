//! Why rows have no reduction, in CouchDB's words: clients show them.

use super::stats::Unfit;
use super::sum::Unsummable;
use crate::json;
use crate::limits::{REDUCE_CAUSE_BYTES_MAX, REDUCTION_BYTES_MAX};
use std::fmt;

const NO_SUM: &str = "The _sum function requires that map values be numbers, arrays of numbers, or objects. Objects \
    cannot be mixed with other data structures. Objects can be arbitrarily nested, provided that the values for all \
    fields are themselves numbers, arrays of numbers, or objects.";
const INFINITE: &str = "a sum of map values is too large for a number";

/// Some rows cannot be reduced: CouchDB's `builtin_reduce_error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReduceError {
    /// What is wrong with them.
    pub reason: String,
    /// The JSON text of the value that showed it, unless it is long.
    pub caused_by: Option<String>,
}

impl ReduceError {
    pub(super) fn of_sum(unsummable: Unsummable, value: &str) -> ReduceError {
        let reason = match unsummable {
            Unsummable::Kinds => NO_SUM.to_owned(),
            Unsummable::Infinite => INFINITE.to_owned(),
            Unsummable::Long(bytes) => format!(
                "Reduce output must shrink more rapidly: output size: {bytes}, at most {REDUCTION_BYTES_MAX}"
            ),
        };
        ReduceError::new(reason, value)
    }

    pub(super) fn of_stats(unfit: Unfit, value: &str) -> ReduceError {
        let reason = match unfit {
            Unfit::Kinds => format!(
                "The _stats function requires that map values be numbers or arrays of numbers, not '{}'",
                short(value).unwrap_or("...")
            ),
            Unfit::Missing(field) => format!(
                "user _stats input missing required field {field} ({})",
                short(value).unwrap_or("...")
            ),
            Unfit::NoNumber(field, found) => format!(
                "non-numeric _stats input received for {field}: {}",
                short(&found).unwrap_or("...")
            ),
            Unfit::Infinite => INFINITE.to_owned(),
        };
        ReduceError::new(reason, value)
    }

    fn new(reason: String, value: &str) -> ReduceError {
        ReduceError {
            reason,
            caused_by: short(value).map(str::to_owned),
        }
    }

    /// Appends bytes that [`ReduceError::decode`] takes: a JSON string, and the value behind it.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        json::quote(&self.reason, out);
        if let Some(value) = &self.caused_by {
            out.push(b',');
            out.extend(value.bytes());
        }
        out.push(b']');
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<ReduceError> {
        let mut parts = Vec::new();
        json::elements::<json::JsonError>(std::str::from_utf8(bytes).ok()?, |part| {
            parts.push(part.to_owned());
            Ok(())
        })
        .ok()?;
        let mut parts = parts.into_iter();
        Some(ReduceError {
            reason: json::string(&parts.next()?)?.into_owned(),
            caused_by: parts.next(),
        })
    }
}

impl fmt::Display for ReduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ReduceError {}

fn short(value: &str) -> Option<&str> {
    (value.len() <= REDUCE_CAUSE_BYTES_MAX).then_some(value)
}
