//! Asking a view: which rows, in which order, reduced or not.

use crate::Error;
use crate::index::{Grouping, Row, Snapshot, ViewNumber, behind, whole};
use crate::mapper::collation;
use crate::patience::Patience;
use crate::reducers::{ReduceFailure, Reducers};
use crate::view_index::ViewIndex;
use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use trunkline_core::collate::{Collation, sort_key_group_length, text_sort_key};
use trunkline_core::json::JsonError;
use trunkline_core::partition::Partition;

/// A range of rows as CouchDB's options say it. Keys are JSON texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Only rows of this partition; of a partitioned index it names one.
    pub partition: Option<Partition>,
    /// Only rows whose keys begin with the elements of this array.
    pub prefix: Option<String>,
    /// Where it starts, in the direction of `descending`.
    pub start: Option<String>,
    /// Of rows with that key, those from this document on.
    pub start_id: Option<String>,
    /// Where it ends.
    pub end: Option<String>,
    /// Of rows with that key, those up to this document.
    pub end_id: Option<String>,
    /// The end itself does not belong to it.
    pub exclusive_end: bool,
    /// From the greatest key down.
    pub descending: bool,
}

/// Consecutive rows of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The first, up to behind the last.
    pub range: Range<Vec<u8>>,
    /// Whether they are read from the end.
    pub descending: bool,
    /// Where emitted keys begin in each place: behind the view, and the partition if there is one.
    pub(crate) keys_from: usize,
}

/// What the places of a view begin with, or of a partition in it.
pub(crate) fn common(view: ViewNumber, partition: Option<&Partition>) -> Vec<u8> {
    let mut place = view.to_be_bytes().to_vec();
    if let Some(partition) = partition {
        text_sort_key(partition.as_str(), &mut place);
    }
    place
}

/// All places that begin with what [`common`] says.
pub(crate) fn all(common: &[u8]) -> Range<Vec<u8>> {
    match <[u8; 2]>::try_from(common) {
        Ok(view) => whole(ViewNumber::from_be_bytes(view)),
        Err(_) => common.to_vec()..behind(common),
    }
}

impl Keys {
    /// Where the rows are in a view.
    pub fn places(&self, view: ViewNumber, order: Collation) -> Result<Places, JsonError> {
        let common = common(view, self.partition.as_ref());
        let sort_key = |key: &Option<String>| -> Result<Option<Vec<u8>>, JsonError> {
            let Some(key) = key else { return Ok(None) };
            let mut place = common.clone();
            order.sort_key(key, &mut place)?;
            Ok(Some(place))
        };
        let of_document = |mut place: Vec<u8>, id: &Option<String>| {
            if let Some(id) = id {
                crate::index::put_id(id, &mut place);
            }
            place
        };
        let within = match sort_key(&self.prefix)? {
            Some(mut place) => {
                // The end of the array.
                place.pop();
                place.clone()..behind(&place)
            }
            None => all(&common),
        };
        let Range { mut start, mut end } = within.clone();
        let (from, to) = (sort_key(&self.start)?, sort_key(&self.end)?);
        if self.descending {
            if let Some(from) = from {
                end = behind(&of_document(from, &self.start_id));
            }
            if let Some(to) = to {
                let to = of_document(to, &self.end_id);
                start = if self.exclusive_end { behind(&to) } else { to };
            }
        } else {
            if let Some(from) = from {
                start = of_document(from, &self.start_id);
            }
            if let Some(to) = to {
                let to = of_document(to, &self.end_id);
                end = if self.exclusive_end { to } else { behind(&to) };
            }
        }
        if self.prefix.is_some() {
            (start, end) = (start.max(within.start), end.min(within.end));
        }
        Ok(Places {
            range: start..end,
            descending: self.descending,
            keys_from: common.len(),
        })
    }
}

impl Keys {
    /// Whether it ends before it starts, so that CouchDB refuses it.
    pub fn is_reversed(&self, order: Collation) -> bool {
        let (Some(start), Some(end)) = (&self.start, &self.end) else {
            return false;
        };
        start != end
            && match order.compare(start, end) {
                Ordering::Less => self.descending,
                Ordering::Greater => !self.descending,
                Ordering::Equal => false,
            }
    }
}

impl Places {
    /// Leaves out everything up to a group and the group itself; `key` is that of one of its rows.
    pub fn go_on_behind_group(
        &mut self,
        key: &str,
        grouping: Grouping,
        order: Collation,
    ) -> Result<(), JsonError> {
        let mut sort_key = Vec::new();
        // All rows are one group, whatever its key.
        if grouping != Grouping::All {
            order.sort_key(key, &mut sort_key)?;
        }
        let length = match grouping {
            Grouping::All => 0,
            Grouping::Elements(level) => sort_key_group_length(&sort_key, level).unwrap_or_default(),
            Grouping::Keys => sort_key.len(),
        };
        sort_key.truncate(length);
        let common = self.range.start.get(..self.keys_from).unwrap_or_default();
        let group = [common, sort_key.as_slice()].concat();
        if self.descending {
            self.range.end = group;
        } else {
            self.range.start = behind(&group);
        }
        Ok(())
    }

    /// Leaves out everything up to a row that was read.
    pub fn go_on_behind(&mut self, place: &[u8]) {
        if self.descending {
            self.range.end = place.to_vec();
        } else {
            self.range.start = [place, &[0]].concat();
        }
    }
}

/// Is shown each group: the key of one of its rows, and what it comes to; JSON texts.
pub type EachValue<'a> =
    dyn FnMut(&[u8], Result<String, ReduceFailure>) -> Result<ControlFlow<()>, Error> + 'a;

impl ViewIndex {
    /// The order of a view's keys.
    pub fn collation(&self, view: ViewNumber) -> Collation {
        let map = self.design().maps.get(usize::from(view));
        collation(map.is_some_and(|map| map.raw))
    }

    /// What reduces its rows, on the calling thread; all that do it for one answer share `patience`.
    pub fn reducing(&self, patience: &Arc<Patience>) -> Reducing {
        Reducing {
            reducers: self.reducers_with(patience.clone()),
            values: self.reducers(),
        }
    }

    /// Shows what groups of rows come to, by one of the view's reductions. There is no group where there are no rows.
    pub fn reduce(
        &self,
        snapshot: &Snapshot,
        places: &Places,
        grouping: Grouping,
        reduce: usize,
        each: &mut EachValue<'_>,
    ) -> Result<(), Error> {
        self.reducing(&Arc::default())
            .groups(snapshot, places, grouping, reduce, each)
    }

    /// Shows rows of a range but for the first `skip`; answers how many were skipped.
    pub fn rows(
        &self,
        snapshot: &Snapshot,
        places: &Places,
        skip: u64,
        each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        snapshot.rows(&places.range, places.descending, skip, each)
    }
}

/// The reductions of an index, on one thread: functions are compiled once for many ranges.
pub struct Reducing {
    reducers: Reducers,
    values: Reducers,
}

impl Reducing {
    /// As [`ViewIndex::reduce`].
    pub fn groups(
        &mut self,
        snapshot: &Snapshot,
        places: &Places,
        grouping: Grouping,
        reduce: usize,
        each: &mut EachValue<'_>,
    ) -> Result<(), Error> {
        let view = crate::index::view_of(&places.range.start);
        let values = &self.values;
        snapshot.groups(
            &places.range,
            (grouping, places.keys_from),
            places.descending,
            &mut self.reducers,
            &mut |key, parts| each(key, values.value(view, reduce, &parts)?),
        )
    }
}
