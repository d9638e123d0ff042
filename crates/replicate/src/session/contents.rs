//! Attachment bytes by content, between peers that exchange: what the target lacks is streamed from the source before
//! the documents that name it are written.

use super::RefusedDoc;
use super::batch::{Finished, Lane, write};
use super::budget::STREAMS;
use crate::backoff::Backoff;
use crate::peer::{Doc, DocContent, Missing, PeerError, PeerErrorKind};
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::Semaphore;
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash};
use trunkline_core::limits::REPLICATION_ATTACHMENT_STREAMS;
use trunkline_wire::exchange::NOT_STAGED;

/// Cuts after which an attempt is given up; the next goes on where they left off.
const CUTS_MAX: u32 = 4;
/// Times that bytes may turn out wrong: once may be a transfer's fault, twice is the source's.
const WRONG_MAX: u32 = 2;
/// Times that a document is written whose contents went away meanwhile.
const CONTENT_TRIES: u32 = 5;
/// Contents that are brought before the documents that name them are written.
const GROUP_CONTENTS: usize = 32;
/// The same over all batches of a run: what came waits at the target, which keeps so many, and not for long.
pub(super) const CONTENTS_AHEAD: usize = 2 * GROUP_CONTENTS;

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

/// A content to be brought.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    pub(super) content: Content,
    /// A document of the source that has it, where one is known.
    pub(super) of: Option<Box<str>>,
}

/// Documents that are written together, once the contents that they lack are there.
#[derive(Default)]
pub(super) struct Group {
    docs: Vec<Doc>,
    lacking: Contents,
}

type Contents = BTreeMap<ContentHash, Sought>;

/// Writes documents with the contents they name in small groups, so that a target need not keep what came for long, or
/// much of it; first those that lack nothing. A content that was there may be gone before the document comes that names
/// it, when the last one to hold it is edited meanwhile: then it is brought anew.
pub(super) async fn write_all(
    lane: &Arc<Lane>,
    docs: Vec<Doc>,
    wanted: &mut Vec<Missing>,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    let mut fates = HashMap::new();
    let lacking = lacking(lane, docs_contents(&docs)).await?;
    for group in groups(docs, &lacking) {
        write_group(lane, group, &mut fates, wanted, finished).await?;
    }
    Ok(())
}

/// Contents that come after their documents are put off.
pub(super) fn put_off_all(docs: &mut [Doc], finished: &mut Finished) {
    docs.iter_mut().flat_map(staged).for_each(|source| {
        put_off(source);
        finished.later = true;
    });
}

fn groups(docs: Vec<Doc>, lacking: &Contents) -> Vec<Group> {
    let mut at_once = Group::default();
    let mut groups = Vec::new();
    let mut filling = Group::default();
    for doc in docs {
        let mut lacks = docs_contents(std::slice::from_ref(&doc));
        lacks.retain(|hash, _| lacking.contains_key(hash));
        if lacks.is_empty() {
            at_once.docs.push(doc);
            continue;
        }
        let new = lacks.keys().filter(|hash| !filling.lacking.contains_key(*hash));
        if !filling.docs.is_empty() && filling.lacking.len() + new.count() > GROUP_CONTENTS {
            groups.push(std::mem::take(&mut filling));
        }
        filling.lacking.append(&mut lacks);
        filling.docs.push(doc);
    }
    let all = [at_once].into_iter().chain(groups).chain([filling]);
    all.filter(|group| !group.docs.is_empty()).collect()
}

async fn write_group(
    lane: &Arc<Lane>,
    group: Group,
    fates: &mut HashMap<ContentHash, Fate>,
    wanted: &mut Vec<Missing>,
    finished: &mut Finished,
) -> Result<(), PeerError> {
    let Group {
        mut docs,
        lacking: mut lacks,
    } = group;
    for tries_left in (0..CONTENT_TRIES).rev() {
        let ahead = lacks.len().min(CONTENTS_AHEAD) as u32;
        let _ahead = lane.contents_ahead.acquire_many(ahead).await;
        lacks.retain(|hash, _| !fates.contains_key(hash));
        bring_each(lane, lacks, fates).await?;
        if fates.values().any(|fate| matches!(fate, Fate::Absent)) {
            may_put_off(lane).await?;
        }
        let mut ready = Vec::with_capacity(docs.len());
        for mut doc in docs {
            match fate_of(&mut doc, fates, finished) {
                Fate::Came | Fate::Absent => ready.push(doc),
                // Edited meanwhile, or compacted away: asked for anew, it is what the source has now.
                Fate::Gone => wanted.push(missing(&doc)),
                Fate::Wrong(reason) => finished.refuse(&missing(&doc), "bad_attachment", &reason),
            }
        }
        let named = naming(&ready);
        write(lane, ready, false, finished).await?;
        if tries_left == 0 {
            break;
        }
        docs = finished.taken_back(named);
        if docs.is_empty() {
            return Ok(());
        }
        lacks = lacking(lane, docs_contents(&docs)).await?;
        fates.retain(|hash, _| !lacks.contains_key(hash));
    }
    finished.nothing_unstaged(&lane.target.label())
}

/// An error where the target cannot tell what it waits for: what is put off would never be brought to it.
async fn may_put_off(lane: &Lane) -> Result<(), PeerError> {
    match lane.target.absent(None, 1).await {
        Err(error) if error.kind == PeerErrorKind::Protocol => Err(PeerError::new(
            lane.source.label(),
            PeerErrorKind::Unavailable,
            "attachment bytes have not come there yet, and the target cannot tell later what it waits for",
        )),
        told => told.map(drop),
    }
}

async fn lacking(lane: &Lane, mut named: Contents) -> Result<Contents, PeerError> {
    if named.is_empty() {
        return Ok(named);
    }
    let contents: Vec<Content> = named.values().map(|sought| sought.content.clone()).collect();
    let lacking = lane.target.lacking(&contents).await?;
    let lacking: HashSet<ContentHash> = lacking.iter().map(|content| content.hash).collect();
    named.retain(|hash, _| lacking.contains(hash));
    Ok(named)
}

/// The contents that documents name.
fn docs_contents(docs: &[Doc]) -> Contents {
    let mut contents = Contents::new();
    for doc in docs {
        let DocContent::Edit(edit) = &doc.content else {
            continue;
        };
        for content in edit.attachments.iter().filter_map(|it| content_of(&it.source)) {
            let of = Some(doc.id.clone());
            contents.insert(content.hash, Sought { content, of });
        }
    }
    contents
}

/// Those of the documents that name contents.
pub(super) fn naming(docs: &[Doc]) -> Vec<Doc> {
    let names = |doc: &&Doc| !docs_contents(std::slice::from_ref(*doc)).is_empty();
    docs.iter().filter(names).cloned().collect()
}

impl Finished {
    /// Of these documents, those that were refused for contents that went away; they count as refused no longer.
    fn taken_back(&mut self, named: Vec<Doc>) -> Vec<Doc> {
        let mut back = named;
        back.retain(|doc| {
            let rev = doc.rev.to_string();
            let of_doc = |refused: &RefusedDoc| {
                *refused.id == *doc.id && refused.rev == rev && refused.error == NOT_STAGED
            };
            let before = self.refused.len();
            self.refused.retain(|refused| !of_doc(refused));
            self.refused.len() < before
        });
        back
    }

    /// An error where the target refused a document for bytes that only are not there: that is none of the document's,
    /// and no checkpoint may pass it.
    fn nothing_unstaged(&self, target: &str) -> Result<(), PeerError> {
        let unstaged = |refused: &&RefusedDoc| refused.error == NOT_STAGED;
        match self.refused.iter().find(unstaged) {
            None => Ok(()),
            Some(refused) => {
                let reason = format!("document {} {}: {}", refused.id, refused.rev, refused.reason);
                Err(PeerError::new(target, PeerErrorKind::Unavailable, reason))
            }
        }
    }
}

async fn bring_each(
    lane: &Arc<Lane>,
    lacking: Contents,
    fates: &mut HashMap<ContentHash, Fate>,
) -> Result<(), PeerError> {
    let mut left = lacking.into_values();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < REPLICATION_ATTACHMENT_STREAMS
            && let Some(sought) = left.next()
        {
            running.push(async move {
                let _stream = lane.attachment_streams.acquire().await;
                (sought.content.hash, bring(lane, &sought, lane.priority).await)
            });
        }
        let Some((hash, fate)) = running.next().await else {
            return Ok(());
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
                finished.later = true;
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
pub(super) async fn bring(lane: &Lane, sought: &Sought, priority: i32) -> Result<Fate, PeerError> {
    let content = &sought.content;
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
    let fate = bring_whole(lane, sought, priority).await;
    lane.contents.0.lock().remove(&content.hash);
    fate
}

async fn bring_whole(lane: &Lane, sought: &Sought, priority: i32) -> Result<Fate, PeerError> {
    let mut backoff = Backoff::default();
    let mut wrong = 0;
    loop {
        // Others may have the stream while this waits.
        let stream = STREAMS.ask(&lane.streams, 1, priority).come().await;
        let Err(error) = bring_rest(lane, sought).await else {
            return Ok(Fate::Came);
        };
        drop(stream);
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

async fn bring_rest(lane: &Lane, sought: &Sought) -> Result<(), PeerError> {
    let content = &sought.content;
    let from = lane.target.content_begun(content).await?;
    let bytes = lane.source.content(content, sought.of.as_deref(), from).await?;
    lane.through(bytes, |bytes| lane.target.put_content(content, from, bytes))
        .await
}
