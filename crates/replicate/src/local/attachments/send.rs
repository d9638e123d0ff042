//! From the store to whoever takes the revisions.

use crate::local::LocalPeer;
use crate::local::contents::{self, CHUNKS_AHEAD};
use crate::local::documents::want;
use crate::peer::{Missing, OpenRev, Opened, PeerError};
use tokio::sync::mpsc;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::RevPath;
use trunkline_core::rev::Rev;
use trunkline_store::Leaf;
use trunkline_wire::document::{self, AttachmentForm, Pieces};

/// Sends the leaves asked for, each with the attachments that are newer than what the asker has, as fast as they are
/// received; ends when the receiver goes away.
pub(in crate::local) async fn send(
    peer: LocalPeer,
    wanted: Missing,
    sender: mpsc::Sender<Result<Opened, PeerError>>,
) {
    let asked = want(&wanted);
    let found = peer.with_database(move |peer, database| {
        let found = database
            .bulk_get(&[asked])
            .map_err(|error| peer.unserved(&error))?;
        Ok((found.into_iter().next().flatten(), database))
    });
    let (found, database) = match found.await {
        Ok((Some(found), database)) => (found, database),
        Ok((None, _)) => return missing(&wanted.revs, &sender).await,
        Err(error) => {
            // The receiver may be gone; then nobody needs the error.
            let _ = sender.send(Err(error)).await;
            return;
        }
    };
    missing(&found.missing, &sender).await;
    for leaf in found.leaves {
        let Some(path) = found.revs.path(&leaf.rev) else {
            continue;
        };
        let forms = forms(&leaf, &path, &wanted.possible_ancestors);
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
        let open = OpenRev {
            id: wanted.id.clone(),
            rev: leaf.rev,
            json: json.into(),
            parts,
        };
        if sender.send(Ok(Opened::Rev(open))).await.is_err() {
            return;
        }
        for (attachment, form) in leaf.attachments.into_iter().zip(&forms) {
            if !matches!(form, AttachmentForm::Follows) {
                continue;
            }
            if let Err(error) = contents::send_whole(&peer, &database, &attachment.content, &chunks).await {
                let _ = chunks.send(Err(error)).await;
                return;
            }
        }
    }
}

async fn missing(revs: &[Rev], sender: &mpsc::Sender<Result<Opened, PeerError>>) {
    for rev in revs {
        let _ = sender.send(Ok(Opened::Missing(rev.clone()))).await;
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
