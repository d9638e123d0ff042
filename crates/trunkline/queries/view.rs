//! A question to a view.

use super::groups::{Groups, of_groups};
use super::rows::{Rows, RowsWithDocs};
use crate::{Database, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_core::partition::Partition;
use trunkline_query::Walk;
use trunkline_query::index::Grouping;
use trunkline_query::view::Keys;

/// A question to a view: which rows, in which order. Asked with [`View::rows`], [`View::groups`] and the like; made by
/// [`Database::view`].
///
/// The index is brought up to date first, by the caller's thread and those that map: there is nobody in a library who
/// does it in the background.
#[derive(Debug)]
#[must_use = "nothing is asked yet"]
pub struct View {
    pub(super) database: Database,
    design: String,
    name: String,
    range: Keys,
    keys: Option<Vec<String>>,
    skip: u64,
    limit: u64,
    grouping: Grouping,
    as_it_is: bool,
    invalid: Option<Error>,
}

impl Database {
    /// A view of a design document, or of [`Views`](crate::Views) of that name: nothing is read yet.
    pub fn view(&self, design: &str, view: &str) -> View {
        View {
            database: self.clone(),
            design: design.to_owned(),
            name: view.to_owned(),
            range: Keys::default(),
            keys: None,
            skip: 0,
            limit: u64::MAX,
            grouping: Grouping::Keys,
            as_it_is: false,
            invalid: None,
        }
    }
}

impl View {
    /// Only rows of this key.
    pub fn key<K: Serialize + ?Sized>(mut self, key: &K) -> View {
        self.range.start = self.text(key);
        self.range.end = self.range.start.clone();
        self
    }

    /// Only rows of these keys, in the order of `keys`.
    pub fn keys<K: Serialize>(mut self, keys: impl IntoIterator<Item = K>) -> View {
        let keys: Vec<_> = keys.into_iter().map(|key| self.text(&key)).collect();
        self.keys = keys.into_iter().collect();
        self
    }

    /// Only rows whose keys are arrays that begin with these elements.
    pub fn prefix<K: Serialize + ?Sized>(mut self, elements: &K) -> View {
        if let Some(text) = self.text(elements) {
            match text.starts_with('[') {
                true => self.range.prefix = Some(text),
                false => self.invalid = Some(Error::Invalid(format!("{text} is no array of elements"))),
            }
        }
        self
    }

    /// Only rows of documents of this partition, which is what most views of a partitioned database answer for.
    pub fn partition(mut self, name: &str) -> View {
        match Partition::parse(name) {
            Ok(partition) => self.range.partition = Some(partition),
            Err(error) => self.invalid = Some(Error::Invalid(error.to_string())),
        }
        self
    }

    /// Begins with the rows of this key, or of the next one.
    pub fn start<K: Serialize + ?Sized>(mut self, key: &K) -> View {
        self.range.start = self.text(key);
        self
    }

    /// Of the rows of the key that it starts with, begins with those of this document.
    pub fn start_id(mut self, id: &str) -> View {
        self.range.start_id = Some(id.to_owned());
        self
    }

    /// Ends with the rows of this key, or of the one before.
    pub fn end<K: Serialize + ?Sized>(mut self, key: &K) -> View {
        self.range.end = self.text(key);
        self.range.exclusive_end = false;
        self
    }

    /// Ends before the rows of this key.
    pub fn end_before<K: Serialize + ?Sized>(mut self, key: &K) -> View {
        self.range.end = self.text(key);
        self.range.exclusive_end = true;
        self
    }

    /// Of the rows of the key that it ends with, ends with those of this document.
    pub fn end_id(mut self, id: &str) -> View {
        self.range.end_id = Some(id.to_owned());
        self
    }

    /// From the greatest key down. What it starts with is greater then than what it ends with.
    pub fn descending(mut self) -> View {
        self.range.descending = true;
        self
    }

    /// Without the first so many.
    pub fn skip(mut self, rows: u64) -> View {
        self.skip = rows;
        self
    }

    /// Not more than so many.
    pub fn limit(mut self, rows: u64) -> View {
        self.limit = rows;
        self
    }

    /// Groups are of keys that begin with so many equal elements, and not of equal keys. 0 makes one group of all.
    pub fn group_level(mut self, level: usize) -> View {
        self.grouping = match level {
            0 => Grouping::All,
            level => Grouping::Elements(level),
        };
        self
    }

    /// Answers from the index as it is, however old, without waiting. One that was never built answers nothing; while one
    /// of a changed design document has not been built, the one before answers.
    pub fn as_it_is(mut self) -> View {
        self.as_it_is = true;
        self
    }

    /// The rows that the map function made, whether or not the view reduces.
    pub fn rows<K: DeserializeOwned, V: DeserializeOwned>(self) -> Rows<K, V> {
        Rows::new(self)
    }

    /// The rows, each with its document: the one that it was made of, or the one that its value names (`_id`, and perhaps
    /// `_rev`). `None` where that is not there, or deleted.
    pub fn rows_with_docs<K, V, D>(self) -> RowsWithDocs<K, V, D>
    where
        K: DeserializeOwned,
        V: DeserializeOwned,
        D: DeserializeOwned,
    {
        RowsWithDocs::new(self)
    }

    /// What the rows of each key come to; or of keys that begin alike, see [`View::group_level`].
    pub fn groups<K: DeserializeOwned, V: DeserializeOwned>(self) -> Groups<K, V> {
        of_groups(self)
    }

    /// What all rows come to; `None` when there are none.
    pub fn reduced<V: DeserializeOwned>(self) -> Result<Option<V>> {
        let mut groups = of_groups::<serde::de::IgnoredAny, V>(self.group_level(0));
        let only = groups.next().transpose()?;
        Ok(only.map(|group| group.value))
    }

    /// How many rows there are. Costs little, however many.
    pub fn count(self) -> Result<u64> {
        let (walk, _) = self.open(false)?;
        match walk.index().snapshot()? {
            Some(snapshot) => Ok(walk.count(&snapshot)?),
            None => Ok(0),
        }
    }

    /// Brings the index up to date, and begins.
    pub(super) fn open(self, reduces: bool) -> Result<(Walk, Grouping)> {
        if let Some(invalid) = self.invalid {
            return Err(invalid);
        }
        let invalid = |what: &str| {
            let asked = format!("{}/{}", self.design, self.name);
            Err(Error::Invalid(format!("the view {asked}: {what}")))
        };
        let indexes = self.database.index_files();
        let opened = indexes.open(self.database.engine(), &format!("_design/{}", self.design))?;
        let mut view = opened.view(&self.name)?;
        if reduces && view.reduce.is_none() {
            return invalid("it has no reduce function");
        }
        match (opened.design.partitioned, &self.range.partition) {
            (true, None) => return invalid("it answers for one partition at a time"),
            (false, Some(_)) => return invalid("it is not kept by partition"),
            _ => {}
        }
        let has_range = self.range.start.is_some() || self.range.end.is_some() || self.range.prefix.is_some();
        if self.keys.is_some() && has_range {
            return invalid("a list of keys and a range do not go together");
        }
        if reduces && self.keys.is_some() && self.grouping != Grouping::Keys {
            return invalid("a list of keys is reduced key by key");
        }
        let mut index = opened.index.clone();
        if !self.as_it_is {
            opened.update()?;
        } else if let Some(before) = indexes.whole(&opened, &self.name)? {
            view = before.view(&self.name)?;
            index = before.index.clone();
        }
        if self.range.is_reversed(index.collation(view.number)) {
            return invalid("no key is between those that it starts and ends with, in that direction");
        }
        let page = (self.skip, self.limit);
        let walk = Walk::new(&opened.db, index, view, self.range, self.keys, page);
        Ok((walk, self.grouping))
    }

    fn text<K: Serialize + ?Sized>(&mut self, key: &K) -> Option<String> {
        match serde_json::to_string(key) {
            Ok(text) => Some(text),
            Err(error) => {
                self.invalid = Some(Error::Invalid(format!("a key cannot be JSON: {error}")));
                None
            }
        }
    }
}
