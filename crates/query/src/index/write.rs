//! Writing an index: rows into blocks, and heads above them.

use super::block::{self, VERSION};
use super::edits::Edits;
use super::heads::{self, Head, Parts, level_end, view_end};
use super::row::{Row, VIEW_BYTES, ViewNumber, is_document, places, view_of};
use super::rows::Rows;
use super::seal::{seal, unseal};
use super::{Malformed, Table};
use crate::Error;
use redb::{ReadableTable, WriteTransaction};
use std::ops::{Bound, Range};
use trunkline_core::limits::{INDEX_BLOCK_BYTES_MIN, INDEX_FANOUT_MAX, INDEX_FANOUT_MIN};

/// Makes the partial reductions that heads keep.
pub trait Reduce {
    /// Of rows of a view, in order.
    fn rows(&mut self, view: ViewNumber, rows: &Rows, range: Range<usize>) -> Result<Parts, Error>;

    /// Of several ranges of rows.
    fn rows_each(
        &mut self,
        view: ViewNumber,
        rows: &Rows,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Parts>, Error> {
        let each = ranges.iter().map(|range| self.rows(view, rows, range.clone()));
        each.collect()
    }

    /// Of consecutive parts, one after another.
    fn merge(&mut self, view: ViewNumber, parts: &[&Parts]) -> Result<Parts, Error>;
}

/// An index in a write transaction.
pub(super) struct Writer<'t, 'r> {
    blocks: redb::Table<'t, &'static [u8], &'static [u8]>,
    heads: redb::Table<'t, &'static [u8], &'static [u8]>,
    docs: redb::Table<'t, &'static [u8], &'static [u8]>,
    reduce: &'r mut dyn Reduce,
    /// The highest level of heads that each view has.
    tops: Vec<u8>,
    buffer: Vec<u8>,
}

/// From a label to where the next begins.
type Stretch = Range<Vec<u8>>;

impl<'t, 'r> Writer<'t, 'r> {
    pub(super) fn open(
        txn: &'t WriteTransaction,
        tops: Vec<u8>,
        reduce: &'r mut dyn Reduce,
    ) -> Result<Writer<'t, 'r>, Error> {
        let open = |table: Table| txn.open_table(table);
        Ok(Writer {
            blocks: open(super::BLOCKS)?,
            heads: open(super::HEADS)?,
            docs: open(super::DOCUMENTS)?,
            reduce,
            tops,
            buffer: Vec::new(),
        })
    }

    /// How many views there are.
    pub(super) fn views(&self) -> ViewNumber {
        ViewNumber::try_from(self.tops.len()).unwrap_or(ViewNumber::MAX)
    }

    /// The levels of heads that there are now.
    pub(super) fn into_tops(self) -> Vec<u8> {
        self.tops
    }

    /// Replaces what documents emitted before by what they emit now. `rows` are sorted, and have all of each document.
    pub(super) fn replace(&mut self, rows: &Rows) -> Result<(), Error> {
        let mut removed = Vec::new();
        for row in rows.iter().rev().take_while(is_document) {
            let id = std::str::from_utf8(row.place.get(VIEW_BYTES..).unwrap_or_default());
            let id = id.map_err(|_| Malformed)?;
            let before = self.documents(id, row.value)?;
            removed.extend(before);
        }
        removed.sort_unstable();
        let documents = rows.iter().rev().take_while(is_document).count();
        let mut edits = Edits {
            removed: &removed,
            added: rows,
            next: 0,
            end: rows.len() - documents,
        };
        let mut stretches = Vec::new();
        while let Some(place) = edits.next_place() {
            let stretch = self.edit_blocks(place, &mut edits)?;
            stretches.push(stretch);
        }
        for of_view in stretches.chunk_by(|a, b| view_of(&a.start) == view_of(&b.start)) {
            self.raise(of_view.to_vec())?;
        }
        Ok(())
    }

    /// Adds sorted rows of one view behind all that are there, but for those of the last block while more will come;
    /// answers how many it added. [`Writer::grow`] must follow the last.
    pub(super) fn append(&mut self, rows: &Rows, more: bool) -> Result<usize, Error> {
        let Some(first) = rows.get(0) else { return Ok(0) };
        let view = view_of(first.place);
        let all = view.to_be_bytes().to_vec()..view_end(view);
        let label = match self.count(0, &all, 1)? {
            0 => &all.start,
            _ => first.place,
        };
        let mut cuts = block::cuts(rows);
        if more {
            cuts.pop();
        }
        let added = cuts.last().map_or(0, |cut| cut.end);
        self.put_blocks(label, rows, cuts)?;
        Ok(added)
    }

    /// Remembers what documents emitted that were not here before.
    pub(super) fn append_documents<'a>(&mut self, rows: impl Iterator<Item = Row<'a>>) -> Result<(), Error> {
        for row in rows {
            let id = row.place.get(VIEW_BYTES..).unwrap_or_default();
            spell_document(id, row.value, &mut self.buffer);
            self.docs.insert(id, self.buffer.as_slice())?;
        }
        Ok(())
    }

    /// Remembers what a document emitted, and answers the places of what it had emitted before.
    fn documents(&mut self, id: &str, emitted: &[u8]) -> Result<Vec<Box<[u8]>>, Error> {
        let before = if emitted.is_empty() {
            self.docs.remove(id.as_bytes())?
        } else {
            spell_document(id.as_bytes(), emitted, &mut self.buffer);
            self.docs.insert(id.as_bytes(), self.buffer.as_slice())?
        };
        let Some(before) = before else {
            return Ok(Vec::new());
        };
        let emitted = unseal(id.as_bytes(), before.value())?;
        let emitted = emitted.strip_prefix(&[VERSION]).ok_or(Malformed)?;
        Ok(places(id, emitted).ok_or(Malformed)?)
    }

    /// Edits the block that `place` is in, and as many behind it as it takes to fill it.
    fn edit_blocks(&mut self, place: &[u8], edits: &mut Edits<'_>) -> Result<Stretch, Error> {
        let mut stretch = self.covering(0, place)?;
        let view = view_of(place);
        let mut old = Rows::default();
        let mut new = Rows::default();
        let mut label = stretch.start.clone();
        loop {
            old.clear();
            if let Some(block) = self.blocks.get(label.as_slice())? {
                block::decode(unseal(&label, block.value())?, &mut old)?;
            }
            self.forget_block(&label)?;
            edits.merge(&old, &stretch.end, &mut new);
            if new.bytes() >= INDEX_BLOCK_BYTES_MIN || stretch.end == view_end(view) {
                break;
            }
            label = std::mem::take(&mut stretch.end);
            stretch.end = self.next_label(0, &label)?;
        }
        let cuts = block::cuts(&new);
        self.put_blocks(&stretch.start, &new, cuts)?;
        Ok(stretch)
    }

    fn forget_block(&mut self, label: &[u8]) -> Result<(), Error> {
        self.blocks.remove(label)?;
        self.heads.remove(heads::key(0, label).as_slice())?;
        Ok(())
    }

    /// Writes blocks of one view, the first of which gets this label.
    fn put_blocks(&mut self, label: &[u8], rows: &Rows, cuts: Vec<Range<usize>>) -> Result<(), Error> {
        for cut in cuts {
            let before = cut.start.checked_sub(1).and_then(|before| rows.get(before));
            let label = match (before, rows.get(cut.start)) {
                (Some(before), Some(row)) => separator(before.place, row.place),
                _ => label.to_vec(),
            };
            let of_cut = rows.iter().skip(cut.start).take(cut.len());
            block::encode(of_cut, &mut self.buffer);
            let mut head = Head::of_rows(rows, &cut, self.buffer.len());
            head.parts = self.reduce.rows(view_of(&label), rows, cut)?;
            seal(&label, &mut self.buffer);
            self.blocks.insert(label.as_slice(), self.buffer.as_slice())?;
            self.put_head(0, &label, &head)?;
        }
        Ok(())
    }

    fn put_head(&mut self, level: u8, label: &[u8], head: &Head) -> Result<(), Error> {
        let (key, mut value) = (heads::key(level, label), head.encode());
        seal(&key, &mut value);
        self.heads.insert(key.as_slice(), value.as_slice())?;
        Ok(())
    }

    /// Brings the heads of all levels above the blocks up to date, where stretches of blocks of one view were rewritten.
    fn raise(&mut self, mut stretches: Vec<Stretch>) -> Result<(), Error> {
        let Some(view) = stretches.first().map(|stretch| view_of(&stretch.start)) else {
            return Ok(());
        };
        let top = self.tops.get(usize::from(view)).copied().unwrap_or_default();
        for level in 1..=top {
            stretches = self.rewrite(level, stretches)?;
        }
        self.grow(view, top)
    }

    /// Rewrites the heads of a level that stand for rewritten ones of the level below; answers their stretches.
    fn rewrite(&mut self, level: u8, below: Vec<Stretch>) -> Result<Vec<Stretch>, Error> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for part in below {
            if stretches.last().is_some_and(|last| part.end <= last.end) {
                continue;
            }
            let mut stretch = self.covering(level, &part.start)?;
            let view = view_of(&part.start);
            loop {
                while stretch.end < part.end {
                    stretch.end = self.swallow(level, &stretch.end)?;
                }
                let few = self.count(level - 1, &stretch, INDEX_FANOUT_MIN)? < INDEX_FANOUT_MIN;
                if !few || stretch.end == view_end(view) {
                    break;
                }
                stretch.end = self.swallow(level, &stretch.end)?;
            }
            stretches.push(stretch);
        }
        // One that grew to fill itself may have grown into the next.
        stretches.dedup_by(|next, before| {
            let overlaps = next.start < before.end;
            if overlaps && next.end > before.end {
                before.end = std::mem::take(&mut next.end);
            }
            overlaps
        });
        for stretch in &stretches {
            self.heads.remove(heads::key(level, &stretch.start).as_slice())?;
            self.put_level(level, stretch)?;
        }
        Ok(stretches)
    }

    /// Takes a head away; answers where it ended.
    fn swallow(&mut self, level: u8, label: &[u8]) -> Result<Vec<u8>, Error> {
        self.heads.remove(heads::key(level, label).as_slice())?;
        self.next_label(level, label)
    }

    /// Adds levels until the highest is short.
    pub(super) fn grow(&mut self, view: ViewNumber, mut top: u8) -> Result<(), Error> {
        let all = view.to_be_bytes().to_vec()..view_end(view);
        while self.count(top, &all, INDEX_FANOUT_MAX + 1)? > INDEX_FANOUT_MAX {
            top += 1;
            self.put_level(top, &all)?;
        }
        if let Some(known) = self.tops.get_mut(usize::from(view)) {
            *known = top;
        }
        Ok(())
    }

    /// Writes the heads of a level that stand for a stretch of the level below.
    fn put_level(&mut self, level: u8, stretch: &Stretch) -> Result<(), Error> {
        let mut label = stretch.start.clone();
        loop {
            let mut below = self.heads_of(level - 1, label.as_slice(), &stretch.end, INDEX_FANOUT_MAX + 1)?;
            let more = below.len() > INDEX_FANOUT_MAX;
            if more {
                below.truncate(INDEX_FANOUT_MAX / 2);
            }
            // The first of a level is always there, though nothing be left below.
            if below.is_empty() && label.len() > VIEW_BYTES {
                return Ok(());
            }
            let next = match more {
                true => below.last().map(|(label, _)| label.clone()),
                false => None,
            };
            let with_rows = below.iter().map(|(_, head)| head).filter(|head| head.rows > 0);
            let with_rows: Vec<&Head> = with_rows.collect();
            let mut head = Head::of_heads(&with_rows);
            if head.rows > 0 {
                let parts: Vec<&Parts> = with_rows.iter().map(|head| &head.parts).collect();
                head.parts = self.reduce.merge(view_of(&label), &parts)?;
            }
            self.put_head(level, &label, &head)?;
            match next {
                Some(last) => label = self.next_label(level - 1, &last)?,
                None => return Ok(()),
            }
        }
    }

    /// At most so many heads of a level in a stretch, with their labels.
    fn heads_of(
        &self,
        level: u8,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Head)>, Error> {
        let (from, to) = (heads::key(level, from), level_end(level, to));
        let mut found = Vec::new();
        for row in self.heads.range(from.as_slice()..to.as_slice())?.take(limit) {
            let (key, value) = row?;
            let head = Head::decode(unseal(key.value(), value.value())?)?;
            found.push((heads::label(key.value()), head));
        }
        Ok(found)
    }

    /// How many heads of a level a stretch has, counted up to a limit.
    fn count(&self, level: u8, stretch: &Stretch, limit: usize) -> Result<usize, Error> {
        let (from, to) = (heads::key(level, &stretch.start), level_end(level, &stretch.end));
        Ok(self
            .heads
            .range(from.as_slice()..to.as_slice())?
            .take(limit)
            .count())
    }

    /// The stretch of the head of a level that a place is in.
    fn covering(&self, level: u8, place: &[u8]) -> Result<Stretch, Error> {
        let view = view_of(place).to_be_bytes();
        let (first, key) = (heads::key(level, &view), heads::key(level, place));
        let mut up_to = self.heads.range(first.as_slice()..=key.as_slice())?;
        let start = match up_to.next_back().transpose()? {
            Some((key, _)) => heads::label(key.value()),
            None => view.to_vec(),
        };
        Ok(start..self.next_label(level, place)?)
    }

    /// Where the first head of a level behind a place begins.
    fn next_label(&self, level: u8, place: &[u8]) -> Result<Vec<u8>, Error> {
        let view = view_of(place);
        let (key, end) = (heads::key(level, place), level_end(level, &view_end(view)));
        let after = (Bound::Excluded(key.as_slice()), Bound::Excluded(end.as_slice()));
        let next = self.heads.range::<&[u8]>(after)?.next().transpose()?;
        Ok(next.map_or_else(|| view_end(view), |(key, _)| heads::label(key.value())))
    }
}

/// What is kept of a document.
fn spell_document(id: &[u8], emitted: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(VERSION);
    out.extend_from_slice(emitted);
    seal(id, out);
}

/// A short label: greater than any place up to `before`, and not greater than `place`, which follows it.
fn separator(before: &[u8], place: &[u8]) -> Vec<u8> {
    place
        .iter()
        .take(block::shared(before, place) + 1)
        .copied()
        .collect()
}
