//! All tables of the file format: what each is keyed by, and the bytes of its rows. `docs/file-format.md` is the prose.
//!
//! Keys and values are our own bytes, never redb's encodings of Rust types, so that a row means the same in any
//! language and for ever. Each value opens with [`VERSION`].

pub(crate) mod attachment;
pub(crate) mod by_seq;
pub(crate) mod bytes;
pub(crate) mod content;
pub(crate) mod feed;

use bytes::{Malformed, Reader, put_bytes};
use redb::TableDefinition;
use trunkline_core::Seq;
use trunkline_core::rev::{Digest, Rev};
use trunkline_core::revtree::EncodedTree;
use trunkline_core::varint;

/// First byte of every value.
pub(crate) const VERSION: u8 = 1;

/// A table of variable keys.
pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// A table keyed by a big-endian number, so that byte order is numeric order.
pub(crate) type NumberTable = TableDefinition<'static, &'static [u8; 8], &'static [u8]>;

/// A [`Table`] in a write transaction.
pub(crate) type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;
/// A [`Table`] in a snapshot.
pub(crate) type StoredRows = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
/// A [`NumberTable`] in a write transaction.
pub(crate) type Numbered<'t> = redb::Table<'t, &'static [u8; 8], &'static [u8]>;

/// Name -> one value of the database itself; [`State`] is the only one that every commit rewrites.
pub(crate) const META: Table = TableDefinition::new("meta");
/// Document id -> seq and revision tree.
pub(crate) const DOCS: Table = TableDefinition::new("docs");
/// Seq -> the document changed there: id, leaves, time, winner's attachments and (short) body.
pub(crate) const BY_SEQ: NumberTable = TableDefinition::new("by_seq");
/// Body number -> body and attachments of a leaf that is not the winner, or of a winner whose body is long.
pub(crate) const BODIES: NumberTable = TableDefinition::new("bodies");
/// Local document id -> its number and JSON text.
pub(crate) const LOCAL: Table = TableDefinition::new("local");
/// BLAKE3 of attachment bytes -> how many leaves refer to them, and the bytes themselves when they are few.
pub(crate) const ATTACHMENTS: Table = TableDefinition::new("attachments");
/// BLAKE3 of attachment bytes that are still to come -> nothing more. Made by the first of them.
pub(crate) const ABSENT: Table = TableDefinition::new("absent");
/// Purge number -> what was purged.
pub(crate) const PURGES: NumberTable = TableDefinition::new("purges");

/// Keys of [`META`].
pub(crate) mod meta {
    pub(crate) const STATE: &[u8] = b"state";
    pub(crate) const INCARNATION: &[u8] = b"incarnation";
    pub(crate) const REVS_LIMIT: &[u8] = b"revs_limit";
    pub(crate) const PURGED_INFOS_LIMIT: &[u8] = b"purged_infos_limit";
    /// There while commits may be lost in a crash: no seq up to this one is given out again after it.
    pub(crate) const SEQ_FLOOR: &[u8] = b"seq_floor";
    /// 1 where only replicated edits are taken.
    pub(crate) const MIRROR: &[u8] = b"mirror";
    /// 1 where ids name partitions. Written with the file, and never again.
    pub(crate) const PARTITIONED: &[u8] = b"partitioned";
    pub(crate) const SECURITY: &[u8] = b"security";
}

/// What changes with every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) update_seq: Seq,
    pub(crate) purge_seq: u64,
    pub(crate) doc_count: u64,
    pub(crate) doc_del_count: u64,
    /// The highest body number ever given out.
    pub(crate) last_body: u64,
    /// Of the newest commit, ms since 1970.
    pub(crate) time_ms: u64,
    /// Bodies and attachments of all leaves as clients see them.
    pub(crate) external_bytes: u64,
    /// Keys and values of docs, by_seq and bodies, and stored attachment bytes.
    pub(crate) active_bytes: u64,
    /// Attachment bytes that are files of their own.
    pub(crate) file_content_bytes: u64,
}

/// A version byte and nine numbers.
const STATE_BYTES: usize = 1 + 9 * 8;

impl State {
    fn fields(&self) -> [u64; 9] {
        [
            self.update_seq,
            self.purge_seq,
            self.doc_count,
            self.doc_del_count,
            self.last_body,
            self.time_ms,
            self.external_bytes,
            self.active_bytes,
            self.file_content_bytes,
        ]
    }

    pub(crate) fn encode(&self) -> [u8; STATE_BYTES] {
        let mut out = [VERSION; STATE_BYTES];
        for (to, field) in out
            .iter_mut()
            .skip(1)
            .zip(self.fields().into_iter().flat_map(u64::to_be_bytes))
        {
            *to = field;
        }
        out
    }

    pub(crate) fn decode(row: &[u8]) -> Result<State, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        let state = State {
            update_seq: row.u64()?,
            purge_seq: row.u64()?,
            doc_count: row.u64()?,
            doc_del_count: row.u64()?,
            last_body: row.u64()?,
            time_ms: row.u64()?,
            external_bytes: row.u64()?,
            active_bytes: row.u64()?,
            file_content_bytes: row.u64()?,
        };
        row.end()?;
        Ok(state)
    }
}

/// What tells this database from another of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incarnation {
    pub(crate) uuid: [u8; 16],
    pub(crate) created_ms: u64,
}

impl Incarnation {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.uuid);
        out.extend_from_slice(&self.created_ms.to_be_bytes());
        out
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Incarnation, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        let incarnation = Incarnation {
            uuid: row.array()?,
            created_ms: row.u64()?,
        };
        row.end()?;
        Ok(incarnation)
    }
}

/// A version byte and a number: the limits in [`META`].
pub(crate) fn encode_number(number: u64) -> Vec<u8> {
    let mut out = vec![VERSION];
    varint::write(number, &mut out);
    out
}

pub(crate) fn decode_number(row: &[u8]) -> Result<u64, Malformed> {
    let mut row = Reader(row);
    row.version()?;
    let number = row.varint()?;
    row.end()?;
    Ok(number)
}

/// A version byte and a text: `security` in [`META`].
pub(crate) fn encode_text(text: &str) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(text.as_bytes());
    out
}

pub(crate) fn decode_text(row: &[u8]) -> Result<&str, Malformed> {
    let mut row = Reader(row);
    row.version()?;
    Ok(std::str::from_utf8(row.0)?)
}

/// A row of [`DOCS`], borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DocsRow<'a> {
    pub(crate) seq: Seq,
    /// As `RevTree::encode` wrote it.
    pub(crate) tree_bytes: &'a [u8],
}

impl<'a> DocsRow<'a> {
    /// Begins a row; the tree's bytes are appended to it.
    pub(crate) fn begin(out: &mut Vec<u8>, seq: Seq) {
        out.push(VERSION);
        varint::write(seq, out);
    }

    pub(crate) fn decode(row: &'a [u8]) -> Result<DocsRow<'a>, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        Ok(DocsRow {
            seq: row.varint()?,
            tree_bytes: row.0,
        })
    }

    pub(crate) fn tree(&self) -> Result<EncodedTree<'a>, Malformed> {
        Ok(EncodedTree::new(self.tree_bytes)?)
    }
}

/// A row of [`LOCAL`]: its number and JSON text.
pub(crate) fn encode_local(number: u64, json: &str) -> Vec<u8> {
    let mut out = vec![VERSION];
    varint::write(number, &mut out);
    out.extend_from_slice(json.as_bytes());
    out
}

pub(crate) fn decode_local(row: &[u8]) -> Result<(u64, &str), Malformed> {
    let mut row = Reader(row);
    row.version()?;
    let number = row.varint()?;
    Ok((number, std::str::from_utf8(row.0)?))
}

/// A row of [`PURGES`]: the document and its purged revisions.
pub(crate) fn encode_purge(id: &str, revs: &[Rev]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_bytes(&mut out, id.as_bytes());
    varint::write(revs.len() as u64, &mut out);
    for rev in revs {
        varint::write(rev.generation, &mut out);
        put_bytes(&mut out, rev.digest.as_bytes());
    }
    out
}

pub(crate) fn decode_purge(row: &[u8]) -> Result<(&str, Vec<Rev>), Malformed> {
    let mut row = Reader(row);
    row.version()?;
    let id = row.str()?;
    let revs = (0..row.varint()?)
        .map(|_| {
            Ok(Rev {
                generation: row.varint()?,
                digest: Digest::from_bytes(row.bytes()?),
            })
        })
        .collect::<Result<_, Malformed>>()?;
    row.end()?;
    Ok((id, revs))
}
