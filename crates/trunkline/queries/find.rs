//! A question by selector, and the indexes that answer it.

use super::found::Found;
use crate::doc::Doc;
use crate::{Database, Edits, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use trunkline_core::limits::PLANS_MAX;
use trunkline_core::partition::Partition;
use trunkline_core::selector::Selector;
use trunkline_query::mango::{MangoIndex, Plan, Search, Shown, Source, Wanted};
use trunkline_query::{Error as QueryError, ViewIndex};
use trunkline_wire::find::{self as wire, FindRequest};

/// A question for documents that match a selector. Asked with [`Find::docs`], [`Find::values`] or [`Find::count`]; made by
/// [`Database::find`].
#[derive(Debug)]
#[must_use = "nothing is asked yet"]
pub struct Find {
    database: Database,
    request: Result<FindRequest>,
}

/// An index that a selector may be answered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its design document, without `_design/`.
    pub design: String,
    /// Its name in it.
    pub name: String,
}

impl Database {
    /// The documents that match a Mango selector, by an index where one fits, and else by looking at all: nothing is read
    /// yet. A selector is an object: `json!({"account": "a", "seconds": {"$gt": 60}})`.
    pub fn find<S: Serialize + ?Sized>(&self, selector: &S) -> Find {
        let text = serde_json::to_string(selector).map_err(|error| invalid(&error));
        let request = text.map(|selector| {
            let mut request = FindRequest::new(selector);
            request.limit = u64::MAX;
            request
        });
        Find {
            database: self.clone(),
            request,
        }
    }

    /// Makes an index of fields, under the name of a design document that holds nothing else, where there is none. It
    /// has the documents that have all of the fields, and is brought up to date whenever it is asked. In a partitioned
    /// database it is by partition.
    pub fn create_index(&self, name: &str, fields: &[&str]) -> Result<Index> {
        let fields = serde_json::to_string(fields).map_err(|error| invalid(&error))?;
        let asked = format!("{{\"index\":{{\"fields\":{fields}}}}}");
        let index = wire::parse_index(asked.as_bytes()).map_err(|refusal| invalid(&refusal.reason))?;
        let id = format!("_design/{name}");
        loop {
            let before = self.get::<Box<serde_json::value::RawValue>>(&id)?;
            let body = before.as_ref().map(|doc| doc.value.get());
            let added =
                wire::add_index((&id, body), name, &index).map_err(|refusal| invalid(&refusal.reason))?;
            if let Some(body) = added {
                let value =
                    serde_json::value::RawValue::from_string(body).map_err(|error| invalid(&error))?;
                let mut edits = Edits::new();
                match before {
                    Some(before) => edits.save(&Doc { value, ..before })?,
                    None => edits.put(&id, &value)?,
                };
                match self.write_all(edits) {
                    // Somebody else made one meanwhile.
                    Err(error) if error.is_conflict() => continue,
                    written => drop(written?),
                }
            }
            return Ok(Index {
                design: name.to_owned(),
                name: name.to_owned(),
            });
        }
    }

    /// The indexes that there are.
    pub fn indexes(&self) -> Result<Vec<Index>> {
        let catalog = self.index_files().catalog(self.engine())?;
        let index = |index: &MangoIndex| Index {
            design: index.ddoc.clone(),
            name: index.name.clone(),
        };
        Ok(catalog.indexes.iter().map(index).collect())
    }
}

fn invalid(what: &dyn std::fmt::Display) -> Error {
    Error::Invalid(what.to_string())
}

impl Find {
    /// Only documents of this partition.
    pub fn partition(mut self, name: &str) -> Find {
        match Partition::parse(name) {
            Ok(partition) => self.with(|request| request.partition = Some(partition)),
            Err(error) => {
                self.request = Err(invalid(&error));
                self
            }
        }
    }

    /// In the order of these fields. There must be an index that begins with them.
    pub fn sort(self, fields: &[&str]) -> Find {
        self.with(|request| request.sort.fields = fields.iter().map(|&field| field.to_owned()).collect())
    }

    /// From the end of the order.
    pub fn descending(self) -> Find {
        self.with(|request| request.sort.descending = true)
    }

    /// Without the first so many.
    pub fn skip(self, documents: u64) -> Find {
        self.with(|request| request.skip = documents)
    }

    /// Not more than so many.
    pub fn limit(self, documents: u64) -> Find {
        self.with(|request| request.limit = documents)
    }

    /// Goes on where an answer to the same question ended; see [`Found::bookmark`].
    pub fn bookmark(self, bookmark: &str) -> Find {
        self.with(|request| request.bookmark = Some(bookmark.to_owned()))
    }

    /// By this index or none.
    pub fn by(self, index: &Index) -> Find {
        self.with(|request| {
            request.use_index = vec![index.design.clone(), index.name.clone()];
            request.allow_fallback = false;
        })
    }

    /// From the index as it is, however old, without waiting.
    pub fn as_it_is(self) -> Find {
        self.with(|request| request.update = false)
    }

    /// The documents.
    pub fn docs<T: DeserializeOwned>(self) -> Found<Doc<T>> {
        Found::docs(self)
    }

    /// Some fields of the documents, each an object of those that there are. An index that has them all is all that is
    /// read.
    pub fn values<T: DeserializeOwned>(self, fields: &[&str]) -> Found<T> {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        Found::values(self.with(|request| request.fields = fields))
    }

    /// How many there are.
    pub fn count(self) -> Result<u64> {
        let mut search = self
            .with(|request| request.fields = vec!["_id".to_owned()])
            .open()?;
        while !search.is_done() {
            search.chunk(&mut |_| {})?;
        }
        Ok(search.stats().results)
    }

    /// Which index would answer; `None` when all documents are looked at.
    pub fn index(&self) -> Result<Option<Index>> {
        let request = self.request.as_ref().map_err(|error| invalid(error))?;
        let plan = self.plan(request)?.1;
        Ok(match plan.source {
            Source::Documents(_) => None,
            Source::Index { index, .. } => Some(Index {
                design: index.ddoc,
                name: index.name,
            }),
        })
    }

    fn with(mut self, set: impl FnOnce(&mut FindRequest)) -> Find {
        if let Ok(request) = &mut self.request {
            set(request);
        }
        self
    }

    fn plan(&self, request: &FindRequest) -> Result<(Selector, Plan)> {
        let selector = Selector::parse(&request.selector).map_err(|error| invalid(&error))?;
        let catalog = self.database.index_files().catalog(self.database.engine())?;
        let wanted = Wanted {
            selector: &selector,
            sort: &request.sort,
            fields: &request.fields,
            use_index: &request.use_index,
            allow_fallback: request.allow_fallback,
            partition: request.partition.as_ref(),
        };
        if request.partition.is_some() && !catalog.partitioned {
            return Err(invalid(&"the database has no partitions"));
        }
        let mut plan = Plan::new(&catalog, &wanted).map_err(|none| invalid(&none))?;
        plan.nothing |= request.lists_nothing();
        Ok((selector, plan))
    }

    /// Of a database, as it would be asked over HTTP.
    pub(super) fn of(database: &Database, request: FindRequest) -> Find {
        Find {
            database: database.clone(),
            request: Ok(request),
        }
    }

    /// Chooses an index, and brings it up to date.
    pub(super) fn begin(&self, request: &FindRequest) -> Result<(Selector, Plan, Option<Arc<ViewIndex>>)> {
        let (indexes, db) = (self.database.index_files(), self.database.engine());
        for _ in 0..PLANS_MAX {
            let (selector, plan) = self.plan(request)?;
            let index = match &plan.source {
                Source::Documents(_) => None,
                Source::Index { index, .. } if request.update && !plan.nothing => {
                    let opened = match indexes.open(db, &format!("_design/{}", index.ddoc)) {
                        Err(QueryError::NoDesign | QueryError::DesignDeleted) => continue,
                        opened => opened?,
                    };
                    // Somebody wrote another one since the plan was made.
                    if opened.design.signature != index.design.signature {
                        continue;
                    }
                    opened.update()?;
                    Some(opened.index)
                }
                Source::Index { index, .. } => Some(indexes.index(db, index.design.as_ref().clone())?),
            };
            return Ok((selector, plan, index));
        }
        Err(QueryError::Outdated.into())
    }

    /// Begins.
    pub(super) fn open(self) -> Result<Search> {
        let request = match &self.request {
            Ok(request) => request,
            Err(_) => return Err(self.request.err().unwrap_or_else(|| invalid(&"no request"))),
        };
        let (selector, plan, index) = self.begin(request)?;
        let shown = Shown::new(&request.fields, false).map_err(|error| invalid(&error))?;
        let bookmark = request.bookmark.as_deref();
        let search = Search::new(self.database.engine(), index, selector, &plan, shown, bookmark);
        let search = search.ok_or_else(|| invalid(&"that is no bookmark of this question"))?;
        Ok(search.page(request.skip, request.limit))
    }
}
