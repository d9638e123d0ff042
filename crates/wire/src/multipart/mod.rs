//! Documents with the bytes of their attachments: `multipart/related` holds one, `multipart/mixed` several.
//!
//! Readers are fed by chunks and never hold a part's body; only the JSON of a document is collected, up to a bound.

mod documents;
mod reader;
mod writer;

pub use documents::{DocumentEvent, DocumentReader};
pub use reader::{Headers, PartEvent, PartReader};
pub use writer::{MixedWriter, RelatedWriter};

use crate::invalid::Invalid;

/// The boundary in a content type `multipart/..; boundary=..`, quoted or not.
pub fn boundary(_content_type: &str) -> Result<String, Invalid> {
    todo!()
}
