//! A document's body, and the edits that can be made to a document.

use crate::attachment::AttachmentEdit;
use crate::doc_id::DocId;
use crate::json::{self, JsonError};
use crate::limits::GENERATION_MAX;
use crate::rev::{Digest, Rev};
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

/// The newest revision of a replicated edit with its ancestors: `_revisions`. `digests` runs newest to oldest and is
/// never empty; `digests[i]` has generation `generation - i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevPath {
    /// Generation of `digests[0]`; at least `digests.len()`.
    pub generation: u64,
    /// Newest first.
    pub digests: Vec<Digest>,
}

impl RevPath {
    /// A path, unless it is empty, longer than its generation, or over [`GENERATION_MAX`].
    pub fn new(generation: u64, digests: Vec<Digest>) -> Option<RevPath> {
        let length = u64::try_from(digests.len()).ok()?;
        (1..=generation)
            .contains(&length)
            .then_some(RevPath { generation, digests })
            .filter(|path| path.generation <= GENERATION_MAX)
    }

    /// The newest revision; `None` for the empty path that [`RevPath::new`] refuses.
    pub fn rev(&self) -> Option<Rev> {
        self.revs().next()
    }

    /// All revisions, newest first.
    pub fn revs(&self) -> impl Iterator<Item = Rev> {
        let generations = (1..=self.generation).rev();
        generations.zip(&self.digests).map(|(generation, digest)| Rev {
            generation,
            digest: digest.clone(),
        })
    }
}

/// A path of one revision without known ancestors.
impl From<Rev> for RevPath {
    fn from(rev: Rev) -> RevPath {
        RevPath {
            generation: rev.generation,
            digests: vec![rev.digest],
        }
    }
}

/// One change to one document.
#[derive(Clone, Debug)]
pub enum Edit {
    /// A client's edit (`new_edits=true`): refused when its parent is not a leaf.
    Interactive(InteractiveEdit),
    /// A revision made elsewhere (`new_edits=false`): merged, never refused for conflict.
    Replicated(ReplicatedEdit),
}

/// An edit under CouchDB's rules for interactive edits.
#[derive(Clone, Debug)]
pub struct InteractiveEdit {
    /// Which document.
    pub id: DocId,
    /// `_rev`: the leaf this edit replaces; `None` creates the document or revives a deleted one.
    pub parent: Option<Rev>,
    /// Whether the new revision is a tombstone.
    pub deleted: bool,
    /// The new body.
    pub body: Body,
    /// All attachments of the new revision, in document order; what is not listed is dropped.
    pub attachments: Vec<AttachmentEdit>,
}

/// A revision that another node made.
#[derive(Clone, Debug)]
pub struct ReplicatedEdit {
    /// Which document.
    pub id: DocId,
    /// The revision and its known ancestors.
    pub path: RevPath,
    /// Whether the revision is a tombstone.
    pub deleted: bool,
    /// Its body.
    pub body: Body,
    /// Its attachments, in document order.
    pub attachments: Vec<AttachmentEdit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_empty_nor_longer_than_its_generation() {
        let digests = |count: usize| vec![Digest::from([7; 16]); count];
        assert!(RevPath::new(1, digests(0)).is_none());
        assert!(RevPath::new(0, digests(1)).is_none());
        assert!(RevPath::new(2, digests(3)).is_none());
        assert!(RevPath::new(GENERATION_MAX + 1, digests(1)).is_none());
        let path = RevPath::new(3, digests(2)).expect("valid");
        let generations: Vec<u64> = path.revs().map(|rev| rev.generation).collect();
        assert_eq!(generations, [3, 2]);
        assert_eq!(path.rev().map(|rev| rev.generation), Some(3));
    }
}
