//! Filter functions of databases of this process, run by whoever knows how: set once, as guards of a store are.

use super::LocalPeer;
use crate::peer::{Change, PeerError, PeerErrorKind};
use crate::session::SourceFilter;
use std::sync::{Arc, OnceLock};
use trunkline_core::rev::Rev;
use trunkline_store::{ChangeRow, Database, Error, Want, WantRevs};
use trunkline_wire::document::{self, Pieces, Shown};

/// A filter function of a database, ready to be called.
#[derive(Clone)]
pub struct LocalFilter {
    /// Its source, by which replications are told apart; empty for one that the parameters name.
    pub code: String,
    /// Which documents pass: JSON texts with special members. An error is told in words.
    pub takes: Arc<Takes>,
}

/// What [`LocalFilter::takes`] is.
pub type Takes = dyn Fn(&[&str]) -> Result<Vec<bool>, String> + Send + Sync;

/// Finds a filter function. `None` where there is none, or not yet; an error, in words, for one that cannot be run.
pub type FilterMaker = fn(&Database, &SourceFilter) -> Result<Option<LocalFilter>, String>;

static MAKER: OnceLock<FilterMaker> = OnceLock::new();

impl LocalPeer {
    /// Sets, once for this process, who runs the filter functions of local sources. The first to come stays.
    pub fn set_filter_maker(maker: FilterMaker) {
        let _ = MAKER.set(maker);
    }

    /// The filter function of a database. Blocks.
    pub(super) fn filter(
        &self,
        database: &Database,
        filter: &SourceFilter,
    ) -> Result<LocalFilter, PeerError> {
        let error = |kind, reason| PeerError::new(self.name.as_str(), kind, reason);
        let Some(maker) = MAKER.get() else {
            let reason = "nothing here runs filter functions of design documents";
            return Err(error(PeerErrorKind::Invalid, reason.to_owned()));
        };
        match maker(database, filter) {
            Ok(Some(filter)) => Ok(filter),
            // It may still come, as a database may.
            Ok(None) => {
                let reason = format!("there is no filter function {}", filter.name);
                Err(error(PeerErrorKind::DatabaseMissing, reason))
            }
            Err(reason) => Err(error(PeerErrorKind::Invalid, reason)),
        }
    }
}

/// Rows of a chunk, whose documents a function judges in one call.
#[derive(Default)]
pub(super) struct Docket {
    /// Ids, and when the changes were made.
    rows: Vec<(Box<str>, u64)>,
    docs: Vec<Vec<u8>>,
    /// For each document its row and its revision.
    of: Vec<(usize, Rev)>,
    /// Of documents of rows with several leaves, which the scan does not count.
    pub(super) conflict_bytes: usize,
}

impl Docket {
    /// Holds a row with its winner to be judged, or every leaf by its own body.
    pub(super) fn hold(
        &mut self,
        database: &Database,
        row: &ChangeRow<'_>,
        main_only: bool,
    ) -> Result<(), Error> {
        let mut leaves = row.leaves.clone();
        let (Some((rev, deleted)), Some(winner)) = (leaves.next(), &row.winner) else {
            return Ok(());
        };
        let at = self.rows.len();
        self.rows
            .push((row.id.into(), row.time_ms.saturating_sub(row.age_ms)));
        if main_only || leaves.next().is_none() {
            self.spell(at, row.id, &rev, deleted, winner.body, &winner.attachments);
            return Ok(());
        }
        let want = Want {
            id: row.id.to_owned(),
            revs: WantRevs::All,
        };
        let found = database.bulk_get(&[want])?.into_iter().flatten();
        for leaf in found.flat_map(|found| found.leaves) {
            self.spell(
                at,
                row.id,
                &leaf.rev,
                leaf.deleted,
                leaf.body.as_str(),
                &leaf.attachments,
            );
            self.conflict_bytes += self.docs.last().map_or(0, Vec::len);
        }
        Ok(())
    }

    fn spell(
        &mut self,
        at: usize,
        id: &str,
        rev: &Rev,
        deleted: bool,
        body: &str,
        attachments: &[trunkline_core::attachment::Attachment],
    ) {
        let pieces = Pieces {
            id,
            rev,
            deleted,
            body,
            attachments,
        };
        let mut text = Vec::with_capacity(body.len() + 128);
        document::write(&mut text, pieces, &[], &Shown::default());
        self.docs.push(text);
        self.of.push((at, rev.clone()));
    }

    /// The rows of which something passes, and when the oldest of their changes was made.
    pub(super) fn judged(self, filter: &LocalFilter) -> Result<(Vec<Change>, Option<u64>), String> {
        let texts: Result<Vec<&str>, _> = self.docs.iter().map(|doc| std::str::from_utf8(doc)).collect();
        let texts = texts.map_err(|error| error.to_string())?;
        let verdicts = match texts.is_empty() {
            true => Vec::new(),
            false => (filter.takes)(&texts)?,
        };
        let mut passing = vec![Vec::new(); self.rows.len()];
        for ((at, rev), passes) in self.of.into_iter().zip(verdicts) {
            if let Some(revs) = passing.get_mut(at).filter(|_| passes) {
                revs.push(rev);
            }
        }
        let rows = self
            .rows
            .into_iter()
            .zip(passing)
            .filter(|(_, revs)| !revs.is_empty());
        let mut oldest_ms = None;
        let mut change = |((id, origin_ms), revs)| {
            oldest_ms = Some(oldest_ms.map_or(origin_ms, |oldest: u64| oldest.min(origin_ms)));
            Change {
                id,
                revs,
                odd_revs: Vec::new(),
                docs: Vec::new(),
            }
        };
        let changes = rows.map(&mut change).collect();
        Ok((changes, oldest_ms))
    }
}
