//! A commit from its jobs to its rows: gather the documents, decide edit by edit, write in the order redb likes.

use super::commit::Tables;
use super::entry::{Entry, Old, copies};
use super::queue::{Answer, Prepared, Work};
use super::refs::Refs;
use crate::feeds::Feeds;
use crate::file::OpenFile;
use crate::guard::{DESIGN, Guard};
use crate::tables::{self, State, meta};
use crate::{Asker, Database, Durability, Error, LocalWrite, Outcome, Refused};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_core::Seq;
use trunkline_core::attachment::ContentHash;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;

/// Commits so far.
static COMMITS: AtomicU64 = AtomicU64::new(0);

/// A commit being put together.
pub(super) struct Commit<'a, 't> {
    pub(super) database: &'a Database,
    pub(super) file: &'a OpenFile,
    pub(super) tables: Tables<'t>,
    pub(super) state: State,
    pub(super) revs_limit: u32,
    pub(super) guard: Option<Guard>,
    /// Whose edits are applied now.
    pub(super) asker: Option<&'a Asker>,
    /// Of all commits of this process.
    pub(super) number: u64,
    /// In id order.
    pub(super) entries: Vec<Entry<'a>>,
    /// The highest stored document id.
    pub(super) last_id: Option<Vec<u8>>,
    pub(super) refs: Refs,
    /// Contents that may be named before their bytes come, and how many those are.
    pub(super) later: HashMap<ContentHash, u64>,
    /// As this commit leaves them, and whether that is as it found them.
    pub(super) feeds: Feeds,
    pub(super) feeds_changed: bool,
    /// Whether anything was written.
    pub(super) wrote: bool,
}

/// What has to happen once the transaction is committed.
pub(super) struct Applied {
    pub(super) answers: Vec<Answer>,
    pub(super) state: State,
    pub(super) wrote: bool,
    /// Whether design documents were among those edited.
    pub(super) designs: bool,
    /// The feeds, where they changed.
    pub(super) feeds: Option<Feeds>,
    pub(super) unreferenced: Vec<ContentHash>,
    /// Seqs of the by_seq rows that newer ones replaced, and how many rows were added.
    pub(super) replaced: Vec<Seq>,
    pub(super) added: u64,
}

impl Database {
    /// Applies jobs in one transaction. One answer per job, in order.
    pub(super) fn commit(&self, works: &[(&Work, Durability)]) -> Result<Vec<Answer>, Error> {
        if let [(Work::Compact, _)] = works {
            self.compact_as_leader()?;
            return Ok(vec![Answer::Done]);
        }
        let file = self.file_to_write()?;
        let asks = |durability| works.iter().any(|(_, asked)| *asked == durability);
        let guard = self.guard(&file)?;
        let mut txn = file.redb.begin_write()?;
        let applied = {
            let mut commit = Commit::new(self, &file, Tables::open(&txn)?, works)?;
            commit.guard = guard;
            commit.run(works)?
        };
        if !applied.wrote && (!asks(Durability::Durable) || file.is_durable()) {
            txn.abort()?;
            return Ok(applied.answers);
        }
        let mut floor = file.seq_floor.load(Ordering::Acquire);
        let durability = if asks(Durability::Durable) {
            Durability::Durable
        } else if applied.state.update_seq <= floor {
            txn.set_durability(redb::Durability::None)?;
            Durability::Relaxed
        } else {
            // Readers see relaxed writes before they are durable. So that a crash takes no seq back that they have seen,
            // one write in many is made durable, and with it what covers the others.
            floor = applied.state.update_seq.saturating_add(SEQ_FLOOR_STEP);
            let row = tables::encode_number(floor);
            txn.open_table(tables::META)?
                .insert(meta::SEQ_FLOOR, row.as_slice())?;
            Durability::Durable
        };
        txn.commit()?;
        file.seq_floor.store(floor, Ordering::Release);
        works.iter().try_for_each(|(work, _)| file.note_setting(work))?;
        if applied.designs {
            file.post.forget();
            self.inner.note_design_edit();
        }
        if let Some(feeds) = &applied.feeds {
            *file.feeds.lock() = feeds.clone();
        }
        self.publish(&file, &applied, durability);
        Ok(applied.answers)
    }

    /// Lets readers, feeds and the flusher know of a commit.
    fn publish(&self, file: &OpenFile, applied: &Applied, durability: Durability) {
        let before = std::mem::replace(&mut *file.state.lock(), applied.state);
        file.note_commit(durability, &applied.unreferenced);
        if durability == Durability::Relaxed {
            self.store.shared.flusher.watch(&self.inner);
        }
        let seqs = (before.update_seq, applied.state.update_seq);
        file.marks
            .advance(seqs.0, seqs.1, &applied.replaced, applied.added);
        self.inner.publish_seq(applied.state.update_seq);
        if before.update_seq != applied.state.update_seq || before.purge_seq != applied.state.purge_seq {
            self.inner.changed.notify(usize::MAX);
            self.store
                .shared
                .updates
                .record(&self.inner.name, crate::DbEvent::Updated);
        }
    }

    /// Lets the content go that a job's edits brought, taken or not.
    pub(super) fn release_staged(&self, work: &Work) {
        if let Work::Edits { edits, .. } = work {
            self.release_sources(edits.iter().map(|prepared| &prepared.edit));
        }
    }

    pub(super) fn release_sources<'e>(&self, edits: impl Iterator<Item = &'e Edit>) {
        for content in edits.flat_map(Edit::staged) {
            self.inner.release_staged(&content.hash);
        }
    }
}

/// How many seqs one durable write covers for relaxed ones: few enough to lose at each crash, many enough that the
/// write is not noticed.
const SEQ_FLOOR_STEP: Seq = 1 << 20;

/// The documents that a job touches, in order.
fn ids_of(work: &Work) -> Box<dyn Iterator<Item = &str> + '_> {
    match work {
        Work::Edits { edits, .. } => Box::new(edits.iter().map(|prepared| id_of(&prepared.edit).as_str())),
        Work::Purge(purges) => Box::new(purges.iter().map(|(id, _)| id.as_str())),
        Work::Feed(step) => Box::new(step.moved.iter().map(|(id, _)| &**id)),
        _ => Box::new(std::iter::empty()),
    }
}

fn id_of(edit: &Edit) -> &DocId {
    match edit {
        Edit::Interactive(edit) => &edit.id,
        Edit::Replicated(edit) => &edit.id,
    }
}

impl<'a, 't> Commit<'a, 't> {
    fn new(
        database: &'a Database,
        file: &'a OpenFile,
        tables: Tables<'t>,
        works: &[(&'a Work, Durability)],
    ) -> Result<Self, Error> {
        let mut ids: Vec<&'a str> = works.iter().flat_map(|(work, _)| ids_of(work)).collect();
        ids.sort_unstable();
        ids.dedup();
        let last_id = tables.docs_last()?;
        let entries = ids.into_iter().map(|id| {
            // Ids that are made in time order are past every stored one: no need to look for them.
            if last_id.as_deref().is_none_or(|last| id.as_bytes() > last) {
                return Ok(Entry::new(id, None));
            }
            let row = tables.docs_get(id)?;
            let old = row.map(|row| Old::decode(id, row.value())).transpose()?;
            Ok(Entry::new(id, old))
        });
        let entries = entries.collect::<Result<Vec<_>, Error>>()?;
        let state = *file.state.lock();
        let state = State {
            time_ms: state.time_ms.max(crate::directory::now_ms()),
            ..state
        };
        Ok(Commit {
            database,
            file,
            tables,
            state,
            revs_limit: file.revs_limit.load(Ordering::Relaxed),
            guard: None,
            asker: None,
            number: COMMITS.fetch_add(1, Ordering::Relaxed),
            entries,
            last_id,
            refs: Refs::default(),
            later: HashMap::new(),
            feeds: file.feeds.lock().clone(),
            feeds_changed: false,
            wrote: false,
        })
    }

    fn run(mut self, works: &[(&'a Work, Durability)]) -> Result<Applied, Error> {
        let mut answers = Vec::with_capacity(works.len());
        for (work, _) in works {
            answers.push(match *work {
                Work::Edits {
                    edits,
                    atomic,
                    local,
                    asker,
                } => {
                    self.asker = asker.as_deref();
                    Answer::Edits(self.batch(edits, *atomic, local.as_ref())?)
                }
                Work::Purge(purges) => Answer::Purged(self.purges(purges)?),
                Work::Local { id, given, body } => {
                    Answer::Local(self.put_local(id, *given, body.as_deref())?)
                }
                Work::Meta { key, value } => {
                    self.put_meta(key, value)?;
                    Answer::Done
                }
                Work::Feed(step) => {
                    self.feed_step(step)?;
                    Answer::Done
                }
                Work::Supply(content) => {
                    self.refs.offer(content);
                    Answer::Supplied(Ok(false))
                }
                Work::Flush | Work::Compact => Answer::Done,
            });
        }
        let rows = self.write_rows()?;
        for (answer, (work, _)) in answers.iter_mut().zip(works) {
            // Only now is it known which contents other jobs of this commit name or drop.
            if let Work::Supply(content) = work {
                *answer = Answer::Supplied(self.is_supplied(content)?);
            }
        }
        Ok(Applied {
            answers,
            state: self.state,
            wrote: self.wrote,
            designs: self.edits_designs(),
            feeds: self.feeds_changed.then(|| self.feeds.clone()),
            unreferenced: rows.unreferenced,
            replaced: rows.replaced,
            added: rows.added,
        })
    }

    fn edits_designs(&self) -> bool {
        let first = self.entries.partition_point(|entry| entry.id < DESIGN);
        let entry = self.entries.get(first);
        entry.is_some_and(|entry| entry.id.starts_with(DESIGN))
    }

    /// The place of a document in `entries`.
    pub(super) fn entry_index(&self, id: &str) -> Result<usize, Error> {
        let found = self.entries.binary_search_by(|entry| entry.id.cmp(id));
        found.map_err(|_| Error::Corrupt("an edit's document was not gathered".into()))
    }

    fn batch(
        &mut self,
        edits: &'a [Prepared],
        atomic: bool,
        local: Option<&LocalWrite>,
    ) -> Result<Vec<Outcome>, Error> {
        let outcomes = if atomic {
            self.atomic_edits(edits)?
        } else {
            self.edits(edits)?
        };
        let failed = atomic && outcomes.iter().any(Result::is_err);
        if let Some(local) = local.filter(|_| !failed) {
            self.insert_local(&local.id, local.new_number(), &local.json)?;
        }
        Ok(outcomes)
    }

    fn edits(&mut self, edits: &'a [Prepared]) -> Result<Vec<Outcome>, Error> {
        edits.iter().map(|prepared| self.edit(prepared)).collect()
    }

    fn edit(&mut self, prepared: &'a Prepared) -> Result<Outcome, Error> {
        let index = self.entry_index(id_of(&prepared.edit).as_str())?;
        match &prepared.edit {
            Edit::Interactive(edit) => self.interactive(index, edit, prepared.rev.as_ref()),
            Edit::Replicated(edit) => self.replicated(index, edit),
        }
    }

    /// All edits or none: until rows are written everything is in `entries`, which can be put back.
    fn atomic_edits(&mut self, edits: &'a [Prepared]) -> Result<Vec<Outcome>, Error> {
        let state = self.state;
        let indices = edits
            .iter()
            .map(|prepared| self.entry_index(id_of(&prepared.edit).as_str()));
        let before = copies(&self.entries, indices.collect::<Result<_, _>>()?);
        let mut outcomes = self.edits(edits)?;
        if outcomes.iter().all(Result::is_ok) {
            return Ok(outcomes);
        }
        self.state = state;
        for (index, now) in before {
            if let Some(entry) = self.entries.get_mut(index) {
                entry.now = now;
            }
        }
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            *outcome = Err(Refused::Batch);
        }
        Ok(outcomes)
    }

    /// The seq of the next change.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.state.update_seq += 1;
        self.state.update_seq
    }

    /// A number for the bodies table that no leaf ever had.
    pub(super) fn next_body(&mut self) -> u64 {
        self.state.last_body += 1;
        self.state.last_body
    }
}

/// A revision and its parent as a path.
pub(super) fn path_of(rev: &Rev, parent: Option<&Rev>) -> trunkline_core::doc::RevPath {
    let mut digests = vec![rev.digest.clone()];
    digests.extend(parent.map(|parent| parent.digest.clone()));
    trunkline_core::doc::RevPath {
        generation: rev.generation,
        digests,
    }
}
