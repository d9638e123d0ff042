//! One listing of documents, rendered chunk by chunk on threads that may block; nothing is held between two chunks.

use super::Kind;
use crate::app::App;
use crate::error::{Error, Result};
use crate::request::docs_range::DocsRange;
use crate::routes::listed::Listed;
use crate::show::{self, Members, RowDoc};
use std::ops::ControlFlow;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_store::{Database, DocRow, DocsScan, Found, Leaf, Want, WantRevs};
use trunkline_wire::all_docs::Writer;
use trunkline_wire::seq;

/// Bounds of the design documents' ids.
const DESIGNS: (&str, &str) = ("_design/", "_design0");

/// Keys looked up in one snapshot.
const KEYS_PER_CHUNK: usize = 256;

/// Bytes of rows after which a chunk is sent, whatever was read for them: attachments come with their documents.
const CHUNK_BYTES: usize = 2 * SCAN_CHUNK_BYTES;

pub(super) struct Listing {
    db: Database,
    range: DocsRange,
    source: Source,
    writer: Writer,
    skip: usize,
    limit: usize,
    update_seq: Option<String>,
    inline_bytes_max: u64,
}

enum Source {
    Scan(DocsScan),
    /// Keys still to look up, the next one last.
    Keys(Vec<String>),
    Done,
}

impl Listed for Listing {
    fn is_done(&self) -> bool {
        self.limit == 0 || matches!(self.source, Source::Done)
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        match std::mem::replace(&mut self.source, Source::Done) {
            Source::Scan(scan) => self.scan(scan, out),
            Source::Keys(keys) => self.look_up(keys, out),
            Source::Done => Ok(()),
        }
    }

    fn close(self, out: &mut Vec<u8>) {
        self.writer.close(out, self.update_seq.as_deref());
        if out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
    }
}

impl Listing {
    /// Appends the head of a listing.
    pub(super) fn open(
        app: &App,
        db: Database,
        kind: Kind,
        range: DocsRange,
        out: &mut Vec<u8>,
    ) -> Result<Listing> {
        let info = db.info()?;
        let update_seq = range
            .update_seq
            .then(|| seq::json(info.update_seq, seq::suffix(&info.uuid)));
        let range = match (kind, range.partition.clone()) {
            (Kind::Designs, _) => range.within(DESIGNS.0, DESIGNS.1),
            (Kind::All, None) => range,
            (Kind::All, Some(_)) if !db.is_partitioned()? => {
                let reason = "`partition` parameter is not supported on this db";
                return Err(Error::QueryParse(reason.to_owned()));
            }
            (Kind::All, Some(partition)) => {
                let (low, high) = partition.ids();
                range.within(&low, &high)
            }
        };
        let total = match kind {
            Kind::All => info.doc_count,
            Kind::Designs if db.is_whole() => count_designs(&db)?,
            Kind::Designs => 0,
        };
        let (offset, source) = match (&range.keys, range.scan()) {
            (Some(keys), _) => {
                let in_order = range.descending;
                let keys = if in_order {
                    keys.clone()
                } else {
                    keys.iter().rev().cloned().collect()
                };
                (None, Source::Keys(keys))
            }
            (None, None) => (Some(total), Source::Done),
            (None, Some(scan)) => {
                let before = if kind == Kind::All && scan.start.is_some() && db.is_whole() {
                    db.count_docs(&scan)?
                } else {
                    0
                };
                (Some((before + range.skip as u64).min(total)), Source::Scan(scan))
            }
        };
        // How many there are is not told to one who does not see them all, and of those he sees not known.
        let (total, offset) = match db.is_whole() {
            true => (Some(total), offset),
            false => (None, None),
        };
        let writer = Writer::open(out, total, offset);
        let (skip, limit) = (range.skip, range.limit.unwrap_or(usize::MAX));
        let inline_bytes_max = app.config().request_buffer_bytes_max as u64;
        Ok(Listing {
            db,
            range,
            source,
            writer,
            skip,
            limit,
            update_seq,
            inline_bytes_max,
        })
    }

    fn scan(&mut self, mut scan: DocsScan, out: &mut Vec<u8>) -> Result<()> {
        let Listing {
            db,
            range,
            writer,
            skip,
            limit,
            inline_bytes_max,
            ..
        } = self;
        let mut failed = None;
        scan.limit = limit.saturating_add(*skip);
        let end = db.all_docs(&scan, &mut |row| {
            if *skip > 0 {
                *skip -= 1;
                return ControlFlow::Continue(());
            }
            if let Err(error) = write_row(db, range, *inline_bytes_max, writer, out, &row) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            *limit -= 1;
            if *limit == 0 || out.len() >= CHUNK_BYTES {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if let (false, Some(last)) = (end.done, end.last) {
            scan.start = Some(last);
            scan.after_start = true;
            self.source = Source::Scan(scan);
        }
        Ok(())
    }

    fn look_up(&mut self, mut keys: Vec<String>, out: &mut Vec<u8>) -> Result<()> {
        keys.truncate(keys.len().saturating_sub(std::mem::take(&mut self.skip)));
        let here = keys.split_off(keys.len().saturating_sub(KEYS_PER_CHUNK.min(self.limit)));
        let partition = self.range.partition.clone();
        let here_by_id = |id: &String| partition.as_ref().is_none_or(|partition| partition.holds(id));
        let id = |key: &String| serde_json::from_str::<String>(key).ok().filter(here_by_id);
        let ids: Vec<Option<String>> = here.iter().rev().map(id).collect();
        let wants: Vec<Want> = ids
            .iter()
            .flatten()
            .map(|id| Want {
                id: id.clone(),
                revs: WantRevs::Winner,
            })
            .collect();
        let found = self
            .db
            .bulk_get_within(&wants, SCAN_CHUNK_BYTES, &mut |_, tree, leaf| match leaf {
                Some(leaf) => Members::default().leaf_bytes(leaf, tree, &[]),
                None => show::tree_bytes(tree),
            });
        let mut found = found?.into_iter();
        let mut left = here;
        for id in &ids {
            let found = match (id, found.as_slice()) {
                // What else is looked up, or shown, comes in another chunk.
                _ if out.len() >= CHUNK_BYTES => break,
                (Some(_), []) => break,
                (Some(_), _) => found.next().flatten(),
                (None, _) => None,
            };
            let Some(key) = left.pop() else { break };
            self.row(&key, id.as_deref(), found, out)?;
            self.limit -= 1;
        }
        keys.append(&mut left);
        if !keys.is_empty() {
            self.source = Source::Keys(keys);
        }
        Ok(())
    }

    /// Appends the row of a key.
    fn row(&mut self, key: &str, id: Option<&str>, found: Option<Found>, out: &mut Vec<u8>) -> Result<()> {
        let leaf = id.zip(found.and_then(|found| Some((found.leaves.into_iter().next()?, found.revs))));
        match leaf {
            None => self.writer.missing(out, key),
            Some((id, (leaf, _))) if leaf.deleted => {
                self.writer.deleted(out, id, &leaf.rev, self.range.include_docs);
            }
            Some((id, (leaf, tree))) => {
                let conflicts = tree
                    .leaves()
                    .into_iter()
                    .skip(1)
                    .filter(|(_, state)| !state.deleted);
                let conflicts = conflicts.map(|(rev, _)| rev.clone()).collect();
                self.write_leaf(out, id, leaf, conflicts)?;
            }
        }
        Ok(())
    }

    fn write_leaf(&mut self, out: &mut Vec<u8>, id: &str, leaf: Leaf, conflicts: Vec<Rev>) -> Result<()> {
        let winner = trunkline_store::WinnerBody {
            body: leaf.body.as_str(),
            attachments: leaf.attachments,
        };
        let row = DocRow {
            id,
            rev: leaf.rev,
            seq: leaf.seq,
            conflicts,
            winner: Some(winner),
        };
        write_row(
            &self.db,
            &self.range,
            self.inline_bytes_max,
            &mut self.writer,
            out,
            &row,
        )
    }
}

fn write_row(
    db: &Database,
    range: &DocsRange,
    inline_bytes_max: u64,
    writer: &mut Writer,
    out: &mut Vec<u8>,
    row: &DocRow<'_>,
) -> Result<(), Error> {
    let winner = row.winner.as_ref().filter(|_| range.include_docs);
    let Some(winner) = winner else {
        writer.row(out, row.id, &row.rev, None);
        return Ok(());
    };
    let leaves: Vec<(Rev, bool)> = std::iter::once(&row.rev)
        .chain(&row.conflicts)
        .map(|rev| (rev.clone(), false))
        .collect();
    let doc = RowDoc {
        id: row.id,
        leaves: &leaves,
        winner,
        conflicts: range.conflicts,
        att_encoding_info: range.att_encoding_info,
    };
    let forms = if range.attachments {
        doc.inline(db, inline_bytes_max)?
    } else {
        Vec::new()
    };
    writer.row(out, row.id, &row.rev, Some(&mut |out| doc.write(out, &forms)));
    Ok(())
}

fn count_designs(db: &Database) -> Result<u64> {
    let mut scan = DocsScan {
        start: Some(DESIGNS.0.to_owned()),
        after_start: false,
        end: Some(DESIGNS.1.to_owned()),
        inclusive_end: false,
        descending: false,
        bodies: false,
        limit: usize::MAX,
    };
    let mut count = 0;
    loop {
        let end = db.all_docs(&scan, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        let (false, Some(last)) = (end.done, end.last) else {
            return Ok(count);
        };
        scan.start = Some(last);
        scan.after_start = true;
    }
}
