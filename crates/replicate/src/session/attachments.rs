//! Documents with attachments: moved one by one, streamed from source to target.

use super::batch::{Finished, Lane};
use super::budget::STREAMS;
use super::unserved::{Left, only_these};
use crate::peer::{Missing, OpenRev, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use trunkline_core::rev::Rev;

/// Moves the documents, a few at a time. No document's bytes are held beyond some chunks.
pub(super) async fn transfer(
    lane: &Arc<Lane>,
    wanted: Vec<Missing>,
    left: &mut Left,
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
        left.absent.extend(moved.absent);
        if let Some(unserved) = moved.unserved {
            left.unserved.push(unserved);
            if left.unserved.len() == 1 {
                only_these(lane, &left.unserved).await?;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Moved {
    written: u64,
    refused: Vec<RefusedDoc>,
    /// Revisions that came.
    seen: Vec<Rev>,
    absent: Option<Missing>,
    unserved: Option<(Missing, PeerError)>,
}

async fn transfer_one(lane: Arc<Lane>, mut missing: Missing) -> Result<Moved, PeerError> {
    let _stream = lane.attachment_streams.acquire().await;
    let _room = STREAMS.ask(&lane.streams, 1, lane.priority).come().await;
    let mut moved = Moved::default();
    let mut done = attempt(&lane, &missing, &mut moved).await;
    if matches!(&done, Err(error) if error.kind == PeerErrorKind::MissingStub) {
        // The source left out bytes that it took the target to have; ask for all of them.
        missing.possible_ancestors.clear();
        moved = Moved::default();
        done = attempt(&lane, &missing, &mut moved).await;
    }
    match done {
        Err(error) if matches!(error.kind, PeerErrorKind::Unserved | PeerErrorKind::Absent) => {
            missing.revs.retain(|rev| !moved.seen.contains(rev));
            moved.unserved = Some((missing, error)).filter(|(missing, _)| !missing.revs.is_empty());
        }
        Err(error) if matches!(error.kind, PeerErrorKind::Unavailable | PeerErrorKind::Protocol) => {
            let reason = format!("document {}: {}", missing.id, error.reason);
            return Err(PeerError { reason, ..error });
        }
        done => done?,
    }
    Ok(moved)
}

fn refusal(id: &str, rev: &Rev, reason: String) -> RefusedDoc {
    RefusedDoc {
        id: id.to_owned(),
        rev: rev.to_string(),
        error: "missing_stub".to_owned(),
        reason,
    }
}

async fn attempt(lane: &Lane, missing: &Missing, moved: &mut Moved) -> Result<(), PeerError> {
    let mut absent = Missing {
        revs: Vec::new(),
        ..missing.clone()
    };
    let mut revs = lane.source.open_revs(missing).await?;
    while let Some(opened) = revs.recv().await {
        match opened? {
            Opened::Missing(rev) => absent.revs.push(rev),
            Opened::Refused(refused) => moved.refused.push(refused),
            Opened::Rev(open) => {
                let rev = open.rev.clone();
                let OpenRev {
                    id,
                    rev: of,
                    json,
                    parts,
                } = open;
                let put = lane.through(parts, |parts| {
                    lane.target.put_open_rev(OpenRev {
                        id,
                        rev: of,
                        json,
                        parts,
                    })
                });
                match put.await {
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
                moved.seen.push(rev);
            }
        }
    }
    if moved.seen.is_empty() && moved.refused.is_empty() && absent.revs.is_empty() {
        // Said neither to be here nor to be missing: not to be passed over.
        absent.revs.clone_from(&missing.revs);
    }
    moved.absent = Some(absent).filter(|absent| !absent.revs.is_empty());
    Ok(())
}
