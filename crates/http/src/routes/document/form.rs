//! A form posted to a document, as browsers upload files: each file becomes an attachment. The form names the revision
//! that gets them (`_rev`), or brings the whole document (`_doc`).

use super::{submit, written};
use crate::app::App;
use crate::edit;
use crate::encoding::window_bytes;
use crate::error::{Error, Result, rev};
use crate::request::{DocPath, Target, doc_id, header_text};
use crate::room::Room;
use crate::routes::attachment::revision;
use crate::upload::Upload;
use crate::{body, encoding};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Edit, InteractiveEdit};
use trunkline_store::{Durability, StagedContents};
use trunkline_wire::attachments::check_name;
use trunkline_wire::document;
use trunkline_wire::multipart::{Headers, PartEvent, PartReader, boundary};

pub(in crate::routes) async fn submit_form(
    State(app): State<App>,
    target: Target,
    request: Request,
) -> Result<Response> {
    let Target { db, path, .. } = target;
    let DocPath::Doc(id) = path else {
        return Err(Error::bad("_local documents do not accept attachments."));
    };
    // A page of another site can send forms too; it cannot choose its Referer.
    check_referer(request.headers())?;
    doc_id(&id)?;
    let kind = header_text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(Error::BadContentType("Content-Type must be multipart/form-data"));
    }
    let reader = PartReader::new(&boundary(kind)?);
    let _window = app.window(window_bytes(request.headers())).await?;
    let body = encoding::decode(request).await?.into_body();
    let bytes_left = app.config().request_bytes_max;
    let form = Form {
        app,
        staged: StagedContents::new(&db),
        reader,
        body,
        bytes_left,
        room: Room::default(),
    };
    let (app, mut staged, fields, room) = form.read().await?;
    let edit = edit_of(&app, &mut staged, &id, fields).await?;
    let outcome = submit(&db, (edit, staged), &id, Durability::Durable, room).await?;
    Ok(written(&id, &outcome, false, Durability::Durable))
}

fn check_referer(headers: &HeaderMap) -> Result<()> {
    let referer = header_text(headers, header::REFERER).ok_or(Error::bad("Referer header required."))?;
    let referer: Option<Uri> = referer.parse().ok();
    let from = referer
        .as_ref()
        .and_then(Uri::authority)
        .map(|from| from.as_str());
    if from.is_some() && from == header_text(headers, header::HOST) {
        return Ok(());
    }
    Err(Error::bad("Referer header must match host."))
}

/// What a form holds.
#[derive(Default)]
struct Fields {
    rev: Option<Vec<u8>>,
    doc: Option<Vec<u8>>,
    files: Vec<AttachmentEdit>,
}

struct Form {
    app: App,
    staged: StagedContents,
    reader: PartReader,
    body: Body,
    bytes_left: u64,
    /// Of its texts; files take none.
    room: Room,
}

impl Form {
    async fn read(mut self) -> Result<(App, StagedContents, Fields, Room)> {
        let app = self.app.clone();
        let mut fields = Fields::default();
        loop {
            match self.next().await? {
                PartEvent::Start(headers) => match headers.form_name().as_deref() {
                    Some("_rev") => fields.rev = Some(body::in_time(&app, self.text()).await?),
                    Some("_doc") => fields.doc = Some(body::in_time(&app, self.text()).await?),
                    Some("_attachments") => fields.files.extend(self.file(&headers).await?),
                    _ => {}
                },
                PartEvent::Closed => return Ok((self.app, self.staged, fields, self.room)),
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Result<PartEvent> {
        loop {
            match self.reader.next_event()? {
                PartEvent::More => {
                    let bytes = body::next(&mut self.body).await?;
                    let bytes = bytes.ok_or(Error::bad("A multipart body was cut off."))?;
                    let left = self.bytes_left.checked_sub(bytes.len() as u64);
                    self.bytes_left = left.ok_or(Error::TooLarge)?;
                    self.reader.feed(&bytes);
                }
                event => return Ok(event),
            }
        }
    }

    async fn text(&mut self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        while let PartEvent::Body(bytes) = self.next().await? {
            let length = text.len() + bytes.len();
            let bytes_max = self.app.config().request_buffer_bytes_max;
            if length > bytes_max {
                return Err(Error::TooLarge);
            }
            self.app.rooms.grow(&mut self.room, length, bytes_max).await?;
            text.extend_from_slice(&bytes);
        }
        Ok(text)
    }

    /// A file, staged; `None` for the empty field of a form without one.
    async fn file(&mut self, headers: &Headers) -> Result<Option<AttachmentEdit>> {
        let Some(name) = headers.filename().filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        check_name(&name)?;
        let bytes_max = self.app.config().attachment_bytes_max;
        let mut upload = Upload::start(self.staged.database(), &name, None, bytes_max).await?;
        while let PartEvent::Body(bytes) = self.next().await? {
            upload.push(bytes).await?;
        }
        let content = upload.finish(false, &mut self.staged).await?;
        Ok(Some(AttachmentEdit {
            name: name.into(),
            content_type: headers.value("content-type").map(Into::into),
            revpos: None,
            source: AttachmentSource::Staged(content),
        }))
    }
}

/// The document with the form's files first, and its other attachments behind them.
async fn edit_of(app: &App, staged: &mut StagedContents, id: &str, fields: Fields) -> Result<Edit> {
    let Fields {
        rev: named,
        doc,
        files,
    } = fields;
    let mut kept = Vec::new();
    let (parent, deleted, body) = if let Some(text) = doc {
        let doc = document::parse(&text)?;
        edit::check(staged.database(), id, &doc.body, doc.deleted).await?;
        for attachment in doc.attachments {
            kept.push(edit::stage_one(app, staged, attachment).await?);
        }
        (doc.rev, doc.deleted, doc.body)
    } else {
        let named = named.ok_or(Error::bad("The form needs a field `_rev` or `_doc`."))?;
        let parent = rev(&String::from_utf8_lossy(&named))?;
        let leaf = revision(staged.database(), id, Some(&parent))
            .await?
            .ok_or(Error::MissingRev)?;
        kept.extend(leaf.attachments.iter().map(edit::keep));
        (Some(parent), leaf.deleted, leaf.body)
    };
    kept.retain(|old| files.iter().all(|new| new.name != old.name));
    let attachments = files.into_iter().chain(kept).collect();
    Ok(Edit::Interactive(InteractiveEdit {
        id: doc_id(id)?,
        parent,
        deleted,
        body,
        attachments,
    }))
}
