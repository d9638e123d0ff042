//! Going through documents by id, where no index helps.

use super::bookmark::Bookmark;
use super::search::{Each, Page};
use crate::Error;
use std::ops::ControlFlow;
use trunkline_store::{Database, DocsScan};
use trunkline_wire::document::Pieces;

/// Documents still to be looked at.
pub(super) struct Documents {
    db: Database,
    /// `None` at the end.
    scan: Option<DocsScan>,
}

/// Begins the id of a design document: Mango finds none.
const DESIGN: &str = "_design/";

impl Documents {
    pub(super) fn new(db: &Database, mut scan: DocsScan, behind: Option<&Bookmark>) -> Documents {
        if let Some(Bookmark::Document(id)) = behind {
            let further = scan.start.as_ref().is_none_or(|start| match scan.descending {
                true => id <= start,
                false => id >= start,
            });
            if further {
                (scan.start, scan.after_start) = (Some(id.clone()), true);
            }
        }
        Documents {
            db: db.clone(),
            scan: Some(scan),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.scan.is_none()
    }

    pub(super) fn chunk(&mut self, page: &mut Page, each: &mut Each<'_>) -> Result<(), Error> {
        let Some(mut scan) = self.scan.take() else {
            return Ok(());
        };
        let end = self.db.all_docs(&scan, &mut |row| {
            if row.id.starts_with(DESIGN) {
                return ControlFlow::Continue(());
            }
            if let Some(winner) = &row.winner {
                let doc = Pieces {
                    id: row.id,
                    rev: &row.rev,
                    deleted: false,
                    body: winner.body,
                    attachments: &winner.attachments,
                };
                page.offer(
                    doc,
                    &row.conflicts,
                    || Bookmark::Document(row.id.to_owned()),
                    each,
                );
            }
            if page.is_full() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let (false, false, Some(last)) = (end.done, page.is_full(), end.last) {
            (scan.start, scan.after_start) = (Some(last), true);
            self.scan = Some(scan);
        }
        Ok(())
    }
}
