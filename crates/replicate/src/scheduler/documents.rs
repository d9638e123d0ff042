//! `_replicator` databases: their documents become jobs, and learn how these ended.

use super::Node;
use super::definition::Definition;
use super::job::{JobState, Origin};
use super::{Added, now_ms};
use crate::backoff::Backoff;
use crate::peer::PeerError;
use crate::session::{Progress, Report};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use trunkline_core::Seq;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_store::{Batch, ChangesScan, Database, DbEvent, Error, Leaf};
use trunkline_wire::replication::{Asked, Outcome, Stats, write_outcome};

/// The database that a server makes when it is first asked for, and every other whose name ends with a slash and this.
pub(super) const REPLICATOR: &str = "_replicator";
/// Commits that come within this time are looked at together: each of the store wakes whoever follows.
const GATHER: Duration = Duration::from_millis(2);

/// Whether documents of a database are replications: `_replicator`, and whatever ends in `/_replicator`.
pub fn is_replicator(name: &DbName) -> bool {
    name.as_str().rsplit('/').next() == Some(REPLICATOR)
}

/// A database as far as it was read.
struct Followed {
    database: Database,
    seq: Seq,
}

/// A document as it was changed.
struct Changed {
    id: String,
    rev: Rev,
    deleted: bool,
    body: String,
}

/// Keeps jobs as documents say, until the node closes.
pub(super) async fn follow(node: Arc<Node>) {
    let mut since = 0;
    let mut followed: HashMap<DbName, Followed> = HashMap::new();
    // Databases that could not be read, and whether they were deleted before.
    let mut unread: BTreeMap<DbName, bool> = BTreeMap::new();
    let mut backoff = Backoff::default();
    loop {
        let changed = node.store.listen();
        let (updates, last) = node.store.db_updates(since);
        since = last;
        let updated = updates.into_iter().filter(|update| is_replicator(&update.name));
        let mut due = std::mem::take(&mut unread);
        for update in updated {
            let deleted = update.event == DbEvent::Deleted;
            due.entry(update.name)
                .and_modify(|before| *before |= deleted)
                .or_insert(deleted);
        }
        for (name, deleted) in due {
            if node.closed.is_cancelled() {
                return;
            }
            if let Err(error) = catch_up(&node, &mut followed, &name, deleted).await {
                tracing::error!(database = %name, %error, "replications cannot be read for now");
                unread.insert(name, deleted);
            }
        }
        let again = match unread.is_empty() {
            true => {
                backoff.succeeded();
                None
            }
            false => Some(backoff.next_wait(rand::random(), None)),
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
            () = node.closed.cancelled() => return,
        }
        tokio::time::sleep(GATHER).await;
    }
}

async fn catch_up(
    node: &Arc<Node>,
    followed: &mut HashMap<DbName, Followed>,
    name: &DbName,
    deleted: bool,
) -> Result<(), Error> {
    // A database that was made again is another one.
    let gone = |followed: &Followed| matches!(followed.database.last_seq(), Err(Error::DatabaseMissing(_)));
    if deleted || followed.get(name).is_some_and(gone) {
        followed.remove(name);
        node.detach_all_of(name);
    }
    let mut at = match followed.remove(name) {
        Some(at) => at,
        None => match node.store.database(name) {
            Err(Error::DatabaseMissing(_) | Error::Closed) => return Ok(()),
            database => Followed {
                database: database?,
                seq: 0,
            },
        },
    };
    loop {
        let (database, since) = (at.database.clone(), at.seq);
        let read = tokio::task::spawn_blocking(move || read(&database, since)).await;
        let (changed, last, done) = match read.unwrap_or(Err(Error::Closed)) {
            Err(Error::DatabaseMissing(_)) => {
                node.detach_all_of(name);
                return Ok(());
            }
            Err(Error::Closed) => return Ok(()),
            read => read?,
        };
        for document in changed {
            apply(node, name, document).await;
        }
        at.seq = last.unwrap_or(at.seq);
        if done {
            break;
        }
    }
    followed.insert(name.clone(), at);
    Ok(())
}

fn read(database: &Database, since: Seq) -> Result<(Vec<Changed>, Option<Seq>, bool), Error> {
    let scan = ChangesScan {
        since,
        until: Seq::MAX,
        descending: false,
        bodies: true,
        limit: usize::MAX,
    };
    let mut changed = Vec::new();
    let end = database.changes(&scan, &mut |mut row| {
        if let (Some((rev, deleted)), Some(winner)) = (row.leaves.next(), row.winner)
            && !row.id.starts_with("_design/")
        {
            changed.push(Changed {
                id: row.id.to_owned(),
                rev,
                deleted,
                body: winner.body.to_owned(),
            });
        }
        ControlFlow::Continue(())
    })?;
    Ok((changed, end.last, end.done))
}

async fn apply(node: &Arc<Node>, name: &DbName, document: Changed) {
    let earlier = node.of_document(name, &document.id);
    if earlier
        .as_ref()
        .is_some_and(|job| job.rev.as_ref() == Some(&document.rev))
    {
        return;
    }
    if let Some(job) = &earlier {
        node.detach(job);
    }
    if document.deleted {
        if let Some(job) = earlier {
            job.failures.forget(&node.store).await;
        }
        return;
    }
    let asked = match Asked::parse(&document.body) {
        Ok(asked) => asked,
        Err(invalid) => return fail(node, name, document, None, invalid.reason).await,
    };
    if ended(&asked).is_some() {
        return;
    }
    let definition = match Definition::from_asked(asked) {
        Ok(definition) => definition,
        Err(invalid) => return fail(node, name, document, None, invalid.reason).await,
    };
    let id = definition.job_id();
    let origin = Origin::Document {
        database: name.clone(),
        id: document.id.clone(),
    };
    let ended = earlier.map(|job| job.ended.clone());
    match node.add(definition, origin, Some(document.rev.clone()), ended) {
        Added::Started(_) | Added::Closed => {}
        Added::Exists(other) => {
            let by = match &other.origin {
                Origin::Document { database, id } => {
                    format!("triggered by document `{id}` from db `{database}`")
                }
                _ => "started by the program that holds this store".to_owned(),
            };
            let reason = format!(
                "Replication `{id}` specified by document `{}` already started, {by}",
                document.id
            );
            fail(node, name, document, Some(id), reason).await;
        }
    }
}

/// How a document's replication ended, if it says so.
pub(super) fn ended(asked: &Asked) -> Option<JobState> {
    let state = asked.state.as_deref().and_then(JobState::of_name);
    state.filter(|state| matches!(state, JobState::Completed | JobState::Failed))
}

async fn fail(node: &Arc<Node>, name: &DbName, document: Changed, id: Option<String>, reason: String) {
    let outcome = Outcome {
        state: JobState::Failed.name(),
        time_ms: now_ms(),
        replication_id: id,
        reason: Some(reason),
        stats: None,
    };
    record(node, name.clone(), document.id, document.rev, outcome).await;
}

/// Writes down how a job of a document came to its end.
pub(super) async fn settle(
    node: &Arc<Node>,
    job: &super::job::Entry,
    result: &Result<Box<Report>, PeerError>,
) {
    let (Origin::Document { database, id }, Some(rev)) = (&job.origin, &job.rev) else {
        return;
    };
    if job.cancel.is_cancelled() {
        return;
    }
    let reason = result.as_ref().err().map(ToString::to_string);
    let state = match reason {
        None => JobState::Completed,
        Some(_) => JobState::Failed,
    };
    job.live.lock().becomes(state, reason.clone(), 0);
    let stats = stats(&job.progress.borrow());
    let outcome = Outcome {
        state: state.name(),
        time_ms: now_ms(),
        replication_id: Some(job.id.clone()),
        reason,
        stats: Some(stats),
    };
    record(node, database.clone(), id.clone(), rev.clone(), outcome).await;
}

fn stats(progress: &Progress) -> Stats {
    Stats {
        revisions_checked: progress.revisions_checked,
        missing_revisions_found: progress.missing_revisions_found,
        docs_read: progress.docs_read,
        docs_written: progress.docs_written,
        doc_write_failures: progress.doc_write_failures,
        changes_pending: progress.changes_pending,
        checkpointed_source_seq: progress.checkpointed_source_seq.clone(),
    }
}

async fn record(node: &Arc<Node>, name: DbName, id: String, rev: Rev, outcome: Outcome) {
    let store = node.store.clone();
    let told = id.clone();
    let written = tokio::task::spawn_blocking(move || {
        let database = store.database(&name)?;
        // Somebody else edited it: that edit is what counts now.
        let Some(leaf) = database.get(&id, Some(&rev))? else {
            return Ok(());
        };
        write(&database, &id, leaf, &outcome)
    });
    match written.await {
        Ok(Err(Error::Closed | Error::DatabaseMissing(_))) | Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(document = told, %error, "a replication's end could not be noted"),
        Err(error) => tracing::error!(document = told, %error, "a replication's end could not be noted"),
    }
}

fn write(database: &Database, id: &str, leaf: Leaf, outcome: &Outcome) -> Result<(), Error> {
    let corrupt = |_| Error::Corrupt(format!("document {id} cannot be read"));
    let text = write_outcome(leaf.body.as_str(), outcome).map_err(corrupt)?;
    let kept = |attachment: trunkline_core::attachment::Attachment| AttachmentEdit {
        name: attachment.name,
        content_type: None,
        revpos: None,
        source: AttachmentSource::Stub {
            md5: Some(attachment.content.md5),
        },
    };
    let edit = InteractiveEdit {
        id: DocId::parse(id).map_err(|_| Error::Corrupt(format!("{id} is no document id")))?,
        parent: Some(leaf.rev),
        deleted: false,
        body: Body::from_stored(text),
        attachments: leaf.attachments.into_iter().map(kept).collect(),
    };
    // A conflict means that somebody else was faster: see above.
    database
        .update(Batch {
            edits: vec![Edit::Interactive(edit)],
            ..Batch::default()
        })
        .map(drop)
}
