//! Why bytes from outside are not what they should be.

use std::fmt;
use trunkline_core::json::JsonError;
use trunkline_core::limits::REQUEST_ITEMS_MAX;

/// Which of CouchDB's error words fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `bad_request`
    BadRequest,
    /// `illegal_docid`
    IllegalDocId,
    /// `doc_validation`
    DocValidation,
    /// `document_too_large`
    DocumentTooLarge,
    /// `too_large`: more than [`REQUEST_ITEMS_MAX`] items
    TooLarge,
}

impl Kind {
    /// The word, as it stands in `error`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::BadRequest => "bad_request",
            Kind::IllegalDocId => "illegal_docid",
            Kind::DocValidation => "doc_validation",
            Kind::DocumentTooLarge => "document_too_large",
            Kind::TooLarge => "too_large",
        }
    }
}

/// Why a request's body is not acceptable. `Display` is the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Names the error.
    pub kind: Kind,
    /// What is wrong, for `reason`.
    pub reason: String,
}

impl Invalid {
    /// A `bad_request`.
    pub fn bad_request(reason: impl Into<String>) -> Invalid {
        Invalid {
            kind: Kind::BadRequest,
            reason: reason.into(),
        }
    }
}

/// Refuses one more item behind `items` of them when that is too many.
pub(crate) fn one_more(items: usize) -> Result<(), Invalid> {
    if items < REQUEST_ITEMS_MAX {
        return Ok(());
    }
    Err(Invalid {
        kind: Kind::TooLarge,
        reason: format!("A request may list {REQUEST_ITEMS_MAX} items at most; send several."),
    })
}

/// The bytes as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.valid_up_to()))
}

impl From<JsonError> for Invalid {
    fn from(error: JsonError) -> Invalid {
        Invalid::bad_request(json_reason(&error))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Invalid {}

/// CouchDB's reason for text that is not acceptable JSON.
pub(crate) fn json_reason(error: &JsonError) -> String {
    match error {
        JsonError::Syntax(_) => "invalid UTF-8 JSON".into(),
        JsonError::TooDeep => format!(
            "JSON is nested deeper than {} levels",
            trunkline_core::limits::JSON_DEPTH_MAX
        ),
        JsonError::TooManyDigits => format!(
            "An integer has more than {} digits",
            trunkline_core::limits::INTEGER_DIGITS_MAX
        ),
        JsonError::Expected(kind) => format!("Request body must be a JSON {kind}"),
    }
}

/// A peer's answer makes no sense; what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAnswer(pub String);

impl From<JsonError> for BadAnswer {
    fn from(error: JsonError) -> BadAnswer {
        BadAnswer(match error {
            JsonError::Syntax(at) => format!("the answer is not JSON at byte {at}"),
            JsonError::TooDeep => "the answer is nested too deeply".into(),
            JsonError::TooManyDigits => "the answer holds an integer of too many digits".into(),
            JsonError::Expected(kind) => format!("the answer lacks a JSON {kind}"),
        })
    }
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadAnswer {}
