//! Documents with the bytes of their attachments: `multipart/related` holds one, `multipart/mixed` several.
//!
//! Readers are fed by chunks and never hold a part's body; only the JSON of a document is collected, up to a bound.

mod documents;
mod headers;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use documents::{DocumentEvent, DocumentReader};
pub use headers::Headers;
pub use reader::{PartEvent, PartReader};
pub use writer::{MixedWriter, RelatedWriter};

use crate::invalid::Invalid;

/// Characters of the longest boundary that is accepted: RFC 2046 allows 70, and nothing needs more.
const BOUNDARY_CHARS_MAX: usize = 70;

/// The boundary in a content type `multipart/..; boundary=..`, quoted or not.
pub fn boundary(content_type: &str) -> Result<String, Invalid> {
    headers::parameter(content_type, "boundary")
        .filter(|boundary| (1..=BOUNDARY_CHARS_MAX).contains(&boundary.len()))
        .filter(|boundary| boundary.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        .ok_or_else(|| Invalid::bad_request("The content type of a multipart body must name its boundary."))
}
