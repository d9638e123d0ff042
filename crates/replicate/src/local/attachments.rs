//! Documents with attachments, one at a time, their bytes in chunks.

use super::LocalPeer;
use super::documents::{StagedContents, Unfit, edit, want};
use crate::peer::{Missing, OpenRev, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use bytes::{Buf, Bytes};
use std::io::{Read, Write};
use tokio::sync::mpsc;
use trunkline_core::attachment::{Attachment, Content};
use trunkline_core::doc::{Edit, RevPath};
use trunkline_core::rev::Rev;
use trunkline_store::{Batch, Database, Durability, Error, Leaf, Refused};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::document::{self, AttachmentForm, Pieces};

/// Bytes of a chunk: few system calls, little memory.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that may wait for a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// Sends the leaves asked for, each with the attachments that are newer than what the asker has. Blocks as its
/// receiver does; ends when the receiver goes away.
pub(super) fn send(
    peer: &LocalPeer,
    database: &Database,
    wanted: &Missing,
    sender: &mpsc::Sender<Result<Opened, PeerError>>,
) {
    let found = match database.bulk_get(&[want(wanted)]) {
        Ok(found) => found,
        Err(error) => {
            let _ = sender.blocking_send(Err(peer.error(&error)));
            return;
        }
    };
    let Some(Some(found)) = found.into_iter().next() else {
        let absent = wanted
            .revs
            .iter()
            .try_for_each(|rev| sender.blocking_send(Ok(Opened::Missing(rev.clone()))));
        return absent.unwrap_or_default();
    };
    for rev in &found.missing {
        if sender.blocking_send(Ok(Opened::Missing(rev.clone()))).is_err() {
            return;
        }
    }
    {
        for leaf in &found.leaves {
            let Some(path) = found.revs.path(&leaf.rev) else {
                continue;
            };
            let forms = forms(leaf, &path, &wanted.possible_ancestors);
            let mut json = Vec::new();
            let pieces = Pieces {
                id: &wanted.id,
                rev: &leaf.rev,
                deleted: leaf.deleted,
                body: leaf.body.as_str(),
                attachments: &leaf.attachments,
            };
            document::write_replicated(&mut json, pieces, &path, &forms);
            let (chunks, parts) = mpsc::channel(CHUNKS_AHEAD);
            let rev = leaf.rev.clone();
            let open = OpenRev {
                id: wanted.id.clone(),
                rev,
                json: json.into(),
                parts,
            };
            if sender.blocking_send(Ok(Opened::Rev(open))).is_err() {
                return;
            }
            for (attachment, form) in leaf.attachments.iter().zip(&forms) {
                if matches!(form, AttachmentForm::Follows)
                    && send_content(peer, database, attachment, &chunks).is_none()
                {
                    return;
                }
            }
        }
    }
}

/// An attachment follows unless a revision the asker has, on this leaf's own branch, already had it.
fn forms(leaf: &Leaf, path: &RevPath, possible_ancestors: &[Rev]) -> Vec<AttachmentForm> {
    let known = path.revs().skip(1).find(|rev| possible_ancestors.contains(rev));
    let known = known.map_or(0, |rev| rev.generation);
    let form = |attachment: &Attachment| match attachment.revpos > known {
        true => AttachmentForm::Follows,
        false => AttachmentForm::Stub,
    };
    leaf.attachments.iter().map(form).collect()
}

/// `None` when nobody listens any more, or a failure was passed on.
fn send_content(
    peer: &LocalPeer,
    database: &Database,
    attachment: &Attachment,
    chunks: &mpsc::Sender<Result<Bytes, PeerError>>,
) -> Option<()> {
    let fail = |error: &Error| {
        let _ = chunks.blocking_send(Err(peer.error(error)));
    };
    let mut reader = database
        .open_content(&attachment.content)
        .map_err(|error| fail(&error))
        .ok()?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        match (&mut reader).take(CHUNK_BYTES as u64).read_to_end(&mut chunk) {
            Ok(0) => return Some(()),
            Ok(_) => chunks.blocking_send(Ok(chunk.into())).ok()?,
            Err(error) => {
                fail(&Error::Io(
                    "reading an attachment".to_owned(),
                    std::sync::Arc::new(error),
                ));
                return None;
            }
        }
    }
}

/// Stages what follows and writes the revision.
pub(super) fn take(
    peer: &LocalPeer,
    database: &Database,
    open: OpenRev,
) -> Result<Result<(), RefusedDoc>, PeerError> {
    let OpenRev { id, rev, json, parts } = open;
    let mut parts = Parts {
        chunks: parts,
        left: Bytes::new(),
    };
    let mut staged = StagedContents::new(database);
    let edit = document::parse(&json).map_err(Unfit::Invalid).and_then(|doc| {
        edit(peer, &mut staged, doc, |attachment| {
            parts.stage(peer, database, attachment)
        })
    });
    let edit = match edit {
        Ok(edit) => edit,
        Err(unfit) => return unfit.refusal(&id, &rev).map(Err),
    };
    let batch = Batch {
        edits: vec![Edit::Replicated(edit)],
        durability: Durability::Durable,
        atomic: false,
    };
    let outcomes = database.update(batch).map_err(|error| peer.error(&error))?;
    match outcomes.into_iter().next() {
        Some(Err(Refused::MissingStub(name))) => {
            let reason = format!("the bytes of attachment {name} of {id} are not here");
            Err(PeerError::new(
                peer.name.as_str(),
                PeerErrorKind::MissingStub,
                reason,
            ))
        }
        Some(Err(refused)) => Unfit::Refused(refused).refusal(&id, &rev).map(Err),
        Some(Ok(_)) | None => {
            staged.taken();
            Ok(Ok(()))
        }
    }
}

/// The bytes of several attachments, one behind the other.
struct Parts {
    chunks: mpsc::Receiver<Result<Bytes, PeerError>>,
    left: Bytes,
}

impl Parts {
    fn stage(
        &mut self,
        peer: &LocalPeer,
        database: &Database,
        attachment: &IncomingAttachment,
    ) -> Result<Content, Unfit> {
        let IncomingData::Follows {
            part_bytes: Some(part_bytes),
            gzip,
        } = attachment.data
        else {
            let reason = format!("attachment {} comes without its length", attachment.name);
            return Err(Unfit::Refused(Refused::BadAttachment(reason)));
        };
        let failed = |error: Error| match error {
            Error::Refused(refused) => Unfit::Refused(refused),
            error => Unfit::Failed(peer.error(&error)),
        };
        let mut staging = database.stage(Some(part_bytes)).map_err(failed)?;
        let mut rest = part_bytes;
        while rest > 0 {
            let mut chunk = self.next(peer)?;
            let now = chunk.split_to(chunk.len().min(usize::try_from(rest).unwrap_or(usize::MAX)));
            rest -= now.len() as u64;
            self.left = chunk;
            staging.write_all(&now).map_err(|error| {
                failed(Error::Io(
                    "staging an attachment".to_owned(),
                    std::sync::Arc::new(error),
                ))
            })?;
        }
        let content = if gzip {
            staging.finish_gzip()
        } else {
            staging.finish()
        }
        .map_err(failed)?;
        if attachment.md5.is_some_and(|md5| md5 != content.md5) {
            let reason = format!("attachment {} is not what its digest says", attachment.name);
            database.unstage(&content);
            return Err(Unfit::Refused(Refused::BadAttachment(reason)));
        }
        Ok(content)
    }

    fn next(&mut self, peer: &LocalPeer) -> Result<Bytes, Unfit> {
        if self.left.has_remaining() {
            return Ok(std::mem::take(&mut self.left));
        }
        match self.chunks.blocking_recv() {
            Some(chunk) => chunk.map_err(Unfit::Failed),
            None => {
                let reason = "an attachment ended early";
                Err(Unfit::Failed(PeerError::new(
                    peer.name.as_str(),
                    PeerErrorKind::Unavailable,
                    reason,
                )))
            }
        }
    }
}
