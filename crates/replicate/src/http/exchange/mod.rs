//! The exchange with a peer of our own kind: see [`trunkline_wire::exchange`].

mod changes;
mod contents;
mod documents;

pub(super) use changes::open;
pub(super) use contents::{content, content_begun, lacking, put_content};
pub(super) use documents::bulk_docs;
