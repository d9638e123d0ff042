//! Attachment bytes by content, between peers that exchange: what the target lacks is streamed from the source before
//! the documents that name it are written.

use super::batch::{Finished, Lane};
use super::budget::STREAMS;
use super::{AttachmentMode, RefusedDoc};
use crate::backoff::Backoff;
use crate::peer::{Doc, DocContent, Missing, PeerError, PeerErrorKind};
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Semaphore;
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash};
use trunkline_core::limits::REPLICATION_ATTACHMENT_STREAMS;

/// Cuts after which an attempt is given up; the next goes on where they left off.
const CUTS_MAX: u32 = 4;
/// Times that bytes may turn out wrong: once may be a transfer's fault, twice is the source's.
const WRONG_MAX: u32 = 2;

/// What became of one content.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// The target has it.
    Came,
    /// The source waits for it too.
    Absent,
    /// The source does not have it (any more).
    Gone,
    /// What comes is not what its name says, or the target does not take it.
    Wrong(String),
}

/// Contents under way, so that two batches do not send the same one.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ContentHash, Arc<Semaphore>>>);

/// Sees to the contents that documents name; answers the documents that can be written now.
pub(super) async fn bring_all(
    lane: &Arc<Lane>,
    mut docs: Vec<Doc>,
    wanted: &mut Vec<Missing>,
    finished: &mut Finished,
) -> Result<Vec<Doc>, PeerError> {
    let mut named: BTreeMap<ContentHash, Content> = BTreeMap::new();
    for content in docs.iter_mut().flat_map(staged).map(|source| content_of(source)) {
        named.extend(content.map(|content| (content.hash, content)));
    }
    if named.is_empty() {
        return Ok(docs);
    }
    if lane.attachments != AttachmentMode::Eager {
        docs.iter_mut().flat_map(staged).for_each(put_off);
        finished.later.extend(named.into_values());
        return Ok(docs);
    }
    let named: Vec<Content> = named.into_values().collect();
    let lacking = lane.target.lacking(&named).await?;
    let fates = bring_each(lane, lacking).await?;
    let mut ready = Vec::with_capacity(docs.len());
    for mut doc in docs {
        match fate_of(&mut doc, &fates, finished) {
            Fate::Came | Fate::Absent => ready.push(doc),
            // Edited meanwhile, or compacted away: asked for anew, it is what the source has now.
            Fate::Gone => wanted.push(missing(&doc)),
            Fate::Wrong(reason) => {
                finished.refuse(&missing(&doc), "bad_attachment", &reason);
            }
        }
    }
    Ok(ready)
}

/// Those of the documents that name contents.
pub(super) fn naming(docs: &[Doc]) -> Vec<Doc> {
    let names = |doc: &&Doc| match &doc.content {
        DocContent::Edit(edit) => {
            let mut sources = edit.attachments.iter().map(|attachment| &attachment.source);
            sources.any(|source| matches!(source, AttachmentSource::Staged(_)))
        }
        DocContent::Json(_) => false,
    };
    docs.iter().filter(names).cloned().collect()
}

impl Finished {
    /// Of these documents, those that were refused for their attachments; they count as refused no longer.
    pub(super) fn taken_back(&mut self, named: Vec<Doc>) -> Vec<Doc> {
        let lacks = |refused: &RefusedDoc| {
            matches!(&*refused.error, "bad_request" | "missing_stub" | "bad_attachment")
        };
        let mut back = named;
        back.retain(|doc| {
            let rev = doc.rev.to_string();
            let of_doc =
                |refused: &RefusedDoc| *refused.id == *doc.id && refused.rev == rev && lacks(refused);
            let before = self.refused.len();
            self.refused.retain(|refused| !of_doc(refused));
            self.refused.len() < before
        });
        back
    }
}

async fn bring_each(
    lane: &Arc<Lane>,
    lacking: Vec<Content>,
) -> Result<HashMap<ContentHash, Fate>, PeerError> {
    let mut fates = HashMap::new();
    let mut left = lacking.into_iter();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < REPLICATION_ATTACHMENT_STREAMS
            && let Some(content) = left.next()
        {
            running.push(async move {
                let _stream = lane.attachment_streams.acquire().await;
                (content.hash, bring(lane, &content, lane.priority).await)
            });
        }
        let Some((hash, fate)) = running.next().await else {
            return Ok(fates);
        };
        fates.insert(hash, fate?);
    }
}

/// The worst of what became of a document's contents; those that the source waits for are put off.
fn fate_of(doc: &mut Doc, fates: &HashMap<ContentHash, Fate>, finished: &mut Finished) -> Fate {
    let mut worst = Fate::Came;
    for source in staged(doc) {
        let Some(content) = content_of(source) else {
            continue;
        };
        match fates.get(&content.hash) {
            None | Some(Fate::Came) => {}
            Some(Fate::Absent) => {
                put_off(source);
                finished.later.push(content);
            }
            Some(Fate::Gone) => worst = Fate::Gone,
            Some(Fate::Wrong(reason)) => return Fate::Wrong(reason.clone()),
        }
    }
    worst
}

fn missing(doc: &Doc) -> Missing {
    Missing {
        id: doc.id.clone(),
        revs: vec![doc.rev.clone()],
        possible_ancestors: Vec::new(),
    }
}

/// Where the bytes of a document's attachments are, for those that are named by content.
fn staged(doc: &mut Doc) -> impl Iterator<Item = &mut AttachmentSource> {
    let attachments = match &mut doc.content {
        DocContent::Edit(edit) => edit.attachments.as_mut_slice(),
        DocContent::Json(_) => &mut [],
    };
    let sources = attachments.iter_mut().map(|attachment| &mut attachment.source);
    sources.filter(|source| matches!(source, AttachmentSource::Staged(_)))
}

fn content_of(source: &AttachmentSource) -> Option<Content> {
    match source {
        AttachmentSource::Staged(content) => Some(content.clone()),
        _ => None,
    }
}

fn put_off(source: &mut AttachmentSource) {
    if let Some(content) = content_of(source) {
        *source = AttachmentSource::Later(content);
    }
}

/// Streams one content from source to target, going on where an earlier upload was cut.
pub(super) async fn bring(lane: &Lane, content: &Content, priority: i32) -> Result<Fate, PeerError> {
    let turn = Arc::clone(
        lane.contents
            .0
            .lock()
            .entry(content.hash)
            .or_insert_with(|| Arc::new(Semaphore::new(1))),
    );
    let waits = turn.available_permits() == 0;
    let _turn = turn.acquire().await;
    if waits
        && lane
            .target
            .lacking(std::slice::from_ref(content))
            .await?
            .is_empty()
    {
        return Ok(Fate::Came);
    }
    let _room = STREAMS.ask(1, priority).come().await;
    let fate = bring_whole(lane, content).await;
    lane.contents.0.lock().remove(&content.hash);
    fate
}

async fn bring_whole(lane: &Lane, content: &Content) -> Result<Fate, PeerError> {
    let mut backoff = Backoff::default();
    let mut wrong = 0;
    loop {
        let Err(error) = bring_rest(lane, content).await else {
            return Ok(Fate::Came);
        };
        match error.kind {
            PeerErrorKind::Absent => return Ok(Fate::Absent),
            PeerErrorKind::Unserved => return Ok(Fate::Gone),
            PeerErrorKind::Unavailable if backoff.failures() < CUTS_MAX => {
                tracing::debug!(%error, "an attachment is gone on with");
                let wait = backoff.next_wait(rand::random(), error.retry_after);
                tokio::time::sleep(wait).await;
            }
            PeerErrorKind::Protocol | PeerErrorKind::TooLarge | PeerErrorKind::MissingStub => {
                wrong += 1;
                if wrong == WRONG_MAX {
                    return Ok(Fate::Wrong(error.reason));
                }
            }
            _ => return Err(error),
        }
    }
}

async fn bring_rest(lane: &Lane, content: &Content) -> Result<(), PeerError> {
    let from = lane.target.content_begun(content).await?;
    let bytes = lane.source.content(content, from).await?;
    let bytes = lane.throttle.relay(bytes);
    lane.target.put_content(content, from, bytes).await
}
