//! Rows that wait for a function of a design document to judge them, a chunk of them in one call.

use crate::error::{Error, Result};
use crate::show;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::attachment::Attachment;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_query::Filter;
use trunkline_store::{ChangeRow, Database, Want, WantRevs, WinnerBody};
use trunkline_wire::document::{self, Pieces, Shown};

/// A filter function and what it is told of the request.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    filter: Arc<Filter>,
    /// JSON text.
    request: Arc<str>,
}

/// A row with what it takes to show it.
pub(super) struct Held {
    pub(super) seq: Seq,
    pub(super) id: String,
    /// Winner first.
    pub(super) leaves: Vec<(Rev, bool)>,
    pub(super) body: String,
    pub(super) attachments: Vec<Attachment>,
}

/// Rows and the documents to be judged for them.
#[derive(Default)]
pub(super) struct Docket {
    pub(super) rows: Vec<Held>,
    docs: Vec<Vec<u8>>,
    /// For each document its row and its revision.
    of: Vec<(usize, Rev)>,
    /// Of the documents.
    bytes: usize,
}

/// Bytes of documents that are judged in one call: of a chunk's rows, unless they have many leaves.
const JUDGED_BYTES: usize = 2 * SCAN_CHUNK_BYTES;

impl Judge {
    pub(super) fn new(filter: Filter, request: String) -> Judge {
        Judge {
            filter: Arc::new(filter),
            request: request.into(),
        }
    }

    /// The revisions that pass, row by row.
    pub(super) fn verdicts(&self, docket: &Docket) -> Result<Vec<Vec<Rev>>> {
        let mut passing = vec![Vec::new(); docket.rows.len()];
        if docket.docs.is_empty() {
            return Ok(passing);
        }
        let texts: std::result::Result<Vec<&str>, _> =
            docket.docs.iter().map(|doc| std::str::from_utf8(doc)).collect();
        let texts = texts.map_err(|_| Error::Internal("a document that is no text".to_owned()))?;
        let verdicts = self.filter.takes(&texts, &self.request)?;
        for ((row, rev), passes) in docket.of.iter().zip(verdicts) {
            if let Some(revs) = passing.get_mut(*row).filter(|_| passes) {
                revs.push(rev.clone());
            }
        }
        Ok(passing)
    }
}

impl Docket {
    /// Holds a row, with its winner to be judged or, with `all_leaves` (`style=all_docs`), every leaf by its own body.
    /// Breaks when there is enough to be judged at once.
    pub(super) fn hold(
        &mut self,
        db: &Database,
        row: ChangeRow<'_>,
        all_leaves: bool,
    ) -> Result<ControlFlow<()>> {
        let Some(WinnerBody { body, attachments }) = row.winner else {
            return Ok(ControlFlow::Continue(()));
        };
        let (at, id) = (self.rows.len(), row.id);
        let leaves: Vec<(Rev, bool)> = row.leaves.collect();
        if all_leaves && leaves.len() > 1 {
            let wants = [Want {
                id: id.to_owned(),
                revs: WantRevs::All,
            }];
            let found = db.bulk_get(&wants)?.into_iter().next().flatten();
            for leaf in found.into_iter().flat_map(|found| found.leaves) {
                self.judged(at, leaf.rev.clone(), show::pieces(id, &leaf));
            }
        } else if let Some((rev, deleted)) = leaves.first() {
            let pieces = Pieces {
                id,
                rev,
                deleted: *deleted,
                body,
                attachments: &attachments,
            };
            self.judged(at, rev.clone(), pieces);
        }
        self.rows.push(Held {
            seq: row.seq,
            id: id.to_owned(),
            leaves,
            body: body.to_owned(),
            attachments,
        });
        Ok(match self.bytes < JUDGED_BYTES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    }

    fn judged(&mut self, at: usize, rev: Rev, pieces: Pieces<'_>) {
        let doc = spelled(pieces);
        self.bytes += doc.len();
        self.docs.push(doc);
        self.of.push((at, rev));
    }
}

fn spelled(pieces: Pieces<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(pieces.body.len() + 128);
    document::write(&mut text, pieces, &[], &Shown::default());
    text
}
