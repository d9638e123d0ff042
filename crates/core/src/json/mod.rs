//! JSON text as text: one pass validates, compacts and finds members. Numbers and strings keep their spelling, keys
//! their order. Nothing is allocated per value.
//!
//! What is accepted is RFC 8259, read as CouchDB reads it: a `\u` escape of half a surrogate pair is refused, and so
//! is a fraction or exponent too large for a double. Integers have up to [`crate::limits::INTEGER_DIGITS_MAX`] digits.

mod body;
mod number;
mod reader;
mod text;

pub(crate) use number::long_magnitude;
pub use reader::Reader;
pub use text::{quote, string, unescape};

use crate::doc::Body;
use std::borrow::Cow;
use std::fmt;

/// Why a text is not acceptable JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not JSON; the byte offset where that showed.
    Syntax(usize),
    /// Deeper than [`crate::limits::JSON_DEPTH_MAX`].
    TooDeep,
    /// An integer of more digits than [`crate::limits::INTEGER_DIGITS_MAX`].
    TooManyDigits,
    /// Another kind of value was needed; names it (`"object"`, `"array"`).
    Expected(&'static str),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Syntax(offset) => write!(f, "not JSON at byte {offset}"),
            JsonError::TooDeep => {
                write!(
                    f,
                    "JSON nested deeper than {} levels",
                    crate::limits::JSON_DEPTH_MAX
                )
            }
            JsonError::TooManyDigits => {
                write!(
                    f,
                    "an integer of more than {} digits",
                    crate::limits::INTEGER_DIGITS_MAX
                )
            }
            JsonError::Expected(kind) => write!(f, "expected a JSON {kind}"),
        }
    }
}

impl std::error::Error for JsonError {}

/// Checks that `text` is one JSON value with nothing but white space around it. UTF-8 is checked too.
pub fn validate(text: &[u8]) -> Result<&str, JsonError> {
    let text = std::str::from_utf8(text).map_err(|error| JsonError::Syntax(error.valid_up_to()))?;
    let mut reader = Reader::new(text);
    reader.raw()?;
    reader.end()?;
    Ok(text)
}

/// Calls `member` with each (key unescaped, value's text) of the object `text`, in order; values are validated, not
/// copied, not compacted. To look inside values in the same pass, use [`Reader::members`].
pub fn members<'a, E: From<JsonError>>(
    text: &'a str,
    mut member: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Reader::new(text);
    reader.members(|key, reader| member(key, reader.raw()?))?;
    Ok(reader.end()?)
}

/// Calls `element` with the text of each element of the array `text`, in order, validated. To look inside elements
/// in the same pass, use [`Reader::elements`].
pub fn elements<'a, E: From<JsonError>>(
    text: &'a str,
    mut element: impl FnMut(&'a str) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Reader::new(text);
    reader.elements(|reader| element(reader.raw()?))?;
    Ok(reader.end()?)
}

/// Validates the document `text` and takes it apart in one pass: its top-level `_` members go to `special` (key
/// unescaped, value's text) in order, a repeated one each time; all else becomes the body.
pub fn split_object<'a, E: From<JsonError>>(
    text: &'a str,
    special: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), E>,
) -> Result<Body, E> {
    let mut reader = Reader::new(text);
    let body = reader.body(special)?;
    reader.end()?;
    Ok(body)
}

/// Appends valid JSON without its insignificant white space. Of text that is not JSON nothing is appended.
pub fn compact(text: &str, out: &mut String) {
    let _ = body::compact(text, out);
}

#[cfg(test)]
mod tests;
