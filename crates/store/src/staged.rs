//! Who holds staged contents until edits take them.

use crate::Database;
use std::collections::HashMap;
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash};
use trunkline_core::doc::Edit;

/// Staged contents that no edit has taken yet; let go when dropped.
#[derive(Debug)]
#[must_use = "staged contents are let go when this is dropped"]
pub struct StagedContents {
    database: Database,
    contents: Vec<Content>,
}

impl StagedContents {
    /// None yet.
    pub fn new(database: &Database) -> StagedContents {
        StagedContents {
            database: database.clone(),
            contents: Vec::new(),
        }
    }

    /// Where they are staged.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Holds one more; answers it as an edit takes it.
    pub fn add(&mut self, content: Content) -> AttachmentSource {
        self.contents.push(content.clone());
        AttachmentSource::Staged(content)
    }

    /// Holds what it holds already once more, for another edit; `None` when it does not.
    pub fn add_again(&mut self, content: &Content) -> Option<AttachmentSource> {
        let held = self.contents.iter().any(|held| held.hash == content.hash);
        (held && self.database.inner.use_staged(&content.hash)).then(|| self.add(content.clone()))
    }

    /// Holds what another held, of the same database.
    pub fn append(&mut self, mut other: StagedContents) {
        self.contents.append(&mut other.contents);
    }

    /// Edits take what they name of them, and the rest is let go: to be called as the edits are queued.
    pub fn taken_by<'e>(mut self, edits: impl IntoIterator<Item = &'e Edit>) {
        let mut taken: HashMap<ContentHash, usize> = HashMap::new();
        for content in edits.into_iter().flat_map(Edit::staged) {
            *taken.entry(content.hash).or_default() += 1;
        }
        self.contents
            .retain(|content| match taken.get_mut(&content.hash) {
                Some(uses) if *uses > 0 => {
                    *uses -= 1;
                    false
                }
                _ => true,
            });
    }

    /// All of them are taken.
    pub fn taken(mut self) {
        self.contents.clear();
    }
}

impl Drop for StagedContents {
    fn drop(&mut self) {
        self.contents
            .iter()
            .for_each(|content| self.database.unstage(content));
    }
}
