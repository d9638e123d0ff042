//! Documents that come with the rows of a feed.

use crate::peer::{Doc, DocContent};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Body, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::PEER_ANSWER_BYTES_MAX;
use trunkline_core::rev::Rev;
use trunkline_store::{ChangeRow, Database, Error, Want, WantRevs};

/// Which documents rows carry.
pub(super) struct Carry {
    /// Any at all, while it is true.
    pub(super) docs: Arc<AtomicBool>,
    /// Those with attachments too, which are named by content.
    pub(super) contents: bool,
}

impl Carry {
    pub(super) fn wanted(&self) -> bool {
        self.docs.load(Ordering::Relaxed)
    }

    /// All of `revs`, some of the row's leaves; none when one of them must be fetched some other way.
    pub(super) fn docs(
        &self,
        database: &Database,
        row: &ChangeRow<'_>,
        revs: &[Rev],
    ) -> Result<Vec<Doc>, Error> {
        let (true, Some(body), Some((winner, deleted))) =
            (self.wanted(), &row.winner, row.leaves.clone().next())
        else {
            return Ok(Vec::new());
        };
        let age_ms = now_ms().saturating_sub(row.time_ms.saturating_sub(row.age_ms));
        if revs != std::slice::from_ref(&winner) {
            return Ok(self.leaves(database, row.id, revs, age_ms)?.unwrap_or_default());
        }
        let path = match winner.generation {
            1 => Some(winner.into()),
            // The tree may be newer than the row; what it says of a revision stays true.
            _ => database.tree(row.id)?.and_then(|tree| tree.revs.path(&winner)),
        };
        let content = path.and_then(|path| {
            let text = Body::from_stored(body.body);
            self.edit(row.id, path, deleted, text, &body.attachments, age_ms)
        });
        Ok(content.into_iter().collect())
    }

    /// Leaves that are read each by itself: those of a document in conflict.
    fn leaves(
        &self,
        database: &Database,
        id: &str,
        revs: &[Rev],
        age_ms: u64,
    ) -> Result<Option<Vec<Doc>>, Error> {
        let want = Want {
            id: id.to_owned(),
            revs: WantRevs::These {
                revs: revs.to_vec(),
                latest: false,
            },
        };
        let Some(found) = database.bulk_get(&[want])?.into_iter().flatten().next() else {
            return Ok(None);
        };
        if !found.missing.is_empty() {
            return Ok(None);
        }
        let tree = found.revs;
        let docs = found.leaves.into_iter().map(|leaf| {
            let path = tree.path(&leaf.rev)?;
            self.edit(id, path, leaf.deleted, leaf.body, &leaf.attachments, age_ms)
        });
        let docs: Option<Vec<Doc>> = docs.collect();
        Ok(docs.filter(|docs| docs.iter().map(Doc::bytes).sum::<usize>() <= PEER_ANSWER_BYTES_MAX))
    }

    fn edit(
        &self,
        id: &str,
        path: RevPath,
        deleted: bool,
        body: Body,
        attachments: &[Attachment],
        age_ms: u64,
    ) -> Option<Doc> {
        if !attachments.is_empty() && !self.contents {
            return None;
        }
        let named = |attachment: &Attachment| AttachmentEdit {
            name: attachment.name.clone(),
            content_type: Some(attachment.content_type.clone()),
            revpos: Some(attachment.revpos),
            source: AttachmentSource::Staged(attachment.content.clone()),
        };
        let rev = path.rev()?;
        let edit = ReplicatedEdit {
            id: DocId::parse(id).ok()?,
            path,
            deleted,
            body,
            attachments: attachments.iter().map(named).collect(),
            age_ms,
        };
        Some(Doc {
            id: id.into(),
            rev,
            content: DocContent::Edit(edit),
        })
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
