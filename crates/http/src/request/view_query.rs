//! Options of a view: from the body of a POST, and from the query string, which wins.

use super::range::{boolean, count};
use super::{Query, format};
use crate::body::INVALID_JSON;
use crate::error::{Error, Result};
use trunkline_core::json;
use trunkline_core::partition::Partition;
use trunkline_query::index::Grouping;
use trunkline_query::view::Keys;
use trunkline_wire::all_docs;
use trunkline_wire::format::Format;

/// Which rows, in which order, reduced or not, and what of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct ViewQuery {
    /// Asked for by key, each as JSON text.
    pub(crate) keys: Option<Vec<String>>,
    pub(crate) range: Keys,
    pub(crate) skip: u64,
    pub(crate) limit: Option<u64>,
    reduce: Option<bool>,
    group: Option<bool>,
    group_level: Option<usize>,
    pub(crate) include_docs: bool,
    conflicts: Option<bool>,
    pub(crate) attachments: bool,
    pub(crate) att_encoding_info: bool,
    pub(crate) update_seq: bool,
    pub(crate) update: Update,
    /// How rows are written.
    pub(crate) format: Format,
}

/// Whether the index is brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Update {
    /// Before the answer.
    #[default]
    First,
    /// Not for this answer.
    No,
    /// Behind the answer.
    Lazy,
}

impl ViewQuery {
    pub(crate) fn parse(query: &Query, posted: Option<&all_docs::Query>) -> Result<ViewQuery> {
        let mut asked = ViewQuery::default();
        asked.set_posted(posted)?;
        asked.set_queried(query)?;
        Ok(asked)
    }

    /// One of several queries in a body: what it says counts more than the query string.
    pub(crate) fn parse_one_of(query: &Query, posted: &all_docs::Query) -> Result<ViewQuery> {
        let mut asked = ViewQuery::default();
        asked.set_queried(query)?;
        asked.set_posted(Some(posted))?;
        if asked.format != Format::Json {
            return Err(Error::QueryParse(
                "`format` is for one query at a time.".to_owned(),
            ));
        }
        Ok(asked)
    }

    /// How rows are reduced, for a view that has a reduction or not; CouchDB's words for what does not go together.
    pub(crate) fn grouping(&self, reduces: bool) -> Result<Option<Grouping>> {
        let refuse = |reason: &str| Err(Error::QueryParse(reason.to_owned()));
        let reduced = reduces && self.reduce != Some(false);
        let level = self.level()?;
        if !reduces && self.reduce == Some(true) {
            return refuse("Reduce is invalid for map-only views.");
        }
        if reduced && self.keys.is_some() && level != Grouping::Keys {
            return refuse("Multi-key fetches for reduce views must use `group=true`");
        }
        let some_keys = self.keys.as_ref().is_some_and(|keys| !keys.is_empty());
        if some_keys && (self.range.start.is_some() || self.range.end.is_some()) {
            return refuse("`keys` is incompatible with `key`, `start_key` and `end_key`");
        }
        if !reduced {
            return match level {
                Grouping::All => Ok(None),
                _ => refuse("Invalid use of grouping on a map view."),
            };
        }
        if self.include_docs {
            return refuse("`include_docs` is invalid for reduce");
        }
        if self.conflicts.is_some() {
            return refuse("`conflicts` is invalid for reduce views.");
        }
        Ok(Some(level))
    }

    /// Whether a design document's views may be asked like this, which are by partition or not.
    pub(crate) fn check_partition(&self, partitioned: bool) -> Result<()> {
        let refuse = |reason: &str| Err(Error::QueryParse(reason.to_owned()));
        match (partitioned, &self.range.partition) {
            (true, None) => refuse("`partition` parameter is mandatory for queries to this view."),
            (false, Some(_)) => refuse("`partition` parameter is not supported in this design doc"),
            _ => Ok(()),
        }
    }

    fn level(&self) -> Result<Grouping> {
        match (self.group, self.group_level) {
            (Some(false), Some(level)) if level > 0 => Err(Error::QueryParse(
                "Can't specify group=false and group_level>0 at the same time".to_owned(),
            )),
            (_, Some(level)) if level > 0 => Ok(Grouping::Elements(level)),
            (Some(true), None) => Ok(Grouping::Keys),
            _ => Ok(Grouping::All),
        }
    }

    /// Whether documents are shown with their conflicts.
    pub(crate) fn conflicts(&self) -> bool {
        self.conflicts == Some(true)
    }

    fn set_queried(&mut self, query: &Query) -> Result<()> {
        for (name, value) in query.pairs() {
            self.set(name, value)?;
        }
        Ok(())
    }

    fn set_posted(&mut self, posted: Option<&all_docs::Query>) -> Result<()> {
        let Some(posted) = posted else { return Ok(()) };
        for (name, json) in &posted.options {
            // Posted values are JSON: a boolean reads as in a query string, a string without its quotes.
            let text = match name.as_str() {
                "key" | "startkey" | "start_key" | "endkey" | "end_key" => None,
                _ => json::string(json),
            };
            self.set(name, text.as_deref().unwrap_or(json))?;
        }
        if let Some(keys) = &posted.keys {
            self.keys = Some(keys.clone());
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let range = &mut self.range;
        match name {
            "key" => {
                range.start = Some(key(value)?);
                range.end = range.start.clone();
            }
            "keys" => self.keys = Some(keys(value)?),
            "startkey" | "start_key" => range.start = Some(key(value)?),
            "endkey" | "end_key" => range.end = Some(key(value)?),
            "startkey_docid" | "start_key_doc_id" => range.start_id = Some(value.to_owned()),
            "endkey_docid" | "end_key_doc_id" => range.end_id = Some(value.to_owned()),
            "inclusive_end" => range.exclusive_end = !boolean(value)?,
            "descending" => range.descending = boolean(value)?,
            "skip" => self.skip = count(value)? as u64,
            "limit" => self.limit = Some(count(value)? as u64),
            "reduce" => self.reduce = Some(boolean(value)?),
            "group" => self.group = Some(boolean(value)?),
            "group_level" => self.group_level = Some(count(value)?),
            "include_docs" => self.include_docs = boolean(value)?,
            "conflicts" => self.conflicts = Some(boolean(value)?),
            "attachments" => self.attachments = boolean(value)?,
            "att_encoding_info" => self.att_encoding_info = boolean(value)?,
            "update_seq" => self.update_seq = boolean(value)?,
            "format" => self.format = format(value)?,
            "sorted" => drop(boolean(value)?),
            "update" | "stale" | "stable" => self.set_update(name, value)?,
            "partition" => range.partition = Some(Partition::parse(value)?),
            _ => {}
        }
        Ok(())
    }

    fn set_update(&mut self, name: &str, value: &str) -> Result<()> {
        self.update = match (name, value) {
            ("update", "true") => Update::First,
            ("update", "false") | ("stale", "ok") => Update::No,
            ("update", "lazy") | ("stale", "update_after") => Update::Lazy,
            ("stable", "true" | "false") => return Ok(()),
            _ => return Err(Error::QueryParse(format!("Invalid value for `{name}`."))),
        };
        Ok(())
    }
}

fn key(value: &str) -> Result<String> {
    let key = json::validate(value.as_bytes()).map_err(|_| INVALID_JSON)?;
    Ok(key.trim().to_owned())
}

fn keys(value: &str) -> Result<Vec<String>> {
    let list = key(value)?;
    if !list.starts_with('[') {
        return Err(Error::bad("`keys` parameter must be an array."));
    }
    let mut keys = Vec::new();
    json::elements(&list, |key| {
        keys.push(key.to_owned());
        Ok::<_, json::JsonError>(())
    })
    .map_err(|_| INVALID_JSON)?;
    Ok(keys)
}
