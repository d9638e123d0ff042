//! Document ids that cannot hold a bad value.

/// The id of a document that replicates: not empty, not over [`crate::limits::DOC_ID_BYTES_MAX`], and starting
/// with `_` only as `_design/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocId(Box<str>);

/// The id of a local document, without its `_local/`. Never replicated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(Box<str>);

/// Why a text is no document id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidDocId {
    /// It is empty.
    Empty,
    /// It starts with `_` and is no design document.
    Reserved,
    /// It is longer than [`crate::limits::DOC_ID_BYTES_MAX`].
    TooLong,
}

impl DocId {
    /// Checks a text.
    pub fn parse(_text: &str) -> Result<DocId, InvalidDocId> {
        todo!()
    }
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether this is a design document.
    pub fn is_design(&self) -> bool {
        self.0.starts_with("_design/")
    }
}

impl LocalId {
    /// Checks the part after `_local/`.
    pub fn parse(_text: &str) -> Result<LocalId, InvalidDocId> {
        todo!()
    }
    /// The part after `_local/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
