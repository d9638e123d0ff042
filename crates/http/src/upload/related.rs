//! A document and its attachments in one `multipart/related` request, streamed into the store.

use super::Upload;
use crate::app::App;
use crate::encoding::window_bytes;
use crate::error::{Error, Result};
use crate::request::header_text;
use crate::room::Room;
use crate::{body, edit, encoding};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::limits::{
    MULTIPART_DOC_BYTES_MAX, MULTIPART_EPILOGUE_BYTES_MAX, PART_HEADER_BYTES_MAX, REQUEST_ROOM_FIRST_BYTES,
};
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
    let announced = body::announced(&request).unwrap_or(0);
    let _window = app.window(window_bytes(request.headers())).await?;
    let body = encoding::decode(request).await?.into_body();
    let mut parts = Parts {
        reader,
        body,
        bytes_left: app.config().request_bytes_max,
    };
    let (json, room) = body::in_time(app, parts.document(app, announced)).await?;
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

fn no_document() -> Error {
    Error::bad("The first part must be the document")
}

struct Parts {
    reader: DocumentReader,
    body: Body,
    bytes_left: u64,
}

impl Parts {
    /// The document's JSON text, and its room in memory, which is taken as it comes.
    async fn document(&mut self, app: &App, announced: u64) -> Result<(Vec<u8>, Room)> {
        let bytes_max = MULTIPART_DOC_BYTES_MAX.min(app.config().request_buffer_bytes_max);
        let first = REQUEST_ROOM_FIRST_BYTES.min(bytes_max);
        let first = usize::try_from(announced).map_or(first, |announced| announced.min(first));
        let mut room = app.rooms.take(first).await?;
        let mut came = 0;
        loop {
            match self.reader.next_event()? {
                DocumentEvent::More if came > bytes_max + PART_HEADER_BYTES_MAX => {
                    return Err(Error::TooLarge);
                }
                DocumentEvent::More => {
                    let bytes = self.more().await?.ok_or_else(no_document)?;
                    came += bytes.len();
                    app.rooms.grow(&mut room, came.min(bytes_max), bytes_max).await?;
                    self.reader.feed(&bytes);
                }
                DocumentEvent::Doc(json) => {
                    room.keep(json.len());
                    return Ok((json, room));
                }
                _ => return Err(no_document()),
            }
        }
    }

    async fn next(&mut self) -> Result<DocumentEvent> {
        loop {
            match self.reader.next_event()? {
                DocumentEvent::More => match self.more().await? {
                    Some(bytes) => self.reader.feed(&bytes),
                    None => return Ok(DocumentEvent::Closed),
                },
                event => return Ok(event),
            }
        }
    }

    /// Bytes to feed; `None` at the end of all parts.
    async fn more(&mut self) -> Result<Option<Bytes>> {
        let Some(bytes) = body::next(&mut self.body).await? else {
            self.reader.finish()?;
            return Ok(None);
        };
        let left = self.bytes_left.checked_sub(bytes.len() as u64);
        self.bytes_left = left.ok_or(Error::TooLarge)?;
        Ok(Some(bytes))
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
        let mut epilogue_bytes = 0;
        while let Some(bytes) = body::next(&mut self.body).await? {
            epilogue_bytes += bytes.len();
            if epilogue_bytes > MULTIPART_EPILOGUE_BYTES_MAX {
                return Err(Error::TooLarge);
            }
        }
        Ok(())
    }
}
