//! Going through the rows of an index, and the documents that they are of unless the rows tell everything.
//!
//! The index may be a little behind the moment that is asked about. Documents that changed in between are looked at
//! themselves, and their rows are passed over.

use super::{Asked, SCAN_SPEED};
use crate::Error;
use crate::build;
use crate::index::{IndexState, Snapshot};
use crate::mango::plan::{Plan, Source};
use crate::mango::search::{Stats, live};
use crate::mango::shape::Shape;
use crate::view::Places;
use crate::view_index::ViewIndex;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::aggregate::Fold;
use trunkline_core::json::{self, JsonError};
use trunkline_core::selector::{TooMuchWork, Work};
use trunkline_store::{ChangesScan, Want, WantRevs};
use trunkline_wire::document::Pieces;

/// Rows still to be looked at.
pub(super) struct ThroughIndex {
    index: Arc<ViewIndex>,
    snapshot: Arc<Snapshot>,
    places: Places,
    fold: Fold,
    /// Documents that changed behind the index.
    changed: HashSet<String>,
    /// With it no document is read.
    covering: Option<Covering>,
    /// Rows of the next step, where it reads documents: fewer where each takes long.
    at_once: usize,
}

/// What rows tell.
struct Covering {
    columns: Vec<String>,
    /// A document of the columns and the id, for the selector.
    shape: Shape,
}

/// Rows of a step that reads no documents, and of one that does.
const ROWS: usize = 16_384;
const ROWS_OF_DOCUMENTS: usize = 1024;
/// Documents that may have changed behind the index: to go through all costs little more then.
const CHANGED_MAX: usize = 4096;
/// Documents that are in memory at once.
const DOCUMENTS_AT_ONCE: usize = 16;

impl ThroughIndex {
    /// `None` when there is no such index, or it is too far behind.
    pub(super) fn new(
        asked: &Asked,
        (index, snapshot): (Arc<ViewIndex>, Arc<Snapshot>),
        plan: &Plan,
    ) -> Result<Option<ThroughIndex>, Error> {
        let Source::Index {
            index: of,
            places,
            covering,
            ..
        } = &plan.source
        else {
            return Ok(None);
        };
        let (mut fold, mut changed) = (asked.fold(), HashSet::new());
        if !behind(asked, snapshot.state(), &mut fold, &mut changed)? {
            return Ok(None);
        }
        let columns = of.columns().to_vec();
        let shape = Shape::new(&[&["_id".to_owned()], columns.as_slice()].concat()).ok();
        let covering = shape
            .filter(|_| *covering && asked.db.is_whole())
            .map(|shape| Covering { columns, shape });
        Ok(Some(ThroughIndex {
            index,
            snapshot,
            places: Places {
                range: places.clone(),
                descending: false,
                keys_from: 0,
            },
            fold,
            changed,
            covering,
            at_once: DOCUMENTS_AT_ONCE,
        }))
    }

    /// Whether that is sooner done than to read all documents.
    pub(super) fn is_shorter(&self, asked: &Asked) -> bool {
        let rows = self.snapshot.count(&self.places.range).unwrap_or(u64::MAX);
        let documents = asked.db.whole().info().map_or(u64::MAX, |info| info.doc_count);
        self.covering.is_some() || rows.saturating_mul(SCAN_SPEED) <= documents
    }

    /// Goes on; answers the fold of all at the end.
    pub(super) fn step(&mut self, asked: &Asked, stats: &mut Stats) -> Result<Option<Fold>, Error> {
        let most = match self.covering {
            Some(_) => ROWS,
            None => self.at_once,
        };
        let work = Work::default();
        let mut failed = None;
        let mut more = false;
        let (mut ids, mut rows, mut last) = (Vec::new(), 0, Vec::new());
        let (fold, covering, changed) = (&mut self.fold, &self.covering, &self.changed);
        self.index.rows(&self.snapshot, &self.places, 0, &mut |row| {
            rows += 1;
            let id = row.id();
            match covering {
                _ if changed.contains(&id) => {}
                Some(covering) => {
                    let key = String::from_utf8_lossy(row.key);
                    if let Err(too_much) = covering.add(fold, asked, (&id, &key), &work) {
                        failed = Some(too_much);
                    }
                }
                None => ids.push(id),
            }
            more = rows >= most || work.is_enough();
            match more {
                false => ControlFlow::Continue(()),
                true => {
                    last = row.place.to_vec();
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        let before = stats.docs;
        self.add_documents(asked, &ids, stats, &work)?;
        self.at_once = match work.is_enough() {
            true => DOCUMENTS_AT_ONCE,
            false => ROWS_OF_DOCUMENTS.min(self.at_once * 4),
        };
        stats.keys += match asked.db.is_whole() {
            true => rows as u64,
            // How many rows are of documents of others is not told.
            false => stats.docs - before,
        };
        asked.check(self.fold.bytes())?;
        if !more {
            return Ok(Some(std::mem::replace(&mut self.fold, asked.fold())));
        }
        self.places.go_on_behind(&last);
        Ok(None)
    }

    fn add_documents(
        &mut self,
        asked: &Asked,
        ids: &[String],
        stats: &mut Stats,
        work: &Work,
    ) -> Result<(), Error> {
        for some in ids.chunks(DOCUMENTS_AT_ONCE) {
            let want = |id: &String| Want {
                id: id.clone(),
                revs: WantRevs::Winner,
            };
            let wants: Vec<Want> = some.iter().map(want).collect();
            for (id, found) in some.iter().zip(asked.db.bulk_get(&wants)?) {
                let Some((leaf, conflicts)) = found.and_then(live) else {
                    continue;
                };
                stats.docs += 1;
                let doc = Pieces {
                    id,
                    rev: &leaf.rev,
                    deleted: false,
                    body: leaf.body.as_str(),
                    attachments: &leaf.attachments,
                };
                asked.offer(&mut self.fold, doc, || conflicts, work)?;
            }
        }
        Ok(())
    }
}

/// Looks at the documents that changed since an index was brought up to date. `false` when that are too many, or some
/// were purged.
fn behind(
    asked: &Asked,
    state: &IndexState,
    fold: &mut Fold,
    changed: &mut HashSet<String>,
) -> Result<bool, Error> {
    let now = build::state_of(&asked.db)?;
    let is_before =
        state.database == now.database && state.purge_seq == now.purge_seq && state.seq <= now.seq;
    let mut since = state.seq;
    let mut failed = None;
    while is_before && since < now.seq {
        let scan = ChangesScan {
            since,
            until: now.seq,
            descending: false,
            bodies: true,
            limit: CHANGED_MAX,
        };
        let end = asked.db.changes(&scan, &mut |row| {
            // All that may have changed are few: their work is counted for each alone.
            if let Err(too_much) = asked.look(fold, &row, &Work::default()) {
                failed = Some(too_much);
                return ControlFlow::Break(());
            }
            changed.insert(row.id.to_owned());
            ControlFlow::Continue(())
        })?;
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        match end.last {
            Some(last) if !end.done => since = last,
            _ => break,
        }
        if changed.len() >= CHANGED_MAX {
            return Ok(false);
        }
    }
    Ok(is_before)
}

impl Covering {
    fn add(
        &self,
        fold: &mut Fold,
        asked: &Asked,
        (id, key): (&str, &str),
        work: &Work,
    ) -> Result<(), TooMuchWork> {
        let mut quoted = Vec::new();
        json::quote(id, &mut quoted);
        let quoted = String::from_utf8(quoted).unwrap_or_default();
        let mut values = Vec::with_capacity(self.columns.len());
        let _ = json::elements(key, |value| {
            values.push(value);
            Ok::<_, JsonError>(())
        });
        let find = |name: &str| {
            let place = self.columns.iter().position(|column| column == name);
            match place.and_then(|place| values.get(place)) {
                Some(value) => Some(*value),
                None if name == "_id" => Some(quoted.as_str()),
                None => None,
            }
        };
        let mut doc = Vec::new();
        self.shape.write(&mut doc, &|path| find(path.name()));
        let text = std::str::from_utf8(&doc).unwrap_or_default();
        if asked.selector.judge_text(text, work)? {
            let fields = asked.aggregate.fields().iter();
            let found: Vec<_> = fields.map(|field| find(field.name())).collect();
            fold.add_found(id, &found);
        }
        Ok(())
    }
}
