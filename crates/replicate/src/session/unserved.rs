//! Documents that the source did not serve: asked for again, and in the end passed over, but only while it serves
//! others.

use super::attachments;
use super::batch::{Finished, Lane};
use crate::backoff::Backoff;
use crate::peer::{ChangesAsk, Fetched, Missing, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use futures_util::stream::StreamExt;
use std::slice;
use std::sync::Arc;

/// Other documents that a source is asked for before it is believed that one alone cannot be had.
const WITNESSES: usize = 3;

/// What fetching left over.
#[derive(Default)]
pub(super) struct Left {
    /// The source does not have them.
    pub(super) absent: Vec<Missing>,
    /// The source failed over them.
    pub(super) unserved: Vec<(Missing, PeerError)>,
}

/// Asks again for what was not served, with growing pauses; what never comes is listed.
pub(super) async fn settle(
    lane: &Arc<Lane>,
    left: &mut Left,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    let mut backoff = Backoff::default();
    while let Some((first, error)) = left.unserved.first()
        && backoff.failures() + 1 < lane.tries
    {
        let wait = backoff.next_wait(rand::random(), None);
        tracing::warn!(id = &*first.id, %error, ?wait, "document not served");
        let told = format!("document {}: {error}", first.id);
        lane.progress.send_modify(|progress| {
            progress.waiting_for = Some(format!("{told}; next try in {} ms", wait.as_millis()));
            progress.last_error = Some(told);
        });
        tokio::time::sleep(wait).await;
        let again = std::mem::take(&mut left.unserved);
        attachments::transfer(lane, again.into_iter().flat_map(by_rev).collect(), left, finished).await?;
    }
    for (missing, error) in left.unserved.drain(..) {
        finished.refuse(&missing, "unserved", &error.to_string());
    }
    Ok(())
}

/// One by one: behind a revision that breaks the answer, others are never seen.
fn by_rev((missing, _): (Missing, PeerError)) -> impl Iterator<Item = Missing> {
    let revs = missing.revs.clone();
    revs.into_iter().map(move |rev| Missing {
        revs: vec![rev],
        ..missing.clone()
    })
}

/// An error when the source serves no other document either: then it is the source that is in trouble.
pub(super) async fn only_these(lane: &Lane, unserved: &[(Missing, PeerError)]) -> Result<(), PeerError> {
    let mut feed = lane.source.changes(ChangesAsk::default()).await?;
    let mut asked = 0;
    while let Some(changes) = feed.next().await {
        for row in changes?.rows {
            if row.revs.is_empty() || unserved.iter().any(|(missing, _)| missing.id == row.id) {
                continue;
            }
            let witness = Missing {
                id: row.id,
                revs: row.revs,
                possible_ancestors: Vec::new(),
            };
            if serves(lane, &witness).await? {
                return Ok(());
            }
            asked += 1;
            if asked == WITNESSES {
                return Err(in_trouble(unserved));
            }
        }
    }
    Err(in_trouble(unserved))
}

async fn serves(lane: &Lane, witness: &Missing) -> Result<bool, PeerError> {
    match lane.source.bulk_get(slice::from_ref(witness)).await {
        Err(error) if error.kind != PeerErrorKind::Unserved => return Err(error),
        Ok(fetched) if fetched.iter().any(|one| matches!(one, Fetched::Doc(_))) => return Ok(true),
        _ => {}
    }
    // With attachments, or from an old server, it comes only by itself.
    let opened = match lane.source.open_revs(witness).await {
        Ok(mut revs) => revs.recv().await.transpose(),
        Err(error) => Err(error),
    };
    match opened {
        Err(error) if error.kind != PeerErrorKind::Unserved => Err(error),
        opened => Ok(matches!(opened, Ok(Some(Opened::Rev(_))))),
    }
}

fn in_trouble(unserved: &[(Missing, PeerError)]) -> PeerError {
    let (peer, told) = match unserved.first() {
        Some((missing, error)) => (
            error.peer.as_str(),
            format!("document {}: {}", missing.id, error.reason),
        ),
        None => ("", String::new()),
    };
    let reason = format!("{told}; and no other document was served");
    PeerError::new(peer, PeerErrorKind::Unavailable, reason)
}

impl Finished {
    /// Lists revisions that do not get to the target.
    pub(super) fn refuse(&mut self, missing: &Missing, error: &str, reason: &str) {
        self.refused.extend(missing.revs.iter().map(|rev| RefusedDoc {
            id: missing.id.to_string(),
            rev: rev.to_string(),
            error: error.to_owned(),
            reason: reason.to_owned(),
        }));
    }
}
