//! The one door to a database's documents: writers queue, the first becomes the leader, applies every queued job in
//! one transaction, commits once, and answers each. One fsync serves all who wait.

mod apply;
mod commit;
mod decide;
mod entry;
mod feeds;
mod guarded;
mod plan;
mod purge;
mod queue;
mod refs;
mod settings;
mod stubs;

pub(crate) use feeds::FeedStep;
pub use queue::Leader;
pub(crate) use queue::{Answer, Queue, Work};

use crate::asker;
use crate::{Asker, Batch, Database, Durability, Error, Outcome, Refused};
use queue::Prepared;
use std::sync::Arc;
use trunkline_core::attachment::AttachmentSource;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::DOCUMENT_BYTES_MAX;
use trunkline_core::rev::Rev;
use trunkline_core::revid;

impl Database {
    /// Applies edits and waits for the durability asked for. One outcome per edit, in order. With `batch.atomic`,
    /// one refusal refuses all (the others get `Refused::Batch`).
    pub fn update(&self, batch: Batch) -> Result<Vec<Outcome>, Error> {
        let batch = self.with_own_local(batch)?;
        let (told, durability) = (self.told(&batch), batch.durability);
        let outcomes = edited(self.do_work(Work::of_batch(batch, self.asker.clone()), durability));
        asker::tell(told, &outcomes);
        outcomes
    }

    /// Queues edits without waiting; `done` is called exactly once, from whichever thread leads the commit, or
    /// from this one with [`Error::Busy`] when more than [`trunkline_core::limits::QUEUE_BYTES_MAX`] wait already. When a
    /// [`Leader`] comes back, the caller must run it on a thread that may block; until then nothing is written.
    pub fn submit(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<Vec<Outcome>, Error>) + Send + 'static,
    ) -> Option<Leader> {
        let batch = match self.with_own_local(batch) {
            Ok(batch) => batch,
            Err(error) => {
                done(Err(error));
                return None;
            }
        };
        let (told, durability) = (self.told(&batch), batch.durability);
        self.queue_work(
            Work::of_batch(batch, self.asker.clone()),
            durability,
            move |answer| {
                let outcomes = edited(answer);
                asker::tell(told, &outcomes);
                done(outcomes);
            },
        )
    }

    /// Removes leaves and what only they used. One list of removed revisions per document; each document that lost
    /// any consumes one purge seq.
    pub fn purge(&self, purges: &[(DocId, Vec<Rev>)]) -> Result<Vec<Vec<Rev>>, Error> {
        self.check_whole()?;
        match self.do_work(Work::Purge(purges.to_vec()), Durability::Durable)? {
            Answer::Purged(removed) => Ok(removed),
            _ => Err(misanswered()),
        }
    }

    /// A batch with its local document under the id where it is kept. One whose local document would not be taken is let
    /// go.
    fn with_own_local(&self, mut batch: Batch) -> Result<Batch, Error> {
        let Some(local) = &mut batch.local else {
            return Ok(batch);
        };
        let fits = match local.json.len() > DOCUMENT_BYTES_MAX {
            true => Ok(Err(Refused::DocumentTooLarge)),
            false => self.may_put_local(&local.id, &local.json),
        };
        let refused = match (fits, self.local_key(&local.id)) {
            (Ok(Ok(())), Some(key)) => {
                local.id = key;
                return Ok(batch);
            }
            (Ok(Ok(())), None) => Error::Refused(Refused::Missing),
            (Ok(Err(refused)), _) => Error::Refused(refused),
            (Err(error), _) => error,
        };
        self.release_sources(batch.edits.iter());
        Err(refused)
    }

    /// Waits until everything written so far, relaxed writes too, is durable.
    pub fn flush(&self) -> Result<(), Error> {
        self.do_work(Work::Flush, Durability::Durable).map(drop)
    }
}

fn edited(answer: Result<Answer, Error>) -> Result<Vec<Outcome>, Error> {
    match answer? {
        Answer::Edits(outcomes) => Ok(outcomes),
        _ => Err(misanswered()),
    }
}

fn misanswered() -> Error {
    Error::Corrupt("a write was answered as something else".into())
}

impl Work {
    /// Computes revision ids here, on the caller's time, for the parents that the edits claim.
    fn of_batch(batch: Batch, asker: Option<Arc<Asker>>) -> Work {
        let revs = claimed_revisions(&batch.edits);
        let edits = batch.edits.into_iter().zip(revs);
        Work::Edits {
            edits: edits.map(|(edit, rev)| Prepared { edit, rev }).collect(),
            atomic: batch.atomic,
            local: batch.local,
            asker,
        }
    }
}

/// Edits from which on a batch is hashed by several threads: then it takes many times what starting them does.
const PARALLEL_EDITS_MIN: usize = 250;
/// Threads that hash one batch; a commit gains little from more.
const HASHING_THREADS_MAX: usize = 4;

/// The revisions that edits claim, in order.
fn claimed_revisions(edits: &[Edit]) -> Vec<Option<Rev>> {
    let claimed = |edits: &[Edit]| -> Vec<Option<Rev>> { edits.iter().map(claimed_revision).collect() };
    if edits.len() < PARALLEL_EDITS_MIN {
        return claimed(edits);
    }
    // Asked only now: on Linux it reads files.
    let threads =
        std::thread::available_parallelism().map_or(1, |cores| cores.get().min(HASHING_THREADS_MAX));
    let part = edits.len().div_ceil(threads);
    let (own, others) = edits.split_at(part);
    std::thread::scope(|scope| {
        let others: Vec<_> = others
            .chunks(part)
            .map(|edits| scope.spawn(move || claimed(edits)))
            .collect();
        let mut revs = claimed(own);
        for other in others {
            revs.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        revs
    })
}

/// The revision that an edit makes if it is a child of the parent it names; `None` when only the database knows,
/// because a stub stands for an attachment.
fn claimed_revision(edit: &Edit) -> Option<Rev> {
    let Edit::Interactive(edit) = edit else {
        return None;
    };
    let terms = edit
        .attachments
        .iter()
        .map(|attachment| match &attachment.source {
            AttachmentSource::Staged(content)
            | AttachmentSource::Named(content)
            | AttachmentSource::Later(content) => {
                let content_type = attachment.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
                Some((&*attachment.name, content_type, content.md5))
            }
            AttachmentSource::Stub { .. } => None,
        });
    let terms: Vec<_> = terms.collect::<Option<_>>()?;
    Some(revid::revision(
        edit.deleted,
        edit.parent.as_ref(),
        &edit.body,
        &terms,
    ))
}

/// Of an attachment that came without one.
const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";
