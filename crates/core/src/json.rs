//! JSON text as text: one pass validates, compacts and finds members. Numbers and strings keep their spelling, keys
//! their order. Nothing is allocated per value.

use std::borrow::Cow;

/// Why a text is not acceptable JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not JSON; the byte offset where that showed.
    Syntax(usize),
    /// Deeper than [`crate::limits::JSON_DEPTH_MAX`].
    TooDeep,
    /// Another kind of value was needed; names it (`"object"`, `"array"`).
    Expected(&'static str),
}

/// Checks that `text` is one JSON value with nothing but white space around it. UTF-8 is checked too.
pub fn validate(_text: &[u8]) -> Result<&str, JsonError> {
    todo!()
}

/// Calls `member` with each (key unescaped, value's text) of the object `text`, in order; values are validated, not
/// copied, not compacted.
pub fn members<'a, E: From<JsonError>>(
    _text: &'a str,
    _member: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), E>,
) -> Result<(), E> {
    todo!()
}

/// Calls `element` with the text of each element of the array `text`, in order, validated.
pub fn elements<'a, E: From<JsonError>>(
    _text: &'a str,
    _element: impl FnMut(&'a str) -> Result<(), E>,
) -> Result<(), E> {
    todo!()
}

/// Appends valid JSON without its insignificant white space.
pub fn compact(_text: &str, _out: &mut String) {
    todo!()
}

/// Appends `text` as a JSON string with its quotes.
pub fn quote(_text: &str, _out: &mut Vec<u8>) {
    todo!()
}
