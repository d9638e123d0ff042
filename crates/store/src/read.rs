//! Reading documents, each call on its own fresh snapshot.

use crate::file::OpenFile;
use crate::sight::Sight;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow};
use crate::tables::bytes::Malformed;
use crate::tables::{self, DocsRow, StoredRows, decode_purge, decode_text, meta};
use crate::{Database, Error, Found, Info, Leaf, RevsDiff, Tree, Want, WantRevs, Weigh};
use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trunkline_core::Seq;
use trunkline_core::access::Security;
use trunkline_core::doc::Body;
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{LeafState, RevTree};

/// The tables that hold documents, of one snapshot.
pub(crate) struct Snapshot {
    pub(crate) txn: ReadTransaction,
    pub(crate) docs: StoredRows,
    pub(crate) by_seq: ReadOnlyTable<&'static [u8; 8], &'static [u8]>,
    /// Dropped last: when the last owner of a file lets it go, redb closes it to all who read it.
    _file: Arc<OpenFile>,
}

/// A value borrowed from a snapshot's page.
pub(crate) type Value = AccessGuard<'static, &'static [u8]>;

impl Snapshot {
    pub(crate) fn of(file: Arc<OpenFile>) -> Result<Snapshot, Error> {
        let txn = file.redb.begin_read()?;
        Ok(Snapshot {
            docs: txn.open_table(tables::DOCS)?,
            by_seq: txn.open_table(tables::BY_SEQ)?,
            txn,
            _file: file,
        })
    }

    /// Another table of the same snapshot.
    pub(crate) fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: redb::TableDefinition<'static, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, Error> {
        Ok(self.txn.open_table(table)?)
    }

    pub(crate) fn by_seq_row(&self, seq: Seq) -> Result<Value, Error> {
        let row = self.by_seq.get(&seq.to_be_bytes())?;
        row.ok_or_else(|| Error::Corrupt(format!("by_seq has no row {seq} although a document names it")))
    }

    pub(crate) fn body_row(&self, number: u64) -> Result<Value, Error> {
        let row = self.txn.open_table(tables::BODIES)?.get(&number.to_be_bytes())?;
        row.ok_or_else(|| Error::Corrupt(format!("bodies has no row {number} although a leaf names it")))
    }

    pub(crate) fn leaf(&self, rev: &Rev, state: LeafState, seq: Seq) -> Result<Leaf, Error> {
        let value = if state.body == 0 {
            self.by_seq_row(seq)?
        } else {
            self.body_row(state.body)?
        };
        let (body, attachments) = if state.body == 0 {
            let row = SeqRow::decode(value.value())?;
            let RowBody::Inline(body) = row.body else {
                return Err(Malformed.into());
            };
            (body, row.attachments()?)
        } else {
            let row = BodyRow::decode(value.value())?;
            (row.body, tables::attachment::decode_attachments(row.attachments)?)
        };
        Ok(Leaf {
            rev: rev.clone(),
            deleted: state.deleted,
            body: Body::from_stored(text(body)?),
            attachments,
            seq,
        })
    }

    pub(crate) fn tree(&self, id: &str) -> Result<Option<Tree>, Error> {
        let Some(row) = self.docs.get(id.as_bytes())? else {
            return Ok(None);
        };
        let row = DocsRow::decode(row.value())?;
        Ok(Some(Tree {
            revs: RevTree::decode(row.tree_bytes).map_err(Malformed::from)?,
            seq: row.seq,
        }))
    }
}

impl Sight<'_> {
    /// What is found for a want; its leaves are read until `weigh` says that it is enough, one at least.
    fn find(
        &self,
        want: &Want,
        weigh: &mut dyn FnMut(&RevTree, Option<&Leaf>) -> ControlFlow<()>,
    ) -> Result<Option<Found>, Error> {
        let Some(Tree { revs, seq }) = self.tree(&want.id)? else {
            return Ok(None);
        };
        let mut missing = Vec::new();
        let states: Vec<(&Rev, LeafState)> = match &want.revs {
            WantRevs::Winner => revs.winner().into_iter().collect(),
            WantRevs::All => revs.leaves(),
            WantRevs::These { revs: wanted, latest } => {
                let mut found = Vec::new();
                for rev in wanted {
                    let leaf = revs.leaf(rev);
                    let leaves = if *latest && leaf.is_none() {
                        revs.descendant_leaves(rev)
                    } else {
                        Vec::new()
                    };
                    match leaf {
                        Some(state) => push_new(&mut found, (rev, state)),
                        None if leaves.is_empty() => missing.push(rev.clone()),
                        None => leaves.into_iter().for_each(|leaf| push_new(&mut found, leaf)),
                    }
                }
                found
            }
        };
        let _ = weigh(&revs, None);
        let mut states = states.into_iter();
        let mut leaves = Vec::new();
        for (rev, state) in states.by_ref() {
            let Some(leaf) = self.leaf(&want.id, rev, state, seq)?.0 else {
                continue;
            };
            let flow = weigh(&revs, Some(&leaf));
            leaves.push(leaf);
            if flow.is_break() {
                break;
            }
        }
        Ok(Some(Found {
            leaves,
            missing,
            unread: states.map(|(rev, _)| rev.clone()).collect(),
            revs,
        }))
    }
}

fn push_new<'a>(leaves: &mut Vec<(&'a Rev, LeafState)>, leaf: (&'a Rev, LeafState)) {
    if !leaves.iter().any(|(rev, _)| *rev == leaf.0) {
        leaves.push(leaf);
    }
}

/// What a file takes of the disk: redb's are longer than that, with holes.
fn bytes_on_disk(data: &std::fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(data) * 512;
    #[cfg(not(unix))]
    return data.len();
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    Ok(std::str::from_utf8(bytes)?)
}

impl Database {
    /// Counts, sizes and seqs. To one who does not see all of the database counts and sizes are not told: they are 0.
    pub fn info(&self) -> Result<Info, Error> {
        let file = self.file()?;
        let state = self.state(&file);
        if !self.is_whole() {
            return Ok(Info {
                update_seq: state.update_seq,
                purge_seq: state.purge_seq,
                created_ms: file.incarnation.created_ms,
                uuid: crate::file::hex(&file.incarnation.uuid),
                ..Info::default()
            });
        }
        let file_bytes =
            std::fs::metadata(file.dir.join(crate::file::FILE_NAME)).map_or(0, |data| bytes_on_disk(&data));
        Ok(Info {
            doc_count: state.doc_count,
            doc_del_count: state.doc_del_count,
            update_seq: state.update_seq,
            purge_seq: state.purge_seq,
            created_ms: file.incarnation.created_ms,
            uuid: crate::file::hex(&file.incarnation.uuid),
            file_bytes: file_bytes + state.file_content_bytes,
            active_bytes: state.active_bytes,
            external_bytes: state.external_bytes,
        })
    }

    /// `_security` as it was set; `None` before it was.
    pub fn security(&self) -> Result<Option<String>, Error> {
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::META)?;
        let row = table.get(meta::SECURITY)?;
        Ok(row
            .map(|row| decode_text(row.value()).map(str::to_owned))
            .transpose()?)
    }

    /// What `_security` says, read; [`Security::closed`] before it was set.
    pub fn rules(&self) -> Result<Arc<Security>, Error> {
        Ok(self.file()?.rules.read().clone())
    }

    /// The same, if it is known without a look at the disk.
    pub fn rules_at_hand(&self) -> Option<Arc<Security>> {
        self.check_alive().ok()?;
        self.inner.rules()
    }

    /// Revisions each branch keeps.
    pub fn revs_limit(&self) -> Result<u32, Error> {
        Ok(self.file()?.revs_limit.load(Ordering::Relaxed))
    }

    /// Whether it is a mirror; see [`Database::set_mirror`].
    pub fn is_mirror(&self) -> Result<bool, Error> {
        Ok(self.file()?.mirror.load(Ordering::Relaxed))
    }

    /// Purges remembered.
    pub fn purged_infos_limit(&self) -> Result<u32, Error> {
        Ok(self.file()?.purged_infos_limit.load(Ordering::Relaxed))
    }

    /// Remembered purges, oldest first: (purge seq, document, revisions).
    pub fn purged_infos(&self) -> Result<Vec<(u64, String, Vec<Rev>)>, Error> {
        self.check_whole()?;
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::PURGES)?;
        let rows = table.iter()?.map(|row| {
            let (number, row) = row?;
            let (id, revs) = decode_purge(row.value())?;
            Ok((u64::from_be_bytes(*number.value()), id.to_owned(), revs))
        });
        rows.collect()
    }

    /// One leaf of a document: the winner, or `rev` when it is a leaf. `None` when there is no such leaf (a tombstone
    /// is a leaf).
    pub fn get(&self, id: &str, rev: Option<&Rev>) -> Result<Option<Leaf>, Error> {
        let sight = self.sight()?;
        let snapshot = &sight.snapshot;
        let Some(row) = snapshot.docs.get(id.as_bytes())? else {
            return Ok(None);
        };
        let row = DocsRow::decode(row.value())?;
        let tree = row.tree()?;
        let (winner, state) = tree.winner();
        let leaf = |rev, state| Ok(sight.leaf(id, rev, state, row.seq)?.0);
        match rev {
            None => leaf(&winner, state),
            Some(rev) if *rev == winner => leaf(&winner, state),
            Some(_) if tree.is_linear() => Ok(None),
            Some(_) if sight.sees.is_some() && leaf(&winner, state)?.is_none() => Ok(None),
            Some(rev) => {
                let tree = RevTree::decode(row.tree_bytes).map_err(Malformed::from)?;
                tree.leaf(rev).map_or(Ok(None), |state| leaf(rev, state))
            }
        }
    }

    /// The document's whole tree and its seq; `None` when the document was never here.
    pub fn tree(&self, id: &str) -> Result<Option<Tree>, Error> {
        self.sight()?.tree(id)
    }

    /// Several documents' leaves from one snapshot, in order: what `_bulk_get` and `open_revs` ask.
    pub fn bulk_get(&self, wants: &[Want]) -> Result<Vec<Option<Found>>, Error> {
        self.bulk_get_within(wants, usize::MAX, &mut |_, _, _| 0)
    }

    /// The first of several documents' leaves from one snapshot, in order, until what `weigh` counts comes to `bytes_max`:
    /// as many answers as that takes, and one at least; the last one may leave some of its leaves unread.
    pub fn bulk_get_within(
        &self,
        wants: &[Want],
        bytes_max: usize,
        weigh: &mut Weigh<'_>,
    ) -> Result<Vec<Option<Found>>, Error> {
        let sight = self.sight()?;
        let mut answers = Vec::with_capacity(wants.len());
        let mut bytes = 0_usize;
        for (place, want) in wants.iter().enumerate() {
            let found = sight.find(want, &mut |tree, leaf| {
                bytes = bytes.saturating_add(weigh(place, tree, leaf));
                match bytes < bytes_max {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
            answers.push(found?);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(answers)
    }

    /// `_revs_diff` for several documents from one snapshot, in order: (missing, possible ancestors). What is not missing
    /// is durable: a replication passes it for good.
    pub fn revs_diff(&self, asked: &[(DocId, Vec<Rev>)]) -> Result<Vec<RevsDiff>, Error> {
        let sight = self.sight()?;
        if !self.file()?.is_durable() {
            self.flush()?;
        }
        let diffs = asked.iter().map(|(id, revs)| {
            if sight.sees.is_some() {
                let tree = sight.tree(id.as_str())?;
                return Ok(tree.map_or_else(|| (revs.clone(), Vec::new()), |tree| tree.revs.missing(revs)));
            }
            let Some(row) = sight.snapshot.docs.get(id.as_str().as_bytes())? else {
                return Ok((revs.clone(), Vec::new()));
            };
            let row = DocsRow::decode(row.value())?;
            let tree = row.tree()?;
            if revs.iter().all(|rev| tree.linear_contains(rev) == Some(true)) {
                return Ok((Vec::new(), Vec::new()));
            }
            let tree = RevTree::decode(row.tree_bytes).map_err(Malformed::from)?;
            Ok(tree.missing(revs))
        });
        diffs.collect()
    }
}
