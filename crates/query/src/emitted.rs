//! What a document has emitted so far.

use crate::index::{Rows, ViewNumber, put_emitted};
use std::collections::BTreeMap;
use trunkline_core::collate::{Collation, text_sort_key};
use trunkline_core::json::JsonError;

/// What one document has emitted so far, for when it changes.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    list: Vec<u8>,
    /// How many rows it has in each view.
    numbers: BTreeMap<ViewNumber, u32>,
    sort_key: Vec<u8>,
    /// Stands before every key: of the document's partition.
    before: Vec<u8>,
}

impl Emitted {
    /// For the next document, and its partition in an index that knows them.
    pub(crate) fn begin(&mut self, partition: Option<&str>) {
        self.before.clear();
        if let Some(partition) = partition {
            text_sort_key(partition, &mut self.before);
        }
        self.list.clear();
        self.numbers.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// See [`Rows::push_document`].
    pub(crate) fn list(&self) -> &[u8] {
        &self.list
    }

    /// Where it is now, to come back to.
    pub(crate) fn mark(&self) -> usize {
        self.list.len()
    }

    /// Forgets the rows of a view that came since a mark before its first.
    pub(crate) fn back_to(&mut self, view: ViewNumber, mark: usize) {
        self.list.truncate(mark);
        self.numbers.remove(&view);
    }

    /// Adds a row.
    pub(crate) fn row(
        &mut self,
        view: ViewNumber,
        collation: Collation,
        id: &str,
        [key, value]: [&str; 2],
        rows: &mut Rows,
    ) -> Result<(), JsonError> {
        self.sort_key.clear();
        self.sort_key.extend_from_slice(&self.before);
        collation.sort_key(key, &mut self.sort_key)?;
        let number = self.numbers.entry(view).or_default();
        rows.push(
            view,
            &self.sort_key,
            id,
            *number,
            key.as_bytes(),
            value.as_bytes(),
        );
        *number += 1;
        put_emitted(view, &self.sort_key, &mut self.list);
        Ok(())
    }
}
