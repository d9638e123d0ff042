//! Several edits that go to the database together.

use crate::Result;
use crate::doc::{Doc, creation, deletion};
use serde::Serialize;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;

/// Edits that are written together, with [`crate::Database::write`] or [`crate::Database::write_all`].
#[derive(Clone, Debug, Default)]
pub struct Edits {
    pub(crate) edits: Vec<Edit>,
}

impl Edits {
    /// No edits yet.
    pub fn new() -> Edits {
        Edits::default()
    }

    /// Adds a new document.
    pub fn put<T: Serialize + ?Sized>(&mut self, id: &str, value: &T) -> Result<&mut Edits> {
        self.push(Edit::Interactive(creation(id, value)?));
        Ok(self)
    }

    /// Adds an edit of a document as it was read.
    pub fn save<T: Serialize>(&mut self, doc: &Doc<T>) -> Result<&mut Edits> {
        self.push(Edit::Interactive(doc.edit()?));
        Ok(self)
    }

    /// Adds the deletion of a revision.
    pub fn delete(&mut self, id: &str, rev: &Rev) -> Result<&mut Edits> {
        self.push(Edit::Interactive(deletion(id, rev)?));
        Ok(self)
    }

    /// Adds any edit, a replicated one too.
    pub fn push(&mut self, edit: Edit) {
        self.edits.push(edit);
    }

    /// How many edits there are.
    pub fn len(&self) -> usize {
        self.edits.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The documents that the edits are of, in order.
    pub(crate) fn ids(&self) -> Vec<DocId> {
        let id = |edit: &Edit| match edit {
            Edit::Interactive(edit) => edit.id.clone(),
            Edit::Replicated(edit) => edit.id.clone(),
        };
        self.edits.iter().map(id).collect()
    }
}
