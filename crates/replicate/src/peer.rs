//! What a replication asks of either end.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;
use trunkline_core::attachment::{Content, ContentHash};
use trunkline_core::doc::ReplicatedEdit;
use trunkline_core::rev::Rev;
use trunkline_wire::digests;

use crate::session::{RefusedDoc, SourceFilter};

/// Either end of a replication. [`crate::LocalPeer`] and [`crate::HttpPeer`] are its two implementations; tests add
/// faulty ones.
#[async_trait]
pub trait Peer: Send + Sync {
    /// Names the database for people, logs and progress: a URL or a path, never with credentials.
    fn label(&self) -> String;
    /// Looks at the database.
    async fn info(&self) -> Result<PeerInfo, PeerError>;
    /// Creates the database; one that is there already is no error.
    async fn create(&self) -> Result<(), PeerError>;
    /// Reads the local document that holds a checkpoint: its number (`_rev` is `0-N`) and JSON text.
    async fn replication_log(&self, replication_id: &str) -> Result<Option<StoredLog>, PeerError>;
    /// Writes it; `number` is the one last read or written, `body` JSON text without `_id` and `_rev`. Answers the
    /// new number.
    async fn put_replication_log(
        &self,
        replication_id: &str,
        number: u64,
        body: &str,
    ) -> Result<u64, PeerError>;
    /// Makes everything written so far durable; answers `instance_start_time`.
    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError>;
    /// Counts the changes behind a seq (JSON text), filters aside, where the peer can tell. For feeds that do not say.
    async fn pending(&self, since: &str) -> Result<Option<u64>, PeerError>;
    /// What the source of a filter function says, by which its replication is known.
    async fn filter_code(&self, _filter: &SourceFilter) -> Result<String, PeerError> {
        let reason = "it runs no filter functions of design documents";
        Err(PeerError::new(self.label(), PeerErrorKind::Invalid, reason))
    }
    /// Opens a feed of changes.
    async fn changes(
        &self,
        ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError>;
    /// Which of the documents' revisions are missing here. Documents that lack nothing are left out.
    async fn revs_diff(&self, asked: &[Change]) -> Result<Vec<Missing>, PeerError>;
    /// Reads revisions, with their ancestors, without attachment bytes; an inner revision is replaced by the leaves
    /// below it. `TooLarge` when they are more than a peer holds in memory: ask for fewer. `Unserved` when one of them may
    /// be the reason that none came.
    async fn bulk_get(&self, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError>;
    /// Writes revisions made elsewhere (`new_edits=false`); answers those that were refused. Durable when it returns.
    /// Whatever the peer's limits are, it splits the documents to fit them. Bytes of attachments that the documents
    /// name ([`trunkline_core::attachment::AttachmentSource::Staged`]) are there already or came by [`Peer::put_content`].
    ///
    /// With a `log`, a peer that exchanges writes the checkpoint in the commit of the last of the documents, and tells
    /// its new number; any other leaves it alone.
    async fn bulk_docs(&self, docs: Vec<Doc>, log: Option<LogWrite>) -> Result<BulkWritten, PeerError>;
    /// Reads one document's revisions with attachment bytes, one after the other. With an empty `possible_ancestors`
    /// every attachment comes with its bytes. `Unserved` when this document, and perhaps no other, cannot be read.
    async fn open_revs(
        &self,
        wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError>;
    /// Writes one revision with attachments (`new_edits=false`). The outer error is the peer's, the inner one the
    /// document's.
    async fn put_open_rev(&self, rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError>;
    /// Which of these contents it does not hold, in their order. Asked only of peers that exchange, as all that follows.
    async fn lacking(&self, contents: &[Content]) -> Result<Vec<Content>, PeerError>;
    /// Reads stored attachment bytes from an offset on. `Absent` when the peer itself still waits for them. `of` is a
    /// document with this content: a peer that shows some of its documents alone asks for one.
    async fn content(
        &self,
        content: &Content,
        of: Option<&str>,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError>;
    /// How many of a content's bytes an upload that was cut off left there: where to go on.
    async fn content_begun(&self, content: &Content) -> Result<u64, PeerError>;
    /// Takes a content's bytes from the offset that [`Peer::content_begun`] told, until `bytes` ends; what came before a
    /// cut is kept for a while. Whole and with the right hash, it waits for a document that names it, or, where some
    /// do already, is there for them.
    async fn put_content(
        &self,
        content: &Content,
        from: u64,
        bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Result<(), PeerError>;
    /// Returns once the peer, which could not be reached, can be again; never where nobody can tell.
    async fn reachable_again(&self) {
        std::future::pending().await
    }
    /// Digests of ranges of documents, in the order of ids.
    async fn digests(&self, _ask: digests::Ask) -> Result<Vec<digests::Range>, PeerError> {
        Err(no_exchange(self.label()))
    }
    /// Documents with all their leaves, in the order of ids; fewer than asked for only at the end.
    async fn leaves(&self, _ask: digests::LeavesAsk) -> Result<Vec<(Box<str>, Vec<Rev>)>, PeerError> {
        Err(no_exchange(self.label()))
    }
    /// Contents that documents here name and whose bytes have not come, in the order of their hashes, those after
    /// `after` only. `Protocol` where the peer cannot tell.
    async fn absent(&self, _after: Option<ContentHash>, _limit: usize) -> Result<Vec<Content>, PeerError> {
        Err(no_exchange(self.label()))
    }
    /// When the oldest change behind a seq (JSON text) was made, filters aside. Answered by peers that only look it up.
    async fn oldest_after(&self, _since: &str) -> Result<Oldest, PeerError> {
        Ok(Oldest::Unknown)
    }
}

/// The oldest change behind a seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oldest {
    /// The peer does not tell.
    Unknown,
    /// Nothing comes after the seq.
    Nothing,
    /// First committed then, on the node that made it: ms since 1970 by this node's clock.
    Since(u64),
}

/// What a look at a peer's database tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Names the database wherever it is reached from: server uuid, database name and incarnation where known, else
    /// the normalised URL; and, for who is bound to some of its documents, to which. No credentials.
    pub identity: String,
    /// `instance_start_time`; `"0"` when unknown.
    pub instance_start_time: Box<str>,
    /// The newest seq, as JSON text.
    pub update_seq: Box<str>,
    /// What runs there.
    pub kind: PeerKind,
    /// It takes part in the exchange between our own nodes: rows that carry whole documents with attachments by
    /// content hash, checkpoints in the commit of documents, contents read and written from an offset.
    pub exchanges: bool,
    /// Asking it takes a round trip.
    pub remote: bool,
}

/// A checkpoint that is written with documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWrite {
    /// As for [`Peer::put_replication_log`].
    pub replication_id: String,
    /// The number last read or written.
    pub number: u64,
    /// JSON text without `_id` and `_rev`.
    pub body: String,
}

/// What became of documents written together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkWritten {
    /// Those that were refused.
    pub refused: Vec<RefusedDoc>,
    /// The new number of the checkpoint, where it was written with them.
    pub log_number: Option<u64>,
    /// Of the database that they are in, where the peer tells: it may be another one by now than the run began with.
    pub instance_start_time: Option<Box<str>>,
}

/// What kind of server a peer is; decides which detours are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// Trunkline, in this process or over HTTP.
    Trunkline,
    /// CouchDB, or something that speaks as it does.
    CouchDb,
    /// PouchDB Server.
    PouchDbServer,
}

/// A checkpoint document as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLog {
    /// N of `_rev` `0-N`.
    pub number: u64,
    /// JSON text.
    pub json: String,
}

/// Which changes a feed gives.
#[derive(Clone, Debug, Default)]
pub struct ChangesAsk {
    /// Start after this seq (JSON text); `None` from the beginning.
    pub since: Option<Box<str>>,
    /// Goes on waiting at the end.
    pub continuous: bool,
    /// Only winners (`style=main_only`).
    pub main_only: bool,
    /// Only these documents.
    pub doc_ids: Option<Vec<String>>,
    /// Only documents that match.
    pub selector: Option<(String, trunkline_core::selector::Selector)>,
    /// Only documents that this function lets pass.
    pub filter: Option<SourceFilter>,
    /// Only what is in this named feed, `design/name`.
    pub feed_name: Option<String>,
    /// While true, rows may carry their documents; saves fetching them. It is turned off when the target turns out
    /// to have most of them.
    pub docs: Arc<AtomicBool>,
    /// Carried documents may name attachments by content hash, their bytes to be read with [`Peer::content`].
    pub contents: bool,
    /// Many changes wait at the source.
    pub far: bool,
    /// Ends at this seq (JSON text), even a continuous feed.
    pub until: Option<Box<str>>,
    /// Leaves out documents all of whose leaves are deleted; `last_seq` passes them all the same.
    pub without_deleted: bool,
}

/// Some rows of a feed, in order.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The rows; may be empty when only `last_seq` moved.
    pub rows: Vec<Change>,
    /// Source seq (JSON text) that these rows reach.
    pub last_seq: Box<str>,
    /// Changes after these, where known.
    pub pending: Option<u64>,
    /// When the oldest of the rows was first committed, on the node that made it: ms since 1970 by this node's clock.
    /// `None` where the source does not tell.
    pub oldest_ms: Option<u64>,
}

/// One row of a feed.
#[derive(Clone, Debug)]
pub struct Change {
    /// The document.
    pub id: Box<str>,
    /// Its leaves, or its winner.
    pub revs: Vec<Rev>,
    /// Texts among them that are no revisions to us: they cannot be asked for or written. Long ones are cut.
    pub odd_revs: Vec<Box<str>>,
    /// All of `revs` as documents, where the feed was asked for them and could tell; else empty.
    pub docs: Vec<Doc>,
}

/// Revisions of one document that a target lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The document.
    pub id: Box<str>,
    /// Never empty.
    pub revs: Vec<Rev>,
    /// Leaves of the target that may be ancestors; a source leaves out attachments they have.
    pub possible_ancestors: Vec<Rev>,
}

/// A revision with its history, on its way.
#[derive(Clone, Debug)]
pub struct Doc {
    /// The document.
    pub id: Box<str>,
    /// The revision.
    pub rev: Rev,
    /// The rest, as the source had it.
    pub content: DocContent,
}

impl Doc {
    /// Bytes it holds in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let content = match &self.content {
            DocContent::Json(json) => json.len(),
            DocContent::Edit(edit) => {
                let attachments = edit.attachments.iter();
                let attachments: usize = attachments.map(|one| size_of_val(one) + one.name.len()).sum();
                edit.body.as_str().len() + 24 * edit.path.digests.len() + attachments
            }
        };
        2 * self.id.len() + content + size_of::<Doc>()
    }
}

/// Two forms of a document; whoever needs the other form converts it.
#[derive(Clone, Debug)]
pub enum DocContent {
    /// JSON text with `_id`, `_rev` and, beyond generation 1, `_revisions`.
    Json(Bytes),
    /// Taken apart.
    Edit(ReplicatedEdit),
}

/// Answer to one revision asked for with [`Peer::bulk_get`].
#[derive(Clone, Debug)]
pub enum Fetched {
    /// Here it is (or, when it was superseded, a leaf below it).
    Doc(Doc),
    /// It has attachments, and must be read with [`Peer::open_revs`].
    HasAttachments {
        /// The document.
        id: Box<str>,
        /// The revision.
        rev: Rev,
    },
    /// The source does not have it (any more).
    Missing {
        /// The document.
        id: Box<str>,
        /// The revision asked for.
        rev: Rev,
    },
    /// What is there instead cannot be held here.
    Refused(RefusedDoc),
}

/// What [`Peer::open_revs`] says of one revision.
#[derive(Debug)]
pub enum Opened {
    /// Here it is (or, when it was superseded, a leaf below it).
    Rev(OpenRev),
    /// The source does not have it (any more).
    Missing(Rev),
    /// What is there instead cannot be held here.
    Refused(RefusedDoc),
}

/// One revision with attachments, its bytes still to come.
#[derive(Debug)]
pub struct OpenRev {
    /// The document.
    pub id: Box<str>,
    /// The revision.
    pub rev: Rev,
    /// JSON text with `_revisions`; its `_attachments` says which are stubs, inline or follow.
    pub json: Bytes,
    /// The bytes of those that follow, one after the other in the order of `_attachments`, each exactly as long as
    /// `_attachments` says. Ends early only with an error.
    pub parts: mpsc::Receiver<Result<Bytes, PeerError>>,
}

/// Why a peer did not answer as asked.
#[derive(Clone, Debug)]
pub struct PeerError {
    /// Which peer, without credentials.
    pub peer: String,
    /// What kind of failure.
    pub kind: PeerErrorKind,
    /// What happened, in words.
    pub reason: String,
    /// How long the peer asked us to stay away.
    pub retry_after: Option<Duration>,
}

/// Kinds of failure, by what can be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerErrorKind {
    /// Not reached, timed out, cut off, 429, or 5xx: try again.
    Unavailable,
    /// 401: the credentials are missing or wrong.
    Unauthorized,
    /// 403.
    Forbidden,
    /// No such database.
    DatabaseMissing,
    /// The request was too large (413); smaller ones may pass.
    TooLarge,
    /// The database was deleted and made again since the seq or the run's begin.
    Recreated,
    /// An attachment stub whose bytes the target lacks (412).
    MissingStub,
    /// Attachment bytes that the peer itself still waits for.
    Absent,
    /// The answer was not what the protocol says.
    Protocol,
    /// What was asked for could not be read (500, malformed, not allowed); other documents may well be.
    Unserved,
    /// One end's certificate is not one that the other trusts, or is missing.
    Untrusted,
    /// The URL or the options are wrong; trying again is no use.
    Invalid,
}

impl PeerError {
    /// An error without a wish when to try again.
    pub fn new(peer: impl Into<String>, kind: PeerErrorKind, reason: impl Into<String>) -> PeerError {
        PeerError {
            peer: peer.into(),
            kind,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// As said in answer to a question for documents: what is malformed may be one of them.
    pub(crate) fn about_documents(self) -> PeerError {
        match self.kind {
            PeerErrorKind::Protocol => PeerError {
                kind: PeerErrorKind::Unserved,
                ..self
            },
            _ => self,
        }
    }
}

/// What a peer that does not exchange answers where only those that do are asked.
pub(crate) fn no_exchange(peer: String) -> PeerError {
    PeerError::new(
        peer,
        PeerErrorKind::Protocol,
        "it takes no part in the exchange of contents",
    )
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.reason)
    }
}

impl std::error::Error for PeerError {}
