//! Going through a range of documents by id, unless it turns out to be long: then through all as they lie.

use super::{Asked, Going, SCAN_SPEED, Scan};
use crate::Error;
use crate::mango::bounds::Ids;
use crate::mango::documents::DESIGN;
use crate::mango::search::Stats;
use std::ops::ControlFlow;
use trunkline_core::aggregate::Fold;
use trunkline_core::limits::SWEEP_WORTH_DOCUMENTS;
use trunkline_core::selector::Work;
use trunkline_store::DocsScan;
use trunkline_wire::document::Pieces;

/// Documents still to be looked at.
pub(super) struct ById {
    scan: DocsScan,
    fold: Fold,
    /// So many, and no more.
    patience: u64,
}

/// Chunks that are read in one step.
const CHUNKS: usize = 16;

impl ById {
    pub(super) fn new(asked: &Asked, ids: &Ids) -> Result<ById, Error> {
        let documents = asked.db.whole().info()?.doc_count;
        Ok(ById {
            scan: ids.scan(false),
            fold: asked.fold(),
            patience: SWEEP_WORTH_DOCUMENTS.max(documents / SCAN_SPEED),
        })
    }

    /// Goes on; answers what comes behind it.
    pub(super) fn step(&mut self, asked: &Asked, stats: &mut Stats) -> Result<Option<Going>, Error> {
        let (work, mut failed) = (Work::default(), None);
        for _ in 0..CHUNKS {
            let end = asked.db.all_docs(&self.scan, &mut |row| {
                let Some(winner) = row.winner.filter(|_| !row.id.starts_with(DESIGN)) else {
                    return ControlFlow::Continue(());
                };
                stats.docs += 1;
                let doc = Pieces {
                    id: row.id,
                    rev: &row.rev,
                    deleted: false,
                    body: winner.body,
                    attachments: &winner.attachments,
                };
                if let Err(too_much) = asked.offer(&mut self.fold, doc, || row.conflicts, &work) {
                    failed = Some(too_much);
                }
                match failed.is_some() || work.is_enough() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
            if let Some(failed) = failed {
                return Err(failed.into());
            }
            asked.check(self.fold.bytes())?;
            let (false, Some(last)) = (end.done, end.last) else {
                let fold = std::mem::replace(&mut self.fold, asked.fold());
                return Ok(Some(Going::Done(fold)));
            };
            (self.scan.start, self.scan.after_start) = (Some(last), true);
            if stats.docs > self.patience {
                return Ok(Some(Going::Scan(Scan::new(asked)?)));
            }
            if work.is_enough() {
                break;
            }
        }
        Ok(None)
    }
}
