//! The two kinds of edit, which share one door.

use super::{Body, RevPath};
use crate::attachment::{AttachmentEdit, AttachmentSource, Content};
use crate::doc_id::DocId;
use crate::rev::Rev;

/// One change to one document.
#[derive(Clone, Debug)]
pub enum Edit {
    /// A client's edit (`new_edits=true`): refused when its parent is not a leaf.
    Interactive(InteractiveEdit),
    /// A revision made elsewhere (`new_edits=false`): merged, never refused for conflict.
    Replicated(ReplicatedEdit),
}

impl Edit {
    /// The contents that are staged for it.
    pub fn staged(&self) -> impl Iterator<Item = &Content> {
        let attachments = match self {
            Edit::Interactive(edit) => &edit.attachments,
            Edit::Replicated(edit) => &edit.attachments,
        };
        attachments
            .iter()
            .filter_map(|attachment| match &attachment.source {
                AttachmentSource::Staged(content) => Some(content),
                AttachmentSource::Stub { .. } | AttachmentSource::Named(_) | AttachmentSource::Later(_) => {
                    None
                }
            })
    }
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
    /// How long ago, in ms, it was first committed, on the node that made it; 0 when nobody tells.
    pub age_ms: u64,
}
