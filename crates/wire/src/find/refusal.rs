//! Why a request is not acceptable, in CouchDB's words.

use crate::invalid::json_reason;
use std::fmt;
use trunkline_core::json::JsonError;
use trunkline_core::selector::InvalidSelector;

/// Why a request is refused: always the fault of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stands in `error`.
    pub word: &'static str,
    /// Stands in `reason`. Values are shown as JSON.
    pub reason: String,
}

impl Refusal {
    /// Of a word and a reason.
    pub fn new(word: &'static str, reason: impl Into<String>) -> Refusal {
        Refusal {
            word,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Refusal {
        Refusal::new("bad_request", json_reason(&error))
    }
}

impl From<InvalidSelector> for Refusal {
    fn from(invalid: InvalidSelector) -> Refusal {
        let word = match &invalid {
            InvalidSelector::NotAnObject(_) => "invalid_selector_json",
            InvalidSelector::InvalidOperator(_) => "invalid_operator",
            InvalidSelector::NotSupported(_) => "not_supported",
            InvalidSelector::BadArgument { .. } => "bad_arg",
            InvalidSelector::InvalidFieldName(_) => "invalid_field_name",
            InvalidSelector::TooDeep
            | InvalidSelector::TooLarge
            | InvalidSelector::PatternsTooLarge
            | InvalidSelector::MissingFieldName => "invalid_selector",
        };
        Refusal::new(word, invalid.to_string())
    }
}
