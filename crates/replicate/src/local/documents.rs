//! Documents without attachments, read and written many at once.

use super::LocalPeer;
use crate::peer::{BulkWritten, Doc, DocContent, Fetched, Missing, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Content};
use trunkline_core::doc::{Edit, ReplicatedEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::PEER_ANSWER_BYTES_MAX;
use trunkline_core::partition::InvalidMember;
use trunkline_core::rev::Rev;
use trunkline_store::{
    Batch, Database, Durability, Found, Leaf, LocalWrite, Refused, StagedContents, Want, WantRevs,
};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::document::{self, InvalidDoc};
use trunkline_wire::exchange::NOT_STAGED;

/// Documents read from one snapshot; bounds what is read beyond the limit, should each be as long as one may be.
const WANTS_AT_ONCE: usize = 4;

pub(super) fn bulk_get(
    peer: &LocalPeer,
    database: &Database,
    wanted: &[Missing],
) -> Result<Vec<Fetched>, PeerError> {
    let mut fetched = Vec::with_capacity(wanted.len());
    let mut bytes = 0;
    for some in wanted.chunks(WANTS_AT_ONCE) {
        let wants: Vec<Want> = some.iter().map(want).collect();
        let found = database.bulk_get(&wants).map_err(|error| peer.unserved(&error))?;
        for (asked, found) in some.iter().zip(found) {
            let before = fetched.len();
            collect(asked, found, &mut fetched);
            bytes += fetched.iter().skip(before).map(Fetched::bytes).sum::<usize>();
        }
        if bytes > PEER_ANSWER_BYTES_MAX && wanted.len() > 1 {
            let reason = "these documents together are more than is held in memory";
            return Err(PeerError::new(
                peer.name.as_str(),
                PeerErrorKind::TooLarge,
                reason,
            ));
        }
    }
    Ok(fetched)
}

pub(super) fn want(asked: &Missing) -> Want {
    Want {
        id: asked.id.to_string(),
        revs: WantRevs::These {
            revs: asked.revs.clone(),
            latest: true,
        },
    }
}

fn collect(asked: &Missing, found: Option<Found>, fetched: &mut Vec<Fetched>) {
    let missing = |rev: &Rev| Fetched::Missing {
        id: asked.id.clone(),
        rev: rev.clone(),
    };
    let Some(found) = found else {
        fetched.extend(asked.revs.iter().map(missing));
        return;
    };
    fetched.extend(found.missing.iter().map(missing));
    for leaf in found.leaves {
        let (Some(path), Ok(id)) = (found.revs.path(&leaf.rev), DocId::parse(&asked.id)) else {
            fetched.push(missing(&leaf.rev));
            continue;
        };
        let Leaf {
            rev,
            deleted,
            body,
            attachments,
            ..
        } = leaf;
        fetched.push(if attachments.is_empty() {
            let edit = ReplicatedEdit {
                id,
                path,
                deleted,
                body,
                attachments: Vec::new(),
                age_ms: 0,
            };
            Fetched::Doc(Doc {
                id: asked.id.clone(),
                rev,
                content: DocContent::Edit(edit),
            })
        } else {
            Fetched::HasAttachments {
                id: asked.id.clone(),
                rev,
            }
        });
    }
}

impl Fetched {
    fn bytes(&self) -> usize {
        match self {
            Fetched::Doc(doc) => doc.bytes(),
            _ => 64,
        }
    }
}

/// Documents that are ready to be committed.
struct Ready {
    batch: Batch,
    names: Vec<(Box<str>, Rev)>,
    refused: Vec<RefusedDoc>,
    log_number: Option<u64>,
}

pub(super) async fn bulk_docs(
    peer: &LocalPeer,
    docs: Vec<Doc>,
    log: Option<LocalWrite>,
) -> Result<BulkWritten, PeerError> {
    let prepared = peer.with_database(move |peer, database| {
        let ready = ready(peer, &database, docs, log)?;
        Ok((database, ready))
    });
    let (database, ready) = prepared.await?;
    let Ready {
        batch,
        names,
        mut refused,
        log_number,
    } = ready;
    let outcomes = peer.update(&database, batch).await?;
    for (outcome, (id, rev)) in outcomes.into_iter().zip(&names) {
        if let Err(why) = outcome {
            refused.push(Unfit::Refused(why).refusal(id, rev)?);
        }
    }
    Ok(BulkWritten {
        refused,
        log_number,
        instance_start_time: None,
    })
}

fn ready(
    peer: &LocalPeer,
    database: &Database,
    docs: Vec<Doc>,
    log: Option<LocalWrite>,
) -> Result<Ready, PeerError> {
    let mut refused = Vec::new();
    let mut names = Vec::with_capacity(docs.len());
    let mut edits = Vec::with_capacity(docs.len());
    let mut staged = StagedContents::new(database);
    for doc in docs {
        let edit = match doc.content {
            DocContent::Edit(mut edit) => {
                peer.uploads.hand_over(&mut edit, &mut staged);
                Ok(edit)
            }
            DocContent::Json(json) => document::parse(&json).map_err(Unfit::Invalid).and_then(|doc| {
                let no_parts = |_: &IncomingAttachment| {
                    Err(Unfit::Refused(Refused::BadAttachment(
                        "its bytes did not come with it".to_owned(),
                    )))
                };
                edit(peer, &mut staged, doc, no_parts)
            }),
        };
        match edit {
            Ok(edit) => {
                edits.push(Edit::Replicated(edit));
                names.push((doc.id, doc.rev));
            }
            Err(unfit) => refused.push(unfit.refusal(&doc.id, &doc.rev)?),
        }
    }
    let log_number = log.as_ref().map(LocalWrite::new_number);
    let batch = Batch {
        edits,
        local: log,
        durability: Durability::Durable,
        atomic: false,
    };
    staged.taken_by(&batch.edits);
    Ok(Ready {
        batch,
        names,
        refused,
        log_number,
    })
}

/// Why a document cannot be written.
pub(super) enum Unfit {
    /// Its text is no document.
    Invalid(InvalidDoc),
    /// The store does not take it.
    Refused(Refused),
    /// It may be fit; something else failed.
    Failed(PeerError),
}

impl From<PeerError> for Unfit {
    fn from(error: PeerError) -> Unfit {
        Unfit::Failed(error)
    }
}

impl Unfit {
    /// The refusal to report, or the failure that is none of the document's.
    pub(super) fn refusal(self, id: &str, rev: &Rev) -> Result<RefusedDoc, PeerError> {
        let (error, reason) = match self {
            Unfit::Failed(error) => return Err(error),
            Unfit::Invalid(invalid) => (invalid.kind().word(), invalid.to_string()),
            Unfit::Refused(refused) => match refused {
                Refused::MissingStub(name) => (
                    "missing_stub",
                    format!("the bytes of attachment {name} are not here"),
                ),
                Refused::DocumentTooLarge => ("document_too_large", id.to_owned()),
                Refused::AttachmentTooLarge(name) => ("attachment_too_large", name),
                Refused::NotStaged(name) => {
                    (NOT_STAGED, format!("the bytes of attachment {name} are not here"))
                }
                Refused::BadAttachment(reason) => ("bad_request", reason),
                Refused::Member(InvalidMember::DocId(invalid)) => ("illegal_docid", invalid.to_string()),
                Refused::Member(InvalidMember::Partition(invalid)) => {
                    ("illegal_partition", invalid.to_string())
                }
                Refused::Forbidden(reason) => ("forbidden", reason),
                Refused::Unauthorized(reason) => ("unauthorized", reason),
                Refused::GuardFailed(reason) => ("unknown_error", reason),
                other => ("forbidden", format!("{other:?}")),
            },
        };
        Ok(RefusedDoc {
            id: id.to_owned(),
            rev: rev.to_string(),
            error: error.to_owned(),
            reason,
        })
    }
}

/// Makes the edit that a received document stands for; `part` is asked for the bytes of attachments that follow,
/// in order.
pub(super) fn edit(
    peer: &LocalPeer,
    staged: &mut StagedContents,
    doc: document::IncomingDoc,
    mut part: impl FnMut(&IncomingAttachment) -> Result<Content, Unfit>,
) -> Result<ReplicatedEdit, Unfit> {
    let path = doc.path().map_err(Unfit::Invalid)?;
    let id = doc.id.as_deref().unwrap_or_default();
    let id = DocId::parse(id)
        .map_err(|_| Unfit::Refused(Refused::BadAttachment(format!("{id:?} cannot name a document"))))?;
    let mut attachments = Vec::with_capacity(doc.attachments.len());
    for attachment in doc.attachments {
        let source = match &attachment.data {
            IncomingData::Stub => AttachmentSource::Stub { md5: attachment.md5 },
            IncomingData::Inline(data) => {
                let content = stage(staged.database(), data);
                staged.add(content.map_err(|error| Unfit::Failed(peer.error(&error)))?)
            }
            IncomingData::Follows { .. } => AttachmentSource::Staged(part(&attachment)?),
        };
        attachments.push(AttachmentEdit {
            name: attachment.name.into(),
            content_type: attachment.content_type.map(Into::into),
            revpos: attachment.revpos,
            source,
        });
    }
    Ok(ReplicatedEdit {
        id,
        path,
        deleted: doc.deleted,
        body: doc.body,
        attachments,
        age_ms: 0,
    })
}

fn stage(database: &Database, data: &[u8]) -> Result<Content, trunkline_store::Error> {
    let mut staging = database.stage(Some(data.len() as u64))?;
    std::io::Write::write_all(&mut staging, data).map_err(|error| {
        trunkline_store::Error::Io("staging an attachment".to_owned(), std::sync::Arc::new(error))
    })?;
    staging.finish()
}
