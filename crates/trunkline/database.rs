//! One database: documents as values of the caller's types, blocking calls.

use crate::doc::{Doc, body_of, creation, deletion, parse_id, value_of};
use crate::{AsyncDatabase, Changes, Docs, Edits, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::RangeBounds;
use trunkline_core::Seq;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::{DocId, LocalId};
use trunkline_core::rev::Rev;
use trunkline_query::Indexes;
use trunkline_store::{self as engine, Batch, Durability, Outcome, Refused, Want, WantRevs, Written};

/// A database. Cheap to clone. Every call blocks until it is done; under tokio use [`Database::to_async`].
#[derive(Clone, Debug)]
pub struct Database {
    engine: engine::Database,
    pub(crate) durability: Durability,
    indexes: Indexes,
}

impl From<engine::Database> for Database {
    fn from(engine: engine::Database) -> Database {
        Database {
            indexes: Indexes::of(engine.store()),
            engine,
            durability: Durability::Durable,
        }
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        self.engine.name().as_str()
    }

    /// The same database, its writes relaxed: readers see them at once, the disk has them within 100 ms, in the order
    /// they were made. A crash may lose the last of them, never one before another.
    pub fn relaxed(&self) -> Database {
        Database {
            durability: Durability::Relaxed,
            ..self.clone()
        }
    }

    /// The same database for use under tokio: no call blocks the runtime.
    pub fn to_async(&self) -> AsyncDatabase {
        AsyncDatabase::from(self.clone())
    }

    /// The same, by another handle of the engine.
    pub(crate) fn of_engine(&self, engine: engine::Database) -> Database {
        Database {
            engine,
            ..self.clone()
        }
    }

    /// The index files that are open, of all databases of the store.
    pub(crate) fn index_files(&self) -> &Indexes {
        &self.indexes
    }

    /// The engine's own handle: edits, trees, scans and replication's calls as they are underneath.
    pub fn engine(&self) -> &engine::Database {
        &self.engine
    }

    /// Makes it a mirror, or no mirror any more. A mirror takes what is replicated to it, and refuses edits of its own
    /// ([`Refused::Mirror`]), so that nobody writes to a replica by mistake.
    pub fn set_mirror(&self, mirror: bool) -> Result<()> {
        Ok(self.engine.set_mirror(mirror)?)
    }

    /// Whether it is a mirror.
    pub fn is_mirror(&self) -> Result<bool> {
        Ok(self.engine.is_mirror()?)
    }

    /// Whether it is partitioned; see [`Store::create_partitioned`](crate::Store::create_partitioned).
    pub fn is_partitioned(&self) -> Result<bool> {
        Ok(self.engine.is_partitioned()?)
    }

    // ---- writing ----

    /// Creates a document. Refused as a conflict when there is one of that id that is not deleted.
    pub fn put<T: Serialize + ?Sized>(&self, id: &str, value: &T) -> Result<Rev> {
        self.write_one(Edit::Interactive(creation(id, value)?))
    }

    /// Writes a document back, and moves its `rev` on. Refused as a conflict when the document has been edited since
    /// it was read.
    pub fn save<T: Serialize>(&self, doc: &mut Doc<T>) -> Result<()> {
        doc.rev = self.write_one(Edit::Interactive(doc.edit()?))?;
        Ok(())
    }

    /// Reads a document, lets `change` work on its value and saves it; again from the start when somebody else was
    /// faster. `None` when there is no such document.
    pub fn modify<T>(&self, id: &str, mut change: impl FnMut(&mut T)) -> Result<Option<Doc<T>>>
    where
        T: Serialize + DeserializeOwned,
    {
        loop {
            let Some(mut doc) = self.get::<T>(id)? else {
                return Ok(None);
            };
            change(&mut doc.value);
            match self.save(&mut doc) {
                Err(error) if error.is_conflict() => {}
                saved => return saved.map(|()| Some(doc)),
            }
        }
    }

    /// Deletes a revision: what stays is a tombstone, which replicates as any other edit.
    pub fn delete(&self, id: &str, rev: &Rev) -> Result<Rev> {
        self.write_one(Edit::Interactive(deletion(id, rev)?))
    }

    /// Writes edits together, each taken or refused by itself: one outcome each, in order.
    pub fn write(&self, edits: Edits) -> Result<Vec<Outcome>> {
        Ok(self.engine.update(self.batch(edits, false))?)
    }

    /// Writes all edits or none.
    pub fn write_all(&self, edits: Edits) -> Result<Vec<Written>> {
        let ids = edits.ids();
        all_written(&ids, self.engine.update(self.batch(edits, true))?)
    }

    /// Waits until everything written so far, relaxed writes too, is durable.
    pub fn flush(&self) -> Result<()> {
        Ok(self.engine.flush()?)
    }

    pub(crate) fn batch(&self, edits: Edits, atomic: bool) -> Batch {
        Batch {
            edits: edits.edits,
            durability: self.durability,
            atomic,
            ..Batch::default()
        }
    }

    pub(crate) fn write_one(&self, edit: Edit) -> Result<Rev> {
        let mut edits = Edits::new();
        edits.push(edit);
        let written = self.write_all(edits)?;
        first_rev(written)
    }

    // ---- reading ----

    /// Reads a document's winning revision; `None` when there is none, or it is deleted.
    pub fn get<T: DeserializeOwned>(&self, id: &str) -> Result<Option<Doc<T>>> {
        match self.engine.get(id, None)? {
            Some(leaf) if !leaf.deleted => Doc::from_leaf(id.to_owned(), leaf).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads one leaf of a document, a conflict for example; `None` when the revision is no leaf, or is a tombstone.
    pub fn get_rev<T: DeserializeOwned>(&self, id: &str, rev: &Rev) -> Result<Option<Doc<T>>> {
        match self.engine.get(id, Some(rev))? {
            Some(leaf) if !leaf.deleted => Doc::from_leaf(id.to_owned(), leaf).map(Some),
            _ => Ok(None),
        }
    }

    /// Documents in the order of their ids (bytes), those that are not deleted.
    pub fn docs<'a, T: DeserializeOwned>(&self, ids: impl RangeBounds<&'a str>) -> Docs<T> {
        Docs::new(self.engine.clone(), ids)
    }

    /// The changes after `since` (0 for all): each document that changed once, at its newest place. Ends at the
    /// newest change; [`Changes::follow`] goes on to wait for more.
    pub fn changes(&self, since: Seq) -> Changes {
        Changes::new(self.engine.clone(), since)
    }

    /// Counts, sizes and seqs.
    pub fn info(&self) -> Result<engine::Info> {
        Ok(self.engine.info()?)
    }

    // ---- conflicts ----

    /// Every revision of a document that is not deleted and not superseded, the winner first. More than one: nodes
    /// edited the document without knowing of each other.
    pub fn leaves<T: DeserializeOwned>(&self, id: &str) -> Result<Vec<Doc<T>>> {
        let want = Want {
            id: id.to_owned(),
            revs: WantRevs::All,
        };
        let found = self.engine.bulk_get(&[want])?.into_iter().flatten();
        found
            .flat_map(|found| found.leaves)
            .filter(|leaf| !leaf.deleted)
            .map(|leaf| Doc::from_leaf(id.to_owned(), leaf))
            .collect()
    }

    /// Ends a conflict: saves `doc` and deletes every other leaf in `others`, all or none. Every node that this
    /// replicates to ends up with the same.
    pub fn resolve<T: Serialize>(&self, doc: &mut Doc<T>, others: &[Rev]) -> Result<()> {
        let mut edits = Edits::new();
        edits.save(doc)?;
        for other in others.iter().filter(|other| **other != doc.rev) {
            edits.delete(&doc.id, other)?;
        }
        doc.rev = first_rev(self.write_all(edits)?)?;
        Ok(())
    }

    // ---- local documents ----

    /// Writes a local document: kept on this node, never replicated.
    pub fn put_local<T: Serialize + ?Sized>(&self, id: &str, value: &T) -> Result<()> {
        let id = parse_local(id)?;
        let body = body_of(id.as_str(), value)?;
        let number = self.engine.local(&id)?.map_or(0, |(number, _)| number);
        self.engine.put_local(&id, number, Some(body.as_str()))?;
        Ok(())
    }

    /// Reads a local document.
    pub fn local<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>> {
        match self.engine.local(&parse_local(id)?)? {
            Some((_, json)) => value_of(id, &json).map(Some),
            None => Ok(None),
        }
    }

    /// Deletes a local document, where there is one. It leaves no tombstone.
    pub fn delete_local(&self, id: &str) -> Result<()> {
        match self.engine.put_local(&parse_local(id)?, 0, None) {
            Err(engine::Error::Refused(Refused::Missing)) => Ok(()),
            deleted => Ok(deleted.map(|_| ())?),
        }
    }

    // ---- care ----

    /// Erases leaves without leaving a tombstone; answers those that were there. Erasing does not replicate, and a
    /// node that still has the revision may bring it back.
    pub fn purge(&self, id: &str, revs: &[Rev]) -> Result<Vec<Rev>> {
        let purged = self.engine.purge(&[(parse_id(id)?, revs.to_vec())])?;
        Ok(purged.into_iter().flatten().collect())
    }

    /// Gives free space back to the file system. Writers wait meanwhile.
    pub fn compact(&self) -> Result<()> {
        Ok(self.engine.compact()?)
    }
}

/// The results of an atomic batch, or the refusal that undid it.
pub(crate) fn all_written(ids: &[DocId], outcomes: Vec<Outcome>) -> Result<Vec<Written>> {
    let cause = outcomes
        .iter()
        .position(|outcome| matches!(outcome, Err(refused) if *refused != Refused::Batch));
    let mut written = Vec::with_capacity(outcomes.len());
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(done) => written.push(done),
            Err(refused) if cause.is_none_or(|cause| cause == index) => {
                return Err(Error::Refused {
                    id: ids.get(index).map_or("", DocId::as_str).to_owned(),
                    refused,
                });
            }
            Err(_) => {}
        }
    }
    Ok(written)
}

pub(crate) fn first_rev(written: Vec<Written>) -> Result<Rev> {
    match written.into_iter().next() {
        Some(written) => Ok(written.rev),
        None => Err(Error::Store(engine::Error::Corrupt(
            "an edit was written without an outcome".to_owned(),
        ))),
    }
}

fn parse_local(id: &str) -> Result<LocalId> {
    LocalId::parse(id)
        .map_err(|reason| Error::Invalid(format!("{id:?} is no id of a local document: {reason}")))
}
