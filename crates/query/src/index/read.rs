//! Reading an index: rows and partial reductions of a range of places, forwards or backwards.

use super::block;
use super::heads::{self, Head, level_end, view_end};
use super::row::{Row, ViewNumber, view_of};
use super::rows::Rows;
use super::seal::unseal;
use super::{Index, IndexState, Malformed, Stored};
use crate::Error;
use redb::{ReadOnlyTable, ReadableDatabase};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

type StoredRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// An index at one moment.
pub struct Snapshot {
    blocks: StoredRows,
    heads: StoredRows,
    stored: Stored,
    /// Dropped last: when the last owner of a file lets it go, redb closes it to all who read it.
    index: Arc<Index>,
}

/// Some consecutive rows of a range.
#[derive(Debug)]
pub enum Part<'a> {
    /// All that this head stands for.
    Head(&'a Head),
    /// These rows.
    Rows(&'a Rows, Range<usize>),
}

/// What to do after a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on behind it.
    Next,
    /// Show what a head stands for; after rows, go on.
    Into,
    /// End.
    Stop,
}

/// A walk over the parts of a range.
struct Walk<'a> {
    range: &'a Range<Vec<u8>>,
    backwards: bool,
    visit: &'a mut dyn FnMut(Part<'_>) -> Result<Step, Error>,
    rows: Rows,
}

/// All places of a view.
pub fn whole(view: ViewNumber) -> Range<Vec<u8>> {
    view.to_be_bytes().to_vec()..view_end(view)
}

/// Behind all places that begin like this.
pub fn behind(start: &[u8]) -> Vec<u8> {
    let mut end = start.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Snapshot").field(self.state()).finish()
    }
}

impl Snapshot {
    /// Of an index as it is now.
    pub fn of(index: Arc<Index>) -> Result<Snapshot, Error> {
        let (blocks, heads, stored) = index.watched(|| {
            let txn = index.redb()?.begin_read()?;
            let meta = txn.open_table(super::META)?;
            let state = meta.get(super::STATE)?.ok_or(Malformed)?;
            let stored = Stored::decode(state.value())?;
            Ok((
                txn.open_table(super::BLOCKS)?,
                txn.open_table(super::HEADS)?,
                stored,
            ))
        })?;
        Ok(Snapshot {
            blocks,
            heads,
            stored,
            index,
        })
    }

    /// Up to where the index had read its database.
    pub fn state(&self) -> &IndexState {
        &self.stored.state
    }

    /// Shows the parts of a range of one view, the longest first that lie in it; those that `visit` wants to see into are
    /// shown in shorter ones.
    pub fn walk(
        &self,
        range: &Range<Vec<u8>>,
        backwards: bool,
        visit: &mut dyn FnMut(Part<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        let view = usize::from(view_of(&range.start));
        let top = self.stored.tops.get(view).copied().unwrap_or_default();
        let mut walk = Walk {
            range,
            backwards,
            visit,
            rows: Rows::default(),
        };
        if range.start < range.end {
            let _ = self.walk_level(top, range, &mut walk)?;
        }
        Ok(())
    }

    /// How many rows a range has.
    pub fn count(&self, range: &Range<Vec<u8>>) -> Result<u64, Error> {
        let mut count = 0;
        self.walk(range, false, &mut |part| {
            count += match part {
                Part::Head(head) => head.rows,
                Part::Rows(_, range) => range.len() as u64,
            };
            Ok(Step::Next)
        })?;
        Ok(count)
    }

    /// Shows the rows of a range but for the first `skip`; answers how many were skipped, fewer when there are fewer.
    pub fn rows(
        &self,
        range: &Range<Vec<u8>>,
        backwards: bool,
        skip: u64,
        each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        let mut left = skip;
        self.walk(range, backwards, &mut |part| {
            let (rows, mut range) = match part {
                Part::Head(head) if head.rows <= left => {
                    left -= head.rows;
                    return Ok(Step::Next);
                }
                Part::Head(_) => return Ok(Step::Into),
                Part::Rows(rows, range) => (rows, range),
            };
            let skipped = left.min(range.len() as u64);
            left -= skipped;
            for _ in 0..skipped {
                take(&mut range, backwards);
            }
            while let Some(row) = take(&mut range, backwards).and_then(|index| rows.get(index)) {
                if each(row).is_break() {
                    return Ok(Step::Stop);
                }
            }
            Ok(Step::Next)
        })?;
        Ok(skip - left)
    }

    fn walk_level(
        &self,
        level: u8,
        range: &Range<Vec<u8>>,
        walk: &mut Walk<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let view = view_of(&range.start);
        let (first, start) = (
            heads::key(level, &view.to_be_bytes()),
            heads::key(level, &range.start),
        );
        // The head that the start is in.
        let to = level_end(level, &range.end);
        let mut found = self.index.watched(|| {
            let mut up_to = self.heads.range(first.as_slice()..=start.as_slice())?;
            let from = match up_to.next_back().transpose()? {
                Some((key, _)) => key.value().to_vec(),
                None => start,
            };
            Ok(self.heads.range(from.as_slice()..to.as_slice())?)
        })?;
        let mut next = |backwards| {
            self.index.watched(|| {
                let next = if backwards {
                    found.next_back()
                } else {
                    found.next()
                };
                let Some((key, value)) = next.transpose()? else {
                    return Ok(None);
                };
                let head = Head::decode(unseal(key.value(), value.value())?)?;
                Ok(Some((heads::label(key.value()), head)))
            })
        };
        let mut end = range.end.clone();
        let mut here = next(walk.backwards)?;
        while let Some((label, head)) = here {
            here = next(walk.backwards)?;
            if !walk.backwards {
                end = match &here {
                    Some((label, _)) => label.clone(),
                    None => range.end.clone(),
                };
            }
            // Where the last one ends is not known, unless nothing can follow it.
            let ends_inside = end < range.end || range.end == view_end(view);
            let stretch = label.clone().max(range.start.clone())..end.clone();
            if self
                .show(level, &head, (&label, ends_inside), stretch, walk)?
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            end = label;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn show(
        &self,
        level: u8,
        head: &Head,
        (label, ends_inside): (&[u8], bool),
        stretch: Range<Vec<u8>>,
        walk: &mut Walk<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        if head.rows == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        if ends_inside && *label >= *walk.range.start {
            match (walk.visit)(Part::Head(head))? {
                Step::Next => return Ok(ControlFlow::Continue(())),
                Step::Into => {}
                Step::Stop => return Ok(ControlFlow::Break(())),
            }
        }
        if level > 0 {
            return self.walk_level(level - 1, &stretch, walk);
        }
        walk.rows.clear();
        self.index.watched(|| {
            let block = self.blocks.get(label)?.ok_or(Malformed)?;
            Ok(block::decode(unseal(label, block.value())?, &mut walk.rows)?)
        })?;
        let inside = inside(&walk.rows, walk.range);
        if inside.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        match (walk.visit)(Part::Rows(&walk.rows, inside))? {
            Step::Stop => Ok(ControlFlow::Break(())),
            Step::Next | Step::Into => Ok(ControlFlow::Continue(())),
        }
    }
}

/// Which of the rows of a block are in a range.
fn inside(rows: &Rows, range: &Range<Vec<u8>>) -> Range<usize> {
    let before = |place: &[u8]| {
        let mut bounds = 0..rows.len();
        while bounds.start < bounds.end {
            let middle = bounds.start.midpoint(bounds.end);
            if rows.get(middle).is_some_and(|row| row.place < place) {
                bounds.start = middle + 1;
            } else {
                bounds.end = middle;
            }
        }
        bounds.start
    };
    before(&range.start)..before(&range.end)
}

/// Takes an index off one end of a range.
fn take(range: &mut Range<usize>, backwards: bool) -> Option<usize> {
    if backwards {
        range.next_back()
    } else {
        range.next()
    }
}
