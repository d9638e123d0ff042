//! Attachments as streams: written from any reader, read without being held in memory.

use crate::{Database, Doc, Result};
use flate2::read::GzDecoder;
use serde::Serialize;
use std::io::{self, Read};
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, Encoding};
use trunkline_core::doc::Edit;
use trunkline_store::{self as engine, ContentReader};

impl Database {
    /// Saves a document with an attachment whose bytes are read from `bytes`. An attachment of the same name is
    /// replaced. Removing one is `doc.attachments.retain(..)` and [`Database::save`].
    pub fn attach<T: Serialize>(
        &self,
        doc: &mut Doc<T>,
        name: &str,
        content_type: &str,
        mut bytes: impl Read,
    ) -> Result<()> {
        let mut staging = self.engine().stage(None)?;
        io::copy(&mut bytes, &mut staging).map_err(|cause| {
            engine::Error::Io(format!("reading attachment {name:?}"), std::sync::Arc::new(cause))
        })?;
        let content = staging.finish()?;
        let mut edit = doc.edit()?;
        edit.attachments.retain(|attachment| &*attachment.name != name);
        edit.attachments.push(AttachmentEdit {
            name: name.into(),
            content_type: Some(content_type.into()),
            revpos: None,
            source: AttachmentSource::Staged(content.clone()),
        });
        doc.rev = self.write_one(Edit::Interactive(edit))?;
        doc.attachments.retain(|attachment| &*attachment.name != name);
        doc.attachments.push(Attachment {
            name: name.into(),
            content_type: content_type.into(),
            revpos: doc.rev.generation,
            content,
        });
        Ok(())
    }

    /// Opens an attachment's bytes, as its user sees them. [`Error::is_absent`](crate::Error::is_absent) tells when they
    /// have not come yet.
    pub fn open_attachment(&self, attachment: &Attachment) -> Result<AttachmentReader> {
        let stored = self.engine().open_content(&attachment.content)?;
        Ok(AttachmentReader(match attachment.content.encoding {
            Encoding::Identity => Inner::Identity(stored),
            Encoding::Gzip { .. } => Inner::Gzip(Box::new(GzDecoder::new(stored))),
        }))
    }
}

/// Reads an attachment's bytes.
#[derive(Debug)]
pub struct AttachmentReader(Inner);

#[derive(Debug)]
enum Inner {
    Identity(ContentReader),
    Gzip(Box<GzDecoder<ContentReader>>),
}

impl Read for AttachmentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Identity(stored) => stored.read(buffer),
            Inner::Gzip(decoded) => decoded.read(buffer),
        }
    }
}
