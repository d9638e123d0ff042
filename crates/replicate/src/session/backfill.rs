//! Attachment bytes that come behind their documents: those that were asked for first, the rest one by one.

use super::batch::Lane;
use super::contents::{Fate, Sought, bring};
use super::{AttachmentMode, Run};
use crate::peer::{Peer, PeerError, PeerErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::AbortOnDropHandle;
use trunkline_core::attachment::{Content, ContentHash, Encoding};

/// Contents asked of the target at once.
const WALK_CONTENTS: usize = 100;
/// Contents that may wait to be fetched first.
const FIRST_MAX: usize = 64;
/// The pause after a walk that brought something; after others it is doubled, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LONGEST: Duration = Duration::from_secs(600);
/// Contents that may fail in a row before a walk pauses: a few may be spoilt at the source, but so many tell of an end
/// that is away, and each of them takes some seconds of tries, or minutes of silence.
const FAILED_IN_A_ROW_MAX: usize = 8;

/// Asks a replication whose attachment bytes come behind their documents for some of them first.
#[derive(Clone, Debug)]
pub struct ContentsFirst(mpsc::Sender<Sought>);

impl ContentsFirst {
    /// Asks for what a document has; answers whether anybody heard. Nobody does when very many are asked for at once, or
    /// the run has ended.
    pub fn ask(&self, id: &str, content: Content) -> bool {
        let of = Some(id.into());
        self.0.try_send(Sought { content, of }).is_ok()
    }
}

/// A task beside an attempt.
pub(super) struct Backfill {
    _task: AbortOnDropHandle<()>,
    wake: Arc<Notify>,
}

/// Whether the target waits for contents, or will.
pub(super) async fn is_due(run: &Run) -> Result<bool, PeerError> {
    let absent = run.target.absent(None, 1).await;
    match (run.spec.attachments, absent) {
        (AttachmentMode::Eager, Ok(absent)) => Ok(!absent.is_empty()),
        (AttachmentMode::Eager, Err(error)) if error.kind == PeerErrorKind::Protocol => Ok(false),
        (AttachmentMode::Lazy, Ok(_)) => may_fetch_later(&*run.source).await.map(|()| true),
        (AttachmentMode::None, Ok(_)) => Ok(false),
        // What it does not know of nobody could bring it later.
        (_, Err(error)) if error.kind == PeerErrorKind::Protocol => Err(PeerError::new(
            error.peer,
            PeerErrorKind::Invalid,
            "the target cannot tell which attachments it waits for; run the replication where the target is",
        )),
        (_, Err(error)) => Err(error),
    }
}

/// An error where the source reads contents only by documents that name them: of those that a target waits for, a hash
/// is all that is known.
async fn may_fetch_later(source: &dyn Peer) -> Result<(), PeerError> {
    let nowhere = Content {
        hash: [0; 32],
        md5: [0; 16],
        length: 0,
        encoding: Encoding::Identity,
    };
    match source.content(&nowhere, None, 0).await {
        Err(error) if error.kind == PeerErrorKind::Forbidden => Err(PeerError::new(
            error.peer,
            PeerErrorKind::Invalid,
            "whoever asks there sees some of its documents only, and their attachments come with them, not behind them: \
             `attachments` must not be `lazy`",
        )),
        _ => Ok(()),
    }
}

impl Backfill {
    pub(super) fn start(lane: &Arc<Lane>) -> Backfill {
        let (sender, first) = mpsc::channel(FIRST_MAX);
        lane.progress
            .send_modify(|progress| progress.contents = Some(ContentsFirst(sender)));
        let wake = Arc::<Notify>::default();
        let (lane, woken) = (Arc::clone(lane), Arc::clone(&wake));
        let task = tokio::spawn(async move {
            tokio::join!(serve(&lane, first), walk_on(&lane, &woken));
        });
        Backfill {
            _task: AbortOnDropHandle::new(task),
            wake,
        }
    }

    /// Documents were written without their contents.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Brings what the source has, and then ends; an error where some of it did not come.
    pub(super) async fn drain(self, lane: &Lane) -> Result<(), PeerError> {
        drop(self);
        let mut walk = Walk::default();
        let mut failed = None;
        loop {
            let walked = walk.go(lane).await;
            failed = failed.or(walked.failed);
            if walk.after.is_none() || walked.came == 0 {
                return failed.map_or(Ok(()), Err);
            }
        }
    }
}

async fn serve(lane: &Lane, mut first: mpsc::Receiver<Sought>) {
    while let Some(sought) = first.recv().await {
        match bring(lane, &sought, lane.priority).await {
            Ok(fate) => tracing::debug!(?fate, "an attachment was asked for"),
            Err(error) => tracing::warn!(%error, "an attachment that was asked for does not come"),
        }
    }
}

async fn walk_on(lane: &Lane, woken: &Notify) {
    let mut walk = Walk::default();
    let mut pause = PAUSE;
    loop {
        let walked = walk.go(lane).await;
        if let Some(error) = &walked.failed {
            tracing::warn!(%error, "attachments do not come for now");
        }
        pause = match walked.came {
            0 => (pause * 2).min(PAUSE_LONGEST),
            _ => PAUSE,
        };
        tokio::select! {
            () = woken.notified() => pause = PAUSE,
            () = tokio::time::sleep(pause), if walked.is_more => {}
        }
    }
}

/// A way through what the target waits for, again and again.
#[derive(Default)]
struct Walk {
    /// It goes on behind this: what failed first must not keep what comes later from its turn.
    after: Option<ContentHash>,
}

/// How far a walk went before it paused or came to the end.
#[derive(Default)]
struct Walked {
    came: usize,
    /// The target may wait for more.
    is_more: bool,
    /// The first failure.
    failed: Option<PeerError>,
}

impl Walk {
    /// Goes on until the end, or until too many failed in a row.
    async fn go(&mut self, lane: &Lane) -> Walked {
        let mut walked = Walked {
            is_more: self.after.is_some(),
            ..Walked::default()
        };
        let mut in_a_row = 0;
        loop {
            let some = match lane.target.absent(self.after, WALK_CONTENTS).await {
                Ok(some) => some,
                // Nobody knows what there is.
                Err(error) => {
                    walked.fails(error);
                    return walked;
                }
            };
            if some.is_empty() {
                self.after = None;
                return walked;
            }
            for content in some {
                self.after = Some(content.hash);
                let sought = Sought { content, of: None };
                // Behind live batches of the same priority.
                match bring(lane, &sought, lane.priority.saturating_sub(1)).await {
                    Ok(Fate::Came) => walked.came += 1,
                    Ok(Fate::Absent | Fate::Gone) => walked.is_more = true,
                    Ok(Fate::Wrong(reason)) => {
                        tracing::warn!(reason, "an attachment cannot be had");
                        walked.is_more = true;
                    }
                    Err(error) => {
                        walked.fails(error);
                        in_a_row += 1;
                        if in_a_row == FAILED_IN_A_ROW_MAX {
                            return walked;
                        }
                        continue;
                    }
                }
                in_a_row = 0;
            }
        }
    }
}

impl Walked {
    fn fails(&mut self, error: PeerError) {
        self.is_more = true;
        self.failed.get_or_insert(error);
    }
}
