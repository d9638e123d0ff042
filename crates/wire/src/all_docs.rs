//! `_all_docs` and its kin: rows in id order, and the bodies of POST requests.

use crate::invalid::Invalid;
use trunkline_core::rev::Rev;

/// The body of a POST: query options under their names, with JSON values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `keys`, each as JSON text (a key that is no string matches nothing).
    pub keys: Option<Vec<String>>,
    /// All other members: (name, JSON text), in order.
    pub options: Vec<(String, String)>,
}

/// Reads `{"keys":[..],..}`. An empty body is an empty query.
pub fn parse(_text: &[u8]) -> Result<Query, Invalid> {
    todo!()
}

/// Reads `{"queries":[{..},..]}`.
pub fn parse_queries(_text: &[u8]) -> Result<Vec<Query>, Invalid> {
    todo!()
}

/// Writes one answer: [`Writer::open`], rows, [`Writer::close`]. Its buffer may be taken away between any two calls.
#[derive(Clone, Debug)]
pub struct Writer {
    rows: u64,
}

impl Writer {
    /// Appends the head. `None` is written as `null`, as for `keys`.
    pub fn open(_out: &mut Vec<u8>, _total_rows: Option<u64>, _offset: Option<u64>) -> Writer {
        todo!()
    }
    /// Appends the row of a document. `doc` appends the document's text, where asked for.
    pub fn row(
        &mut self,
        _out: &mut Vec<u8>,
        _id: &str,
        _rev: &Rev,
        _doc: Option<&mut dyn FnMut(&mut Vec<u8>)>,
    ) {
        todo!()
    }
    /// Appends the row of a deleted document that was asked for by key; with `"doc":null` when documents are shown.
    pub fn deleted(&mut self, _out: &mut Vec<u8>, _id: &str, _rev: &Rev, _docs: bool) {
        todo!()
    }
    /// Appends the row of a key (JSON text) without document.
    pub fn missing(&mut self, _out: &mut Vec<u8>, _key: &str) {
        todo!()
    }
    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
    /// Appends the end. `update_seq` is JSON text, where asked for.
    pub fn close(self, _out: &mut Vec<u8>, _update_seq: Option<&str>) {
        todo!()
    }
}
