//! Options of `_all_docs` and its kin: from the body of a POST, and from the query string, which wins.

use super::Query;
use super::range::{boolean, count};
use crate::body::INVALID_JSON;
use crate::error::{Error, Result};
use trunkline_core::partition::Partition;
use trunkline_store::DocsScan;
use trunkline_wire::all_docs;

/// Which documents, in which order, and what of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct DocsRange {
    /// Asked for by key, each as JSON text.
    pub(crate) keys: Option<Vec<String>>,
    /// Only ids in it.
    pub(crate) partition: Option<Partition>,
    start: Key,
    end: Key,
    exclusive_end: bool,
    pub(crate) descending: bool,
    pub(crate) skip: usize,
    pub(crate) limit: Option<usize>,
    pub(crate) include_docs: bool,
    pub(crate) conflicts: bool,
    pub(crate) attachments: bool,
    pub(crate) att_encoding_info: bool,
    pub(crate) update_seq: bool,
}

/// A bound of the range. Keys that are no strings lie before or behind all ids, in CouchDB's order of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    None,
    Id(String),
    BeforeAll,
    BehindAll,
}

impl Key {
    fn parse(json: &str) -> Result<Key> {
        let value: serde_json::Value = serde_json::from_str(json).map_err(|_| INVALID_JSON)?;
        Ok(match value {
            serde_json::Value::String(id) => Key::Id(id),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Key::BehindAll,
            _ => Key::BeforeAll,
        })
    }
}

impl DocsRange {
    pub(crate) fn parse(query: &Query, posted: Option<&all_docs::Query>) -> Result<DocsRange> {
        let mut range = DocsRange::default();
        range.set_posted(posted)?;
        range.set_queried(query)?;
        range.check()
    }

    /// One of several queries in a body: what it says counts more than the query string.
    pub(crate) fn parse_one_of(query: &Query, posted: &all_docs::Query) -> Result<DocsRange> {
        let mut range = DocsRange::default();
        range.set_queried(query)?;
        range.set_posted(Some(posted))?;
        range.check()
    }

    fn check(self) -> Result<DocsRange> {
        let some_keys = self.keys.as_ref().is_some_and(|keys| !keys.is_empty());
        if some_keys && (self.start != Key::None || self.end != Key::None) {
            return Err(Error::QueryParse(
                "`keys` is incompatible with `key`, `start_key` and `end_key`".to_owned(),
            ));
        }
        Ok(self)
    }

    fn set_queried(&mut self, query: &Query) -> Result<()> {
        for (name, value) in query.pairs() {
            self.set(name, value)?;
        }
        Ok(())
    }

    fn set_posted(&mut self, posted: Option<&all_docs::Query>) -> Result<()> {
        if let Some(posted) = posted {
            for (name, json) in &posted.options {
                // Posted values are JSON: a boolean reads as in a query string, a string without its quotes.
                let is_key = matches!(
                    name.as_str(),
                    "key" | "startkey" | "start_key" | "endkey" | "end_key"
                );
                let text = if is_key {
                    None
                } else {
                    serde_json::from_str::<String>(json).ok()
                };
                self.set(name, text.as_deref().unwrap_or(json))?;
            }
            if let Some(keys) = &posted.keys {
                self.keys = Some(keys.clone());
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "key" => {
                self.start = Key::parse(value)?;
                self.end = self.start.clone();
            }
            "keys" => self.keys = Some(keys(value)?),
            "startkey" | "start_key" => self.start = Key::parse(value)?,
            "endkey" | "end_key" => self.end = Key::parse(value)?,
            "partition" => self.partition = Some(Partition::parse(value)?),
            "inclusive_end" => self.exclusive_end = !boolean(value)?,
            "descending" => self.descending = boolean(value)?,
            "skip" => self.skip = count(value)?,
            "limit" => self.limit = Some(count(value)?),
            "include_docs" => self.include_docs = boolean(value)?,
            "conflicts" => self.conflicts = boolean(value)?,
            "attachments" => self.attachments = boolean(value)?,
            "att_encoding_info" => self.att_encoding_info = boolean(value)?,
            "update_seq" => self.update_seq = boolean(value)?,
            "reduce" if boolean(value)? => {
                return Err(Error::QueryParse(
                    "Reduce is invalid for map-only views.".to_owned(),
                ));
            }
            "group" if boolean(value)? => {
                return Err(Error::QueryParse(
                    "Invalid use of grouping on a map view.".to_owned(),
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps the range within `low..high`, for `_design_docs`.
    pub(crate) fn within(mut self, low: &str, high: &str) -> DocsRange {
        let (first, last) = if self.descending {
            (&mut self.end, &mut self.start)
        } else {
            (&mut self.start, &mut self.end)
        };
        match first {
            Key::Id(id) if id.as_str() >= low => {}
            Key::BehindAll => {}
            _ => *first = Key::Id(low.to_owned()),
        }
        match last {
            Key::Id(id) if id.as_str() <= high => {}
            Key::BeforeAll => {}
            _ => *last = Key::Id(high.to_owned()),
        }
        self
    }

    /// What the store is to scan, without skip and limit; `None` when no id can be in the range.
    pub(crate) fn scan(&self) -> Option<DocsScan> {
        // Descending, the start is the upper bound.
        let (nothing_before, nothing_behind) = if self.descending {
            (Key::BeforeAll, Key::BehindAll)
        } else {
            (Key::BehindAll, Key::BeforeAll)
        };
        if self.start == nothing_before || self.end == nothing_behind {
            return None;
        }
        let id = |key: &Key| match key {
            Key::Id(id) => Some(id.clone()),
            _ => None,
        };
        Some(DocsScan {
            start: id(&self.start),
            after_start: false,
            end: id(&self.end),
            inclusive_end: !self.exclusive_end,
            descending: self.descending,
            bodies: self.include_docs,
            limit: usize::MAX,
        })
    }

    /// Whether an id lies in the range.
    pub(crate) fn holds(&self, id: &str) -> bool {
        let Some(scan) = self.scan() else { return false };
        let before = |a: &str, b: &str| if self.descending { a > b } else { a < b };
        !scan.start.as_deref().is_some_and(|start| before(id, start))
            && !scan
                .end
                .as_deref()
                .is_some_and(|end| before(end, id) || (self.exclusive_end && end == id))
    }
}

fn keys(json: &str) -> Result<Vec<String>> {
    let keys: Vec<Box<serde_json::value::RawValue>> = match serde_json::from_str(json) {
        Ok(keys) => keys,
        Err(error) if error.is_data() => return Err(Error::bad("`keys` parameter must be an array.")),
        Err(_) => return Err(INVALID_JSON),
    };
    Ok(keys.iter().map(|key| key.get().to_owned()).collect())
}
