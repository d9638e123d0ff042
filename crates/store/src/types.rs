//! Plain data that goes in and out of a database.

use crate::tables::by_seq::take_leaf;
use crate::tables::bytes::Reader;
use trunkline_core::Seq;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::{Body, Edit};
use trunkline_core::doc_id::LocalId;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;

/// Settings of a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Bytes that all redb caches of the store may use together.
    pub cache_bytes: usize,
    /// redb files kept open at once (file descriptors).
    pub open_databases: usize,
    /// For crash tests: storage in place of files, by path. Compaction is refused with it.
    #[doc(hidden)]
    pub backend: Option<crate::BackendSeam>,
}

impl Default for StoreOptions {
    /// 40 MB of cache and 256 open files: a node that serves a scan of a million documents stays within 64 MB.
    fn default() -> StoreOptions {
        StoreOptions {
            cache_bytes: 40 << 20,
            open_databases: 256,
            backend: None,
        }
    }
}

impl StoreOptions {
    /// What one database's cache may grow to: more than half, so that a single busy database has the use of the
    /// memory, while idle ones are closed when several grow so large.
    pub(crate) fn cache_bytes_per_database(&self) -> usize {
        self.cache_bytes / 5 * 3
    }
}

/// What a database is made as, and stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// Every document's id begins with the name of a partition and a colon.
    pub partitioned: bool,
}

/// When a write's caller hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After the fsync.
    #[default]
    Durable,
    /// Once readers see it; durable within [`trunkline_core::limits::RELAXED_FLUSH_MS`], in order.
    Relaxed,
}

/// Edits that are queued together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Applied in order.
    pub edits: Vec<Edit>,
    /// When the caller hears of it.
    pub durability: Durability,
    /// All or none.
    pub atomic: bool,
    /// Written in the same transaction, whatever edits are refused; not when an atomic batch fails.
    pub local: Option<LocalWrite>,
}

/// A local document that is written with a batch, as [`crate::Database::put_local`] writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalWrite {
    /// Which.
    pub id: LocalId,
    /// The number last read or written; 0 when there is none.
    pub number: u64,
    /// JSON text.
    pub json: String,
}

impl LocalWrite {
    /// The number that it gets.
    pub fn new_number(&self) -> u64 {
        self.number.saturating_add(1)
    }
}

/// What became of one edit.
pub type Outcome = Result<Written, crate::Refused>;

/// An edit that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The revision it made (or brought).
    pub rev: Rev,
    /// The document's seq; unchanged when a replicated revision was already known.
    pub seq: Seq,
}

/// One stored leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its revision.
    pub rev: Rev,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// Its body.
    pub body: Body,
    /// Its attachments, in document order.
    pub attachments: Vec<Attachment>,
    /// The document's seq.
    pub seq: Seq,
}

/// A document's tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Its revisions.
    pub revs: RevTree,
    /// Its place in the changes.
    pub seq: Seq,
}

/// One request of [`crate::Database::bulk_get`].
#[derive(Clone, Debug)]
pub struct Want {
    /// Which document (any text; an invalid id is simply not found).
    pub id: String,
    /// Which leaves.
    pub revs: WantRevs,
}

/// Which leaves of a document are wanted.
#[derive(Clone, Debug)]
pub enum WantRevs {
    /// The winner only.
    Winner,
    /// Every leaf.
    All,
    /// These; with `latest`, an inner revision is replaced by the leaves below it.
    These {
        /// Asked for, in order.
        revs: Vec<Rev>,
        /// Whether to follow to the leaves.
        latest: bool,
    },
}

/// Answer to one [`Want`]; `None` in its place when the document was never here.
#[derive(Clone, Debug)]
pub struct Found {
    /// Leaves found, without repeats, in the order asked for (winner first for `All`).
    pub leaves: Vec<Leaf>,
    /// Revisions asked for that are no leaf here (and, with `latest`, no ancestor of one).
    pub missing: Vec<Rev>,
    /// Leaves that were found and not read, in their order behind the others: [`crate::Database::bulk_get_within`] was to
    /// read no more.
    pub unread: Vec<Rev>,
    /// The document's tree.
    pub revs: RevTree,
}

/// Says how many bytes count for something that was read for a [`Want`], by its place: the tree of its document alone, or
/// one of its leaves.
pub type Weigh<'a> = dyn FnMut(usize, &RevTree, Option<&Leaf>) -> usize + 'a;

/// Of one document: which of the revisions asked for are missing, and the leaves here that may be their ancestors.
pub type RevsDiff = (Vec<Rev>, Vec<Rev>);

/// What [`crate::Database::changes`] reads.
#[derive(Clone, Debug)]
pub struct ChangesScan {
    /// Rows after this seq; descending, rows at or before it (`Seq::MAX` for all).
    pub since: Seq,
    /// Ascending: rows up to and with this seq.
    pub until: Seq,
    /// Newest first.
    pub descending: bool,
    /// Whether rows carry the winner's body.
    pub bodies: bool,
    /// At most so many rows.
    pub limit: usize,
}

/// One row of the changes, borrowed from a snapshot.
#[derive(Debug)]
pub struct ChangeRow<'a> {
    /// Its seq.
    pub seq: Seq,
    /// Commit time, ms since 1970; never decreases with seq.
    pub time_ms: u64,
    /// How long before that the change was first committed, on the node where it was made; 0 for one made here.
    pub age_ms: u64,
    /// The document's id.
    pub id: &'a str,
    /// All leaves, winner first, in CouchDB's order: (revision, deleted).
    pub leaves: Leaves<'a>,
    /// The winner's body and attachments, when asked for.
    pub winner: Option<WinnerBody<'a>>,
}

/// The leaves in a by_seq row, decoded as they are asked for.
#[derive(Clone, Debug)]
pub struct Leaves<'a>(pub(crate) Reader<'a>);

impl Iterator for Leaves<'_> {
    type Item = (Rev, bool);
    fn next(&mut self) -> Option<(Rev, bool)> {
        if self.0.0.is_empty() {
            return None;
        }
        take_leaf(&mut self.0).ok()
    }
}

/// The winner's body and attachments, borrowed from a snapshot.
#[derive(Debug)]
pub struct WinnerBody<'a> {
    /// JSON text as in [`Body`].
    pub body: &'a str,
    /// Empty for most documents.
    pub attachments: Vec<Attachment>,
}

/// What [`crate::Database::all_docs`] reads: ids in byte order.
#[derive(Clone, Debug)]
pub struct DocsScan {
    /// First id, in the direction of the scan; `None` from the end.
    pub start: Option<String>,
    /// Whether `start` itself is left out (to go on after a chunk).
    pub after_start: bool,
    /// Last id; `None` to the end.
    pub end: Option<String>,
    /// Whether `end` itself belongs to it.
    pub inclusive_end: bool,
    /// From the highest id down.
    pub descending: bool,
    /// Whether rows carry the winner's body.
    pub bodies: bool,
    /// At most so many rows.
    pub limit: usize,
}

/// One document that is not deleted, borrowed from a snapshot.
#[derive(Debug)]
pub struct DocRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its winner.
    pub rev: Rev,
    /// Its seq.
    pub seq: Seq,
    /// Conflicts: undeleted leaves beside the winner; empty for most documents.
    pub conflicts: Vec<Rev>,
    /// The winner's body and attachments, when asked for.
    pub winner: Option<WinnerBody<'a>>,
}

/// How a chunk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanEnd<K> {
    /// The last key seen (for changes, the last seq scanned, rows or not); start the next chunk after it. `None`
    /// when nothing was scanned.
    pub last: Option<K>,
    /// Whether the range is exhausted.
    pub done: bool,
}

/// Counts, sizes and seqs of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Documents whose winner is not deleted.
    pub doc_count: u64,
    /// Documents whose winner is deleted.
    pub doc_del_count: u64,
    /// The newest seq.
    pub update_seq: Seq,
    /// The newest purge.
    pub purge_seq: u64,
    /// When this incarnation was created, ms since 1970; a recreated database differs.
    pub created_ms: u64,
    /// Names this incarnation: 32 hexadecimal digits.
    pub uuid: String,
    /// Bytes that the redb file and attachment files take of the disk.
    pub file_bytes: u64,
    /// Bytes of live bodies, attachments and their keys.
    pub active_bytes: u64,
    /// Bytes of live bodies and attachments as clients see them.
    pub external_bytes: u64,
}

/// Counts and sizes of some documents, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Documents whose winner is not deleted.
    pub docs: u64,
    /// Documents whose winner is deleted.
    pub deleted: u64,
    /// Bytes of live bodies, attachments and their keys.
    pub active_bytes: u64,
    /// Bytes of live bodies and attachments as clients see them.
    pub external_bytes: u64,
}

/// Consecutive documents and what their leaves come to; see [`crate::Database::digests`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// Of the last document in it.
    pub last_id: Box<str>,
    /// How many documents.
    pub docs: u64,
    /// Of their ids and leaves.
    pub digest: RangeDigest,
}

/// A document's id and all its leaves, ascending.
pub type IdLeaves = (Box<str>, Vec<Rev>);

/// Of the ids and leaves of consecutive documents: equal where those are, on any node.
pub type RangeDigest = [u8; 16];

/// What happened to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbEvent {
    /// It was created.
    Created,
    /// Documents changed.
    Updated,
    /// It was deleted.
    Deleted,
}

/// A row of `_db_updates`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbUpdate {
    /// Which database.
    pub name: trunkline_core::db_name::DbName,
    /// What happened last.
    pub event: DbEvent,
    /// Its place in the order.
    pub seq: u64,
}
