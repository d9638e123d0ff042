//! Documents with attachments: moved one by one, streamed from source to target.

use super::batch::{Finished, Lane};
use crate::peer::{Missing, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use trunkline_core::rev::Rev;

/// Moves the documents, a few at a time. No document's bytes are held beyond some chunks.
pub(super) async fn transfer(
    lane: &Arc<Lane>,
    wanted: Vec<Missing>,
    absent: &mut Vec<Missing>,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    let mut running: FuturesUnordered<_> = wanted
        .into_iter()
        .map(|missing| transfer_one(Arc::clone(lane), missing))
        .collect();
    while let Some(moved) = running.next().await {
        let moved = moved?;
        finished.read += moved.written + moved.refused.len() as u64;
        finished.written += moved.written;
        finished.refused.extend(moved.refused);
        absent.extend(moved.absent);
    }
    Ok(())
}

#[derive(Default)]
struct Moved {
    written: u64,
    refused: Vec<RefusedDoc>,
    absent: Option<Missing>,
}

async fn transfer_one(lane: Arc<Lane>, mut missing: Missing) -> Result<Moved, PeerError> {
    let _stream = lane.attachment_streams.acquire().await;
    let first = attempt(&lane, &missing).await;
    match first {
        Err(error) if error.kind == PeerErrorKind::MissingStub => {
            // The source left out bytes that it took the target to have; ask for all of them.
            missing.possible_ancestors.clear();
            attempt(&lane, &missing).await
        }
        done => done,
    }
}

fn refusal(id: &str, rev: &Rev, reason: String) -> RefusedDoc {
    RefusedDoc {
        id: id.to_owned(),
        rev: rev.to_string(),
        error: "missing_stub".to_owned(),
        reason,
    }
}

async fn attempt(lane: &Lane, missing: &Missing) -> Result<Moved, PeerError> {
    let mut moved = Moved::default();
    let mut absent = Missing {
        revs: Vec::new(),
        ..missing.clone()
    };
    let mut revs = lane.source.open_revs(missing).await?;
    while let Some(opened) = revs.recv().await {
        match opened? {
            Opened::Missing(rev) => absent.revs.push(rev),
            Opened::Rev(open) => {
                let rev = open.rev.clone();
                match lane.target.put_open_rev(open).await {
                    // Nothing was left out on our account: there are no bytes to be had.
                    Err(error)
                        if error.kind == PeerErrorKind::MissingStub
                            && missing.possible_ancestors.is_empty() =>
                    {
                        moved.refused.push(refusal(&missing.id, &rev, error.reason));
                    }
                    put => match put? {
                        Ok(()) => moved.written += 1,
                        Err(refused) => moved.refused.push(refused),
                    },
                }
            }
        }
    }
    if moved.written == 0 && moved.refused.is_empty() && absent.revs.is_empty() {
        // Said neither to be here nor to be missing: not to be passed over.
        absent.revs.clone_from(&missing.revs);
    }
    moved.absent = Some(absent).filter(|absent| !absent.revs.is_empty());
    Ok(moved)
}
