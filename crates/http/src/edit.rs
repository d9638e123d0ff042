//! From an incoming document to an edit: its attachments staged, its revision settled.

use crate::app::{App, blocking};
use crate::auth::users_db;
use crate::error::{Error, Result};
use crate::request::{Query, doc_id};
use std::io::Write;
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, Content, Encoding};
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit};
use trunkline_query::Unfit;
use trunkline_store::{Database, Durability, StagedContents};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::document::IncomingDoc;
use trunkline_wire::{design_doc, feeds};

/// Write options of a query string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteOptions {
    /// Whether CouchDB's rules for interactive edits hold (`new_edits` is not `false`).
    pub(crate) interactive: bool,
    /// `batch=ok` asks for no more than that readers see it.
    pub(crate) durability: Durability,
}

impl WriteOptions {
    pub(crate) fn parse(query: &Query) -> WriteOptions {
        WriteOptions {
            interactive: query.text("new_edits") != Some("false"),
            durability: match query.text("batch") {
                Some("ok") => Durability::Relaxed,
                _ => Durability::Durable,
            },
        }
    }
}

/// Begins the id of a design document.
const DESIGN: &str = "_design/";

/// Refuses a design document whose views cannot be run, or not in this database, or whose feeds cannot be read. What a replication brings is kept all the same: other nodes have
/// it, too.
fn check_design(db: &Database, body: &str) -> Result<()> {
    let invalid = |reason| Error::Design("invalid_design_doc", reason);
    let design = design_doc::parse(body).map_err(|error| invalid(error.reason))?;
    for feed in feeds::parse(body)
        .map_err(|error| invalid(error.reason))?
        .into_values()
    {
        feed.map_err(|error| invalid(error.reason))?;
    }
    if design.partitioned == Some(true) && !db.is_partitioned()? {
        let reason = "partitioned option cannot be true in a non-partitioned database.";
        return Err(invalid(reason.to_owned()));
    }
    trunkline_query::check(&design).map_err(|unfit| match unfit {
        Unfit::Compilation { .. } => Error::Design("compilation_error", unfit.to_string()),
        Unfit::Reduction(_) => invalid(unfit.to_string()),
    })
}

/// Refuses an edit of a client if it would make a design document that cannot be run.
pub(crate) async fn check(db: &Database, id: &str, body: &Body, deleted: bool) -> Result<()> {
    if deleted || !id.starts_with(DESIGN) {
        return Ok(());
    }
    let (db, body) = (db.clone(), body.clone());
    blocking(move || check_design(&db, body.as_str())).await
}

/// The edit a document without following parts asks for.
pub(crate) async fn build(
    app: &App,
    db: &Database,
    id: &str,
    doc: IncomingDoc,
    interactive: bool,
) -> Result<(Edit, StagedContents)> {
    let compiles = interactive && id.starts_with(DESIGN);
    if doc.attachments.is_empty() && !compiles && !users_db::is(db) {
        let edit = assemble(app, id, doc, Vec::new(), interactive)?;
        return Ok((edit, StagedContents::new(db)));
    }
    let (app, db, id) = (app.clone(), db.clone(), id.to_owned());
    blocking(move || {
        let mut staged = StagedContents::new(&db);
        let edit = build_blocking(&app, &mut staged, &id, doc, interactive)?;
        Ok((edit, staged))
    })
    .await
}

/// [`build`] on a thread that may block; `staged` is to hold what it stages.
pub(crate) fn build_blocking(
    app: &App,
    staged: &mut StagedContents,
    id: &str,
    doc: IncomingDoc,
    interactive: bool,
) -> Result<Edit> {
    let db = staged.database();
    let mut doc = users_db::prepare(app, db, id, doc)?;
    if interactive && !doc.deleted && id.starts_with(DESIGN) {
        check_design(db, doc.body.as_str())?;
    }
    let attachments = std::mem::take(&mut doc.attachments);
    let attachments: Result<Vec<_>> = attachments
        .into_iter()
        .map(|attachment| stage_inline(app, staged, attachment))
        .collect();
    assemble(app, id, doc, attachments?, interactive)
}

/// The edit of a document whose attachments were streamed before.
pub(crate) async fn build_staged(
    app: &App,
    db: &Database,
    id: &str,
    doc: IncomingDoc,
    attachments: Vec<AttachmentEdit>,
    interactive: bool,
) -> Result<Edit> {
    if !users_db::is(db) {
        return assemble(app, id, doc, attachments, interactive);
    }
    let (app, db, id) = (app.clone(), db.clone(), id.to_owned());
    blocking(move || {
        let doc = users_db::prepare(&app, &db, &id, doc)?;
        assemble(&app, &id, doc, attachments, interactive)
    })
    .await
}

/// The edit of a document whose attachments are staged already.
fn assemble(
    app: &App,
    id: &str,
    doc: IncomingDoc,
    attachments: Vec<AttachmentEdit>,
    interactive: bool,
) -> Result<Edit> {
    let doc_id = doc_id(id)?;
    if doc.body.as_str().len() > app.config().document_bytes_max {
        return Err(Error::DocumentTooLarge(id.to_owned()));
    }
    if interactive {
        let IncomingDoc {
            rev: parent,
            deleted,
            body,
            ..
        } = doc;
        return Ok(Edit::Interactive(InteractiveEdit {
            id: doc_id,
            parent,
            deleted,
            body,
            attachments,
        }));
    }
    let path = doc.path()?;
    let IncomingDoc { deleted, body, .. } = doc;
    Ok(Edit::Replicated(ReplicatedEdit {
        id: doc_id,
        path,
        deleted,
        body,
        attachments,
        age_ms: 0,
    }))
}

/// [`stage_inline`] from async code.
pub(crate) async fn stage_one(
    app: &App,
    staged: &mut StagedContents,
    attachment: IncomingAttachment,
) -> Result<AttachmentEdit> {
    let (app, mut one) = (app.clone(), StagedContents::new(staged.database()));
    let done = blocking(move || {
        let edit = stage_inline(&app, &mut one, attachment)?;
        Ok((edit, one))
    });
    let (edit, one) = done.await?;
    staged.append(one);
    Ok(edit)
}

fn stage_inline(
    app: &App,
    staged: &mut StagedContents,
    attachment: IncomingAttachment,
) -> Result<AttachmentEdit> {
    let source = match &attachment.data {
        IncomingData::Stub => AttachmentSource::Stub { md5: attachment.md5 },
        IncomingData::Inline(bytes) => {
            let content = stage(app, staged.database(), &attachment.name, bytes)?;
            staged.add(content)
        }
        IncomingData::Follows { .. } => {
            return Err(Error::bad(
                "Attachments that follow need a multipart/related request",
            ));
        }
    };
    Ok(describe(attachment, source))
}

fn stage(app: &App, db: &Database, name: &str, bytes: &[u8]) -> Result<Content> {
    if bytes.len() as u64 > app.config().attachment_bytes_max {
        return Err(Error::AttachmentTooLarge(name.to_owned()));
    }
    let mut staging = db.stage(Some(bytes.len() as u64))?;
    staging.write_all(bytes)?;
    Ok(staging.finish()?)
}

/// Stages once more what is stored.
pub(crate) async fn stage_again(content: &Content, staged: &mut StagedContents) -> Result<AttachmentSource> {
    let (db, stored) = (staged.database().clone(), content.clone());
    let mut one = StagedContents::new(&db);
    let one = blocking(move || {
        let mut staging = db.stage(Some(stored.stored_bytes()))?;
        std::io::copy(&mut db.open_content(&stored)?, &mut staging)?;
        one.add(match stored.encoding {
            Encoding::Identity => staging.finish()?,
            Encoding::Gzip { .. } => staging.finish_gzip()?,
        });
        Ok(one)
    });
    staged.append(one.await?);
    Ok(AttachmentSource::Staged(content.clone()))
}

/// An attachment that an edit of its document leaves alone.
pub(crate) fn keep(attachment: &Attachment) -> AttachmentEdit {
    AttachmentEdit {
        name: attachment.name.clone(),
        content_type: Some(attachment.content_type.clone()),
        revpos: Some(attachment.revpos),
        source: AttachmentSource::Stub {
            md5: Some(attachment.content.md5),
        },
    }
}

/// An incoming attachment with its bytes where they are now.
pub(crate) fn describe(attachment: IncomingAttachment, source: AttachmentSource) -> AttachmentEdit {
    AttachmentEdit {
        name: attachment.name.into(),
        content_type: attachment.content_type.map(Into::into),
        revpos: attachment.revpos,
        source,
    }
}
