//! Rows to be added to blocks and taken out of them.

use super::row::Row;
use super::rows::Rows;

/// What is to be done to blocks, in order.
pub(super) struct Edits<'a> {
    pub(super) removed: &'a [Box<[u8]>],
    pub(super) added: &'a Rows,
    /// The next one to be added, and the end of those.
    pub(super) next: usize,
    pub(super) end: usize,
}

impl<'a> Edits<'a> {
    fn next_added(&self) -> Option<Row<'a>> {
        (self.next < self.end).then(|| self.added.get(self.next))?
    }

    /// Where the next of them is.
    pub(super) fn next_place(&self) -> Option<&'a [u8]> {
        let removed = self.removed.first().map(|place| &**place);
        let added = self.next_added().map(|row| row.place);
        match (removed, added) {
            (Some(removed), Some(added)) => Some(removed.min(added)),
            (removed, added) => removed.or(added),
        }
    }

    /// Adds to `new` what becomes of the rows of a block that ends there.
    pub(super) fn merge(&mut self, old: &Rows, end: &[u8], new: &mut Rows) {
        for row in old.iter() {
            self.add_before(row.place, new);
            let removed = self
                .removed
                .split_first()
                .filter(|(place, _)| &***place == row.place);
            if let Some((_, rest)) = removed {
                self.removed = rest;
                continue;
            }
            if self.next_added().is_none_or(|added| added.place != row.place) {
                new.copy(&row);
            }
        }
        self.add_before(end, new);
    }

    /// Adds those in front of a place; what was to be removed there is not here.
    fn add_before(&mut self, place: &[u8], new: &mut Rows) {
        while let Some(row) = self.next_added().filter(|row| row.place < place) {
            new.copy(&row);
            self.next += 1;
        }
        let gone = self
            .removed
            .iter()
            .take_while(|removed| ***removed < *place)
            .count();
        self.removed = self.removed.get(gone..).unwrap_or_default();
    }
}
