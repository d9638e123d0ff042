//! Documents with attachments: moved one by one, streamed from source to target.

use super::batch::{Finished, Lane};
use crate::peer::{Missing, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;

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
            match attempt(&lane, &missing).await {
                Err(error) if error.kind == PeerErrorKind::MissingStub => Ok(Moved {
                    refused: missing
                        .revs
                        .iter()
                        .map(|rev| refusal(&missing, &rev.to_string(), &error))
                        .collect(),
                    ..Moved::default()
                }),
                done => done,
            }
        }
        done => done,
    }
}

fn refusal(missing: &Missing, rev: &str, error: &PeerError) -> RefusedDoc {
    RefusedDoc {
        id: missing.id.to_string(),
        rev: rev.to_owned(),
        error: "missing_stub".to_owned(),
        reason: error.reason.clone(),
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
            Opened::Rev(rev) => match lane.target.put_open_rev(rev).await? {
                Ok(()) => moved.written += 1,
                Err(refused) => moved.refused.push(refused),
            },
        }
    }
    moved.absent = Some(absent).filter(|absent| !absent.revs.is_empty());
    Ok(moved)
}
