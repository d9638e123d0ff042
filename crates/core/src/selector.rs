//! Mango selectors: parsed once, matched against many documents.

use crate::doc::Body;

/// A parsed selector.
#[derive(Clone, Debug)]
pub struct Selector {}

/// Why a selector is not acceptable; the text is CouchDB's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSelector(pub String);

impl Selector {
    /// Parses the JSON text of a selector object.
    pub fn parse(_json: &str) -> Result<Selector, InvalidSelector> {
        todo!()
    }
    /// Whether a document matches. `id` and `rev` stand for `_id` and `_rev`.
    pub fn matches(&self, _id: &str, _rev: &crate::rev::Rev, _deleted: bool, _body: &Body) -> bool {
        todo!()
    }
    /// A canonical JSON text: equal for selectors that are equal after normalisation. Names a replication.
    pub fn canonical(&self) -> String {
        todo!()
    }
}
