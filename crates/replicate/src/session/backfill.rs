//! Attachment bytes that come behind their documents: those that were asked for first, the rest one by one.

use super::batch::Lane;
use super::contents::{Fate, bring};
use super::{AttachmentMode, Run};
use crate::peer::{PeerError, PeerErrorKind};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::AbortOnDropHandle;
use trunkline_core::attachment::{Content, ContentHash};

/// Contents asked of the target at once.
const WALK_CONTENTS: usize = 100;
/// Contents remembered where the target cannot tell what it waits for.
const REMEMBERED_MAX: usize = 10_000;
/// Contents that may wait to be fetched first.
const FIRST_MAX: usize = 64;
/// The pause after a walk that brought nothing, doubled up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LONGEST: Duration = Duration::from_secs(600);

/// Asks a replication whose attachment bytes come behind their documents for some of them first.
#[derive(Clone, Debug)]
pub struct ContentsFirst(mpsc::Sender<Content>);

impl ContentsFirst {
    /// Asks; answers whether anybody heard. Nobody does when very many are asked for at once, or the run has ended.
    pub fn ask(&self, content: Content) -> bool {
        self.0.try_send(content).is_ok()
    }
}

/// A task beside an attempt.
pub(super) struct Backfill {
    _task: AbortOnDropHandle<()>,
    news: Arc<News>,
}

#[derive(Default)]
struct News {
    wake: Notify,
    remembered: Mutex<BTreeMap<ContentHash, Content>>,
}

/// Whether the target waits for contents, or will.
pub(super) async fn is_due(run: &Run) -> Result<bool, PeerError> {
    if run.spec.attachments == AttachmentMode::None {
        return Ok(false);
    }
    let lazy = run.spec.attachments == AttachmentMode::Lazy;
    match run.target.absent(None, 1).await {
        Ok(absent) => Ok(lazy || !absent.is_empty()),
        Err(error) if error.kind == PeerErrorKind::Protocol && !lazy => Ok(false),
        Err(error) if error.kind == PeerErrorKind::Protocol => Err(PeerError::new(
            error.peer,
            PeerErrorKind::Invalid,
            "the target cannot tell which attachments it waits for; run a lazy replication where the target is",
        )),
        Err(error) => Err(error),
    }
}

impl Backfill {
    pub(super) fn start(lane: &Arc<Lane>) -> Backfill {
        let (sender, first) = mpsc::channel(FIRST_MAX);
        lane.progress
            .send_modify(|progress| progress.contents = Some(ContentsFirst(sender)));
        let news = Arc::<News>::default();
        let (lane, heard) = (Arc::clone(lane), Arc::clone(&news));
        let task = tokio::spawn(async move {
            tokio::join!(serve(&lane, first), walk_on(&lane, &heard));
        });
        Backfill {
            _task: AbortOnDropHandle::new(task),
            news,
        }
    }

    /// Documents were written without these.
    pub(super) fn add(&self, later: &[Content]) {
        let mut remembered = self.news.remembered.lock();
        for content in later {
            if remembered.len() < REMEMBERED_MAX {
                remembered.insert(content.hash, content.clone());
            }
        }
        self.news.wake.notify_one();
    }

    /// Brings what the source has, and then ends.
    pub(super) async fn drain(self, lane: &Lane) -> Result<(), PeerError> {
        let Backfill { _task: task, news } = self;
        drop(task);
        while walk(lane, &news).await? > 0 {}
        Ok(())
    }
}

async fn serve(lane: &Lane, mut first: mpsc::Receiver<Content>) {
    while let Some(content) = first.recv().await {
        match bring(lane, &content, lane.priority).await {
            Ok(fate) => tracing::debug!(?fate, "an attachment was asked for"),
            Err(error) => tracing::warn!(%error, "an attachment that was asked for does not come"),
        }
    }
}

async fn walk_on(lane: &Lane, news: &News) {
    let mut pause = PAUSE;
    loop {
        let came = match walk(lane, news).await {
            Ok(came) => came,
            Err(error) => {
                tracing::warn!(%error, "attachments do not come for now");
                0
            }
        };
        pause = if came > 0 {
            PAUSE
        } else {
            (pause * 2).min(PAUSE_LONGEST)
        };
        if came > 0 {
            continue;
        }
        let waits = match lane.target.absent(None, 1).await {
            Ok(absent) => !absent.is_empty(),
            Err(_) => !news.remembered.lock().is_empty(),
        };
        tokio::select! {
            () = news.wake.notified() => pause = PAUSE,
            () = tokio::time::sleep(pause), if waits => {}
        }
    }
}

/// Goes through what the target waits for, once; answers how many came.
async fn walk(lane: &Lane, news: &News) -> Result<u64, PeerError> {
    let mut after = None;
    let mut came = 0;
    loop {
        let (some, more) = match lane.target.absent(after, WALK_CONTENTS).await {
            Ok(some) => {
                news.remembered.lock().clear();
                (some, true)
            }
            Err(error) if error.kind == PeerErrorKind::Protocol => {
                (news.remembered.lock().values().cloned().collect(), false)
            }
            Err(error) => return Err(error),
        };
        if some.is_empty() {
            return Ok(came);
        }
        for content in some {
            after = Some(content.hash);
            // Behind live batches of the same priority.
            let fate = bring(lane, &content, lane.priority.saturating_sub(1)).await?;
            match fate {
                Fate::Came => came += 1,
                Fate::Absent | Fate::Gone => continue,
                Fate::Wrong(reason) => tracing::warn!(reason, "an attachment cannot be had"),
            }
            news.remembered.lock().remove(&content.hash);
        }
        if !more {
            return Ok(came);
        }
    }
}
