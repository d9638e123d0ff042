//! Reductions by groups of keys, in one walk over the heads.

use super::row::view_of;
use super::rows::Rows;
use super::{Head, Part, Parts, Reduce, Snapshot, Step, ViewNumber};
use crate::Error;
use std::ops::{ControlFlow, Range};
use trunkline_core::collate::{sort_key_group_length, sort_key_length};

/// What rows are reduced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// All of them.
    All,
    /// Those whose keys are arrays that begin with so many equal elements, or are equal.
    Elements(usize),
    /// Those of equal keys.
    Keys,
}

/// A group that is being gathered.
struct Group {
    /// What the places of its rows begin with.
    start: Vec<u8>,
    /// Of its first row that was seen, JSON text.
    key: Vec<u8>,
    parts: Vec<Parts>,
}

/// How many parts of a group wait to be merged: a group of millions is not kept part by part.
const PARTS_MAX: usize = 256;

impl Grouping {
    /// What all places of the group of this one begin with. `place` may end early, and then it may not tell.
    fn start(self, keys_from: usize, place: &[u8]) -> Option<&[u8]> {
        let sort_key = place.get(keys_from..)?;
        let length = match self {
            Grouping::All => 0,
            Grouping::Elements(level) => sort_key_group_length(sort_key, level)?,
            Grouping::Keys => sort_key_length(sort_key)?,
        };
        place.get(..keys_from + length)
    }

    /// How these rows are parted into groups, in the direction of the walk.
    fn groups(
        self,
        keys_from: usize,
        rows: &Rows,
        range: Range<usize>,
        backwards: bool,
    ) -> Vec<Range<usize>> {
        let mut groups = Vec::new();
        let mut left = range;
        while let Some(row) = left.clone().next().and_then(|first| rows.get(first)) {
            let start = self.start(keys_from, row.place).unwrap_or_default();
            let same = |index: &usize| rows.get(*index).is_some_and(|row| row.place.starts_with(start));
            let end = left.start + left.clone().take_while(same).count();
            groups.push(left.start..end.max(left.start + 1));
            left.start = end.max(left.start + 1);
        }
        if backwards {
            groups.reverse();
        }
        groups
    }
}

/// Is shown each group: the key of one of its rows, JSON text, and what they come to.
pub type EachGroup<'a> = dyn FnMut(&[u8], Parts) -> Result<ControlFlow<()>, Error> + 'a;

/// A walk that gathers groups.
struct Gathering<'a> {
    view: ViewNumber,
    grouping: Grouping,
    keys_from: usize,
    backwards: bool,
    group: Option<Group>,
    reduce: &'a mut dyn Reduce,
    each: &'a mut EachGroup<'a>,
}

impl Snapshot {
    /// Shows the groups of a range of one view, in the direction of the walk. There is none where there are no rows. Keys
    /// begin so far behind the beginning of each place.
    pub fn groups<'a>(
        &self,
        range: &Range<Vec<u8>>,
        (grouping, keys_from): (Grouping, usize),
        backwards: bool,
        reduce: &'a mut dyn Reduce,
        each: &'a mut EachGroup<'a>,
    ) -> Result<(), Error> {
        let mut gathering = Gathering {
            view: view_of(&range.start),
            grouping,
            keys_from,
            backwards,
            group: None,
            reduce,
            each,
        };
        let mut stopped = false;
        self.walk(range, backwards, &mut |part| {
            let flow = match part {
                Part::Head(head) => match gathering.head(head)? {
                    Some(flow) => flow,
                    None => return Ok(Step::Into),
                },
                Part::Rows(rows, range) => gathering.rows(rows, range)?,
            };
            stopped = flow.is_break();
            Ok(if stopped { Step::Stop } else { Step::Next })
        })?;
        if !stopped && gathering.group.is_some() {
            let _ = gathering.finish()?;
        }
        Ok(())
    }
}

impl Gathering<'_> {
    /// Takes all rows of a head, if they are of one group and it is known which.
    fn head(&mut self, head: &Head) -> Result<Option<ControlFlow<()>>, Error> {
        let Some(start) = self.grouping.start(self.keys_from, &head.common) else {
            return Ok(None);
        };
        let begun = self.group.as_ref().is_some_and(|group| group.start == start);
        // A long key is only in its row.
        if !begun && head.key.is_empty() && self.grouping != Grouping::All {
            return Ok(None);
        }
        self.add(start, &head.key, head.parts.clone()).map(Some)
    }

    fn rows(&mut self, rows: &Rows, range: Range<usize>) -> Result<ControlFlow<()>, Error> {
        let groups = self.grouping.groups(self.keys_from, rows, range, self.backwards);
        for (of_group, parts) in groups
            .iter()
            .zip(self.reduce.rows_each(self.view, rows, &groups)?)
        {
            let Some(row) = rows.get(of_group.start) else {
                break;
            };
            let start = self.grouping.start(self.keys_from, row.place).unwrap_or_default();
            let key = match self.backwards {
                true => rows.get(of_group.end - 1).map_or(row.key, |last| last.key),
                false => row.key,
            };
            if self.add(start, key, parts)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn add(&mut self, start: &[u8], key: &[u8], parts: Parts) -> Result<ControlFlow<()>, Error> {
        if self.group.as_ref().is_some_and(|group| group.start != start) && self.finish()?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let group = self.group.get_or_insert_with(|| Group {
            start: start.to_vec(),
            key: key.to_vec(),
            parts: Vec::new(),
        });
        group.parts.push(parts);
        if group.parts.len() >= PARTS_MAX {
            let merged = self.merged()?;
            if let Some(group) = &mut self.group {
                group.parts = vec![merged];
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What the group comes to so far.
    fn merged(&mut self) -> Result<Parts, Error> {
        let mut parts = self
            .group
            .as_mut()
            .map(|group| std::mem::take(&mut group.parts))
            .unwrap_or_default();
        if parts.len() == 1 {
            return Ok(parts.pop().unwrap_or_default());
        }
        // Always in the order of keys: some reductions are of the first row or the last.
        if self.backwards {
            parts.reverse();
        }
        self.reduce.merge(self.view, &parts.iter().collect::<Vec<_>>())
    }

    fn finish(&mut self) -> Result<ControlFlow<()>, Error> {
        let merged = self.merged()?;
        match self.group.take() {
            Some(group) => (self.each)(&group.key, merged),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}
