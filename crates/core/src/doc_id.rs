//! Document ids that cannot hold a bad value.

use crate::limits::DOC_ID_BYTES_MAX;
use std::fmt;

/// The id of a document that replicates: not empty, not over [`crate::limits::DOC_ID_BYTES_MAX`], and starting
/// with `_` only as `_design/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocId(Box<str>);

/// The id of a local document, without its `_local/`. Never replicated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(Box<str>);

/// Why a text is no document id. Its `Display` is CouchDB's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidDocId {
    /// It is no text.
    NotText,
    /// It is empty.
    Empty,
    /// It starts with `_` and is no design document.
    Reserved,
    /// It is `_design/` or `_local/` (which is told) without a name.
    Unnamed(&'static str),
    /// It is longer than [`crate::limits::DOC_ID_BYTES_MAX`].
    TooLong,
    /// It names no partition, in a database that has some.
    Unpartitioned,
}

const DESIGN: &str = "_design/";
const LOCAL: &str = "_local/";

impl DocId {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<DocId, InvalidDocId> {
        if text.is_empty() {
            return Err(InvalidDocId::Empty);
        }
        if text.len() > DOC_ID_BYTES_MAX {
            return Err(InvalidDocId::TooLong);
        }
        if text == DESIGN {
            return Err(InvalidDocId::Unnamed(DESIGN));
        }
        if text.starts_with('_') && !text.starts_with(DESIGN) {
            return Err(InvalidDocId::Reserved);
        }
        Ok(DocId(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a design document.
    pub fn is_design(&self) -> bool {
        self.0.starts_with(DESIGN)
    }
}

impl LocalId {
    /// Checks the part after `_local/`.
    pub fn parse(text: &str) -> Result<LocalId, InvalidDocId> {
        if text.is_empty() {
            return Err(InvalidDocId::Unnamed(LOCAL));
        }
        if text.len() > DOC_ID_BYTES_MAX {
            return Err(InvalidDocId::TooLong);
        }
        Ok(LocalId(text.into()))
    }

    /// The part after `_local/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LOCAL}{}", self.0)
    }
}

impl fmt::Display for InvalidDocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidDocId::NotText => f.write_str("Document id must be a string"),
            InvalidDocId::Empty => f.write_str("Document id must not be empty"),
            InvalidDocId::Reserved => f.write_str("Only reserved document ids may start with underscore."),
            InvalidDocId::Unnamed(prefix) => write!(f, "Illegal document id `{prefix}`"),
            InvalidDocId::Unpartitioned => f.write_str("Doc id must be of form partition:id"),
            InvalidDocId::TooLong => {
                write!(
                    f,
                    "Document id is too long: at most {DOC_ID_BYTES_MAX} bytes are allowed"
                )
            }
        }
    }
}

impl std::error::Error for InvalidDocId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_documents() {
        for text in ["a", "a/b c+%", "ünï", "_design/x", "_design/x/y", "-_", " "] {
            let id = DocId::parse(text).expect(text);
            assert_eq!(id.as_str(), text);
            assert_eq!(id.is_design(), text.starts_with("_design/"));
        }
    }

    #[test]
    fn ids_that_are_none() {
        for (text, why) in [
            ("", InvalidDocId::Empty),
            ("_", InvalidDocId::Reserved),
            ("_x", InvalidDocId::Reserved),
            ("_design", InvalidDocId::Reserved),
            ("_local/x", InvalidDocId::Reserved),
            ("_design/", InvalidDocId::Unnamed("_design/")),
        ] {
            assert_eq!(DocId::parse(text), Err(why), "{text}");
        }
        assert_eq!(LocalId::parse(""), Err(InvalidDocId::Unnamed("_local/")));
    }

    #[test]
    fn the_longest_id_is_the_limit() {
        let longest = "x".repeat(DOC_ID_BYTES_MAX);
        assert!(DocId::parse(&longest).is_ok());
        assert!(LocalId::parse(&longest).is_ok());
        let longer = longest + "x";
        assert_eq!(DocId::parse(&longer), Err(InvalidDocId::TooLong));
        assert_eq!(LocalId::parse(&longer), Err(InvalidDocId::TooLong));
    }

    #[test]
    fn local_ids_may_look_like_anything() {
        for text in ["_x", "a==", "_design/x"] {
            let id = LocalId::parse(text).expect(text);
            assert_eq!(id.to_string(), format!("_local/{text}"));
        }
    }

    #[test]
    fn reasons_are_couchdbs() {
        assert_eq!(InvalidDocId::Empty.to_string(), "Document id must not be empty");
        assert_eq!(
            InvalidDocId::Reserved.to_string(),
            "Only reserved document ids may start with underscore."
        );
        assert_eq!(
            InvalidDocId::Unnamed(DESIGN).to_string(),
            "Illegal document id `_design/`"
        );
    }
}
