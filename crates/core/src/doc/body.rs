//! A body: text that can be stored and spliced as it is.

use crate::json::{self, JsonError};
use std::fmt;

/// A body: compact JSON text of one object, without top-level members that start with `_`, without duplicate
/// keys, spelled as the client spelled it otherwise. Made by `wire` (or [`Body::parse`]); never empty: at least `{}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(pub(crate) Box<str>);

impl Body {
    /// The JSON text, `{` to `}`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The body `{}`.
    pub fn empty() -> Body {
        Body("{}".into())
    }

    /// Reads an object; white space and all but the last of equal keys are dropped.
    pub fn parse(text: &str) -> Result<Body, InvalidBody> {
        json::split_object(text, |key, _| Err(InvalidBody::Special(key.into())))
    }

    /// Wraps the text of a body that was stored, unchecked.
    pub fn from_stored(text: impl Into<Box<str>>) -> Body {
        Body(text.into())
    }
}

/// Why a text is no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidBody {
    /// It is no JSON object.
    Json(JsonError),
    /// It has a member that starts with `_`; its key.
    Special(Box<str>),
}

impl From<JsonError> for InvalidBody {
    fn from(error: JsonError) -> InvalidBody {
        InvalidBody::Json(error)
    }
}

impl fmt::Display for InvalidBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidBody::Json(_) => f.write_str("a body must be a JSON object"),
            InvalidBody::Special(key) => write!(f, "a body cannot have the member {key}: `_` is reserved"),
        }
    }
}

impl std::error::Error for InvalidBody {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InvalidBody::Json(error) => Some(error),
            InvalidBody::Special(_) => None,
        }
    }
}
