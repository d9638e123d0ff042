//! A document as a value of the caller's type, and the way from one to the other.

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Body, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_store::Leaf;

/// A document as it was read: one revision, its body as a `T`.
#[derive(Clone, Debug, PartialEq)]
pub struct Doc<T> {
    /// Its id.
    pub id: String,
    /// The revision that `value` is of. [`crate::Database::save`] edits this revision, and no other.
    pub rev: Rev,
    /// The body.
    pub value: T,
    /// Its attachments, without their bytes. Saving keeps those listed and drops those removed from the list.
    pub attachments: Vec<Attachment>,
}

impl<T> Doc<T> {
    /// The attachment of a name.
    pub fn attachment(&self, name: &str) -> Option<&Attachment> {
        self.attachments
            .iter()
            .find(|attachment| &*attachment.name == name)
    }
}

impl<T: DeserializeOwned> Doc<T> {
    pub(crate) fn from_leaf(id: String, leaf: Leaf) -> Result<Doc<T>> {
        Doc::from_json(id, leaf.rev, leaf.body.as_str(), leaf.attachments)
    }

    pub(crate) fn from_json(
        id: String,
        rev: Rev,
        json: &str,
        attachments: Vec<Attachment>,
    ) -> Result<Doc<T>> {
        Ok(Doc {
            value: value_of(&id, json)?,
            id,
            rev,
            attachments,
        })
    }
}

impl<T: Serialize> Doc<T> {
    /// The edit that replaces the revision read by the value as it is now.
    pub(crate) fn edit(&self) -> Result<InteractiveEdit> {
        Ok(InteractiveEdit {
            id: parse_id(&self.id)?,
            parent: Some(self.rev.clone()),
            deleted: false,
            body: body_of(&self.id, &self.value)?,
            attachments: self.attachments.iter().map(stub_of).collect(),
        })
    }
}

/// The edit that makes a new document.
pub(crate) fn creation<T: Serialize + ?Sized>(id: &str, value: &T) -> Result<InteractiveEdit> {
    Ok(InteractiveEdit {
        id: parse_id(id)?,
        parent: None,
        deleted: false,
        body: body_of(id, value)?,
        attachments: Vec::new(),
    })
}

/// The edit that deletes a revision.
pub(crate) fn deletion(id: &str, rev: &Rev) -> Result<InteractiveEdit> {
    Ok(InteractiveEdit {
        id: parse_id(id)?,
        parent: Some(rev.clone()),
        deleted: true,
        body: Body::empty(),
        attachments: Vec::new(),
    })
}

pub(crate) fn parse_id(id: &str) -> Result<DocId> {
    DocId::parse(id).map_err(|reason| Error::Invalid(format!("{id:?} is no document id: {reason}")))
}

pub(crate) fn value_of<T: DeserializeOwned>(id: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|cause| Error::Value {
        id: id.to_owned(),
        cause,
    })
}

pub(crate) fn body_of<T: Serialize + ?Sized>(id: &str, value: &T) -> Result<Body> {
    let json = serde_json::to_string(value).map_err(|cause| Error::Value {
        id: id.to_owned(),
        cause,
    })?;
    Body::parse(&json).map_err(|reason| Error::Invalid(format!("document {id:?}: {reason}")))
}

pub(crate) fn stub_of(attachment: &Attachment) -> AttachmentEdit {
    AttachmentEdit {
        name: attachment.name.clone(),
        content_type: Some(attachment.content_type.clone()),
        revpos: Some(attachment.revpos),
        source: AttachmentSource::Stub {
            md5: Some(attachment.content.md5),
        },
    }
}
