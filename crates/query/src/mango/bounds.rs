//! From what a selector says of fields to a range of an index's rows, or of ids.

use crate::index::behind;
use crate::view::all;
use std::ops::Range;
use trunkline_core::collate::Collation;
use trunkline_core::json;
use trunkline_core::partition::Partition;
use trunkline_core::selector::{FieldRange, Limit, Selector};
use trunkline_store::DocsScan;

/// The ranges of the first columns of an index, as far as the selector has some.
pub(super) type Prefix<'a> = Vec<FieldRange<'a>>;

/// Where the documents are that may match, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// The least, and whether it is among them.
    pub low: Option<(String, bool)>,
    /// The greatest, and whether it is among them.
    pub high: Option<(String, bool)>,
    /// None can match.
    pub none: bool,
}

/// A range as CouchDB would say it, in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTexts {
    /// `start_key`
    pub start: String,
    /// `end_key`
    pub end: String,
}

/// The ranges of an index's first columns.
pub(super) fn prefix<'a>(selector: &'a Selector, columns: &[String]) -> Prefix<'a> {
    let ranges = selector.ranges();
    let mut prefix = Prefix::new();
    for column in columns {
        match ranges.get(column.as_str()) {
            Some(range) => prefix.push(range.clone()),
            None => break,
        }
    }
    prefix
}

/// The places of rows whose key may match, all of which begin with `common`: a view, and perhaps a partition. An id is compared by its bytes, of which the order of keys knows only whether
/// they are equal.
pub(super) fn places(common: Vec<u8>, columns: &[String], prefix: &Prefix<'_>) -> Range<Vec<u8>> {
    let Range { mut start, mut end } = all(&common);
    let (mut low_ends, mut high_ends) = (false, false);
    let mut key = common;
    if Collation::Unicode.sort_key("[]", &mut key).is_err() {
        return start..end;
    }
    // What arrays begin with, without the end of this one.
    key.pop();
    let (mut low, mut high) = (key.clone(), key);
    for (column, range) in columns.iter().zip(prefix) {
        let is_equality = range.low.is_some() && range.low == range.high;
        if column == "_id" && !is_equality {
            break;
        }
        if !low_ends {
            low_ends = !extend(&mut low, range.low, &mut start, |key| key, |key| behind(&key));
        }
        if !high_ends {
            high_ends = !extend(&mut high, range.high, &mut end, |key| behind(&key), |key| key);
        }
    }
    if !low_ends {
        start = low;
    }
    if !high_ends {
        end = behind(&high);
    }
    start..end
}

/// Adds a limit to a key. Where there is none, or it is not in the range itself, the key ends, and with it one end of the
/// range is known.
fn extend(
    key: &mut Vec<u8>,
    limit: Option<Limit<'_>>,
    end: &mut Vec<u8>,
    open: impl FnOnce(Vec<u8>) -> Vec<u8>,
    excluded: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> bool {
    let so_far = key.clone();
    match limit {
        Some(limit) if Collation::Unicode.sort_key(limit.value, key).is_ok() => {
            if !limit.inclusive {
                *end = excluded(std::mem::take(key));
            }
            limit.inclusive
        }
        _ => {
            *end = open(so_far);
            false
        }
    }
}

/// The same for `_explain`.
pub(super) fn texts(prefix: &Prefix<'_>) -> KeyTexts {
    let values = |limit: for<'a> fn(&FieldRange<'a>) -> Option<Limit<'a>>| {
        let values = prefix
            .iter()
            .map_while(|range| Some(limit(range)?.value.to_owned()));
        values.collect::<Vec<_>>()
    };
    let mut end = values(|range| range.high);
    end.push("\"<MAX>\"".to_owned());
    KeyTexts {
        start: format!("[{}]", values(|range| range.low).join(",")),
        end: format!("[{}]", end.join(",")),
    }
}

impl Ids {
    /// Of documents that may match.
    pub(super) fn of(selector: &Selector, partition: Option<&Partition>) -> Ids {
        let ids = Ids::of_selector(selector);
        let Some(partition) = partition else { return ids };
        let (first, behind) = partition.ids();
        let low = ids.low.filter(|(low, _)| *low >= first);
        let high = ids.high.filter(|(high, _)| *high < behind);
        let (low, high) = (low.unwrap_or((first, true)), high.unwrap_or((behind, false)));
        Ids {
            none: ids.none || low.0 > high.0,
            low: Some(low),
            high: Some(high),
        }
    }

    fn of_selector(selector: &Selector) -> Ids {
        let ranges = selector.ranges();
        let Some(range) = ranges.get("_id") else {
            return Ids::default();
        };
        let id = |limit: Option<Limit<'_>>| {
            let limit = limit?;
            Some((json::string(limit.value)?.into_owned(), limit.inclusive))
        };
        let (low, high) = (id(range.low), id(range.high));
        // A string is greater than any other value.
        let none = range.high.is_some() && high.is_none()
            || match (&low, &high) {
                (Some(low), Some(high)) => low.0 > high.0 || low.0 == high.0 && !(low.1 && high.1),
                _ => false,
            };
        Ids { low, high, none }
    }

    /// Of their bodies.
    pub(super) fn scan(&self, descending: bool) -> DocsScan {
        let (start, end) = if descending {
            (&self.high, &self.low)
        } else {
            (&self.low, &self.high)
        };
        DocsScan {
            start: start.as_ref().map(|(id, _)| id.clone()),
            after_start: start.as_ref().is_some_and(|(_, inclusive)| !inclusive),
            end: end.as_ref().map(|(id, _)| id.clone()),
            inclusive_end: end.as_ref().is_none_or(|(_, inclusive)| *inclusive),
            descending,
            bodies: true,
            limit: usize::MAX,
        }
    }

    /// The range in JSON.
    pub fn texts(&self) -> KeyTexts {
        let text = |limit: &Option<(String, bool)>, other: &str| match limit {
            Some((id, _)) => {
                let mut out = Vec::new();
                json::quote(id, &mut out);
                String::from_utf8(out).unwrap_or_default()
            }
            None => other.to_owned(),
        };
        KeyTexts {
            start: text(&self.low, "\"\""),
            end: text(&self.high, "\"<MAX>\""),
        }
    }
}
