//! A document and its attachments in one `multipart/related` request, streamed into the store.

use super::Upload;
use crate::app::App;
use crate::error::{Error, Result};
use crate::request::header_text;
use crate::room::Room;
use crate::{body, edit, encoding};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_store::{Database, StagedContents};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::document::{self, IncomingDoc};
use trunkline_wire::multipart::{DocumentEvent, DocumentReader};

/// A document's attachments, and what holds their bytes.
pub(crate) type Staged = (Vec<AttachmentEdit>, StagedContents);

/// Reads the request to its end; the document comes back with every attachment staged, and the room it takes.
pub(crate) async fn receive(
    app: &App,
    db: &Database,
    (id, interactive): (&str, bool),
    request: Request,
) -> Result<(IncomingDoc, Staged, Room)> {
    let content_type = header_text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    let reader = DocumentReader::new(content_type)?;
    let body = encoding::decode(request).await?.into_body();
    let mut parts = Parts {
        reader,
        body,
        bytes_left: app.config().request_bytes_max,
    };
    let DocumentEvent::Doc(json) = parts.next().await? else {
        return Err(Error::bad("The first part must be the document"));
    };
    let room = app.rooms.take(json.len()).await?;
    let mut doc = document::parse(&json)?;
    if interactive {
        edit::check(db, id, &doc.body, doc.deleted).await?;
    }
    let mut staged = StagedContents::new(db);
    let mut attachments = Vec::with_capacity(doc.attachments.len());
    for attachment in std::mem::take(&mut doc.attachments) {
        attachments.push(match attachment.data {
            IncomingData::Follows { part_bytes, gzip } => {
                parts
                    .upload(app, &mut staged, attachment, (part_bytes, gzip))
                    .await?
            }
            _ => edit::stage_one(app, &mut staged, attachment).await?,
        });
    }
    parts.drain().await?;
    Ok((doc, (attachments, staged), room))
}

struct Parts {
    reader: DocumentReader,
    body: Body,
    bytes_left: u64,
}

impl Parts {
    async fn next(&mut self) -> Result<DocumentEvent> {
        loop {
            match self.reader.next_event()? {
                DocumentEvent::More => match body::next(&mut self.body).await? {
                    Some(bytes) => {
                        let left = self.bytes_left.checked_sub(bytes.len() as u64);
                        self.bytes_left = left.ok_or(Error::TooLarge)?;
                        self.reader.feed(&bytes);
                    }
                    None => {
                        self.reader.finish()?;
                        return Ok(DocumentEvent::Closed);
                    }
                },
                event => return Ok(event),
            }
        }
    }

    async fn upload(
        &mut self,
        app: &App,
        staged: &mut StagedContents,
        attachment: IncomingAttachment,
        (part_bytes, gzip): (Option<u64>, bool),
    ) -> Result<AttachmentEdit> {
        let name = attachment.name.as_str();
        let DocumentEvent::Attachment(_) = self.next().await? else {
            return Err(Error::BadAttachment(format!(
                "Attachment '{name}' does not follow"
            )));
        };
        let bytes_max = app.config().attachment_bytes_max;
        let mut upload = Upload::start(staged.database(), name, part_bytes, bytes_max).await?;
        loop {
            match self.next().await? {
                DocumentEvent::Data(bytes) => upload.push(bytes).await?,
                DocumentEvent::AttachmentEnd => break,
                _ => return Err(Error::BadAttachment(format!("Attachment '{name}' is cut off"))),
            }
        }
        if part_bytes.is_some_and(|announced| announced != upload.bytes()) {
            return Err(Error::BadAttachment(format!(
                "Attachment '{name}' is not as long as it says"
            )));
        }
        let content = upload.finish(gzip, staged).await?;
        if attachment.md5.is_some_and(|announced| announced != content.md5) {
            return Err(Error::Md5Mismatch);
        }
        Ok(edit::describe(attachment, AttachmentSource::Staged(content)))
    }

    /// Reads on to the end, so that the connection can go on with its next request.
    async fn drain(&mut self) -> Result<()> {
        loop {
            match self.next().await? {
                DocumentEvent::Closed => break,
                DocumentEvent::Attachment(_) => {
                    return Err(Error::bad("There are more parts than attachments that follow"));
                }
                _ => {}
            }
        }
        while let Some(bytes) = body::next(&mut self.body).await? {
            let left = self.bytes_left.checked_sub(bytes.len() as u64);
            self.bytes_left = left.ok_or(Error::TooLarge)?;
        }
        Ok(())
    }
}
