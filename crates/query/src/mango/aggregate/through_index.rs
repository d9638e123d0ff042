//! Going through the rows of an index, and the documents that they are of unless the rows tell everything.

use super::{Asked, SCAN_SPEED};
use crate::Error;
use crate::index::Snapshot;
use crate::mango::plan::{Plan, Source};
use crate::mango::search::{Stats, live};
use crate::mango::shape::Shape;
use crate::view::Places;
use crate::view_index::ViewIndex;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::aggregate::Fold;
use trunkline_core::json::{self, JsonError};
use trunkline_store::{Want, WantRevs};
use trunkline_wire::document::Pieces;

/// Rows still to be looked at.
pub(super) struct ThroughIndex {
    index: Arc<ViewIndex>,
    snapshot: Arc<Snapshot>,
    places: Places,
    fold: Fold,
    /// With it no document is read.
    covering: Option<Covering>,
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
/// Documents that are in memory at once.
const DOCUMENTS_AT_ONCE: usize = 16;

impl ThroughIndex {
    /// `None` when there is no such index.
    pub(super) fn new(
        asked: &Asked,
        index: Arc<ViewIndex>,
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
        let Some(snapshot) = index.snapshot()? else {
            return Ok(None);
        };
        let columns = of.columns().to_vec();
        let shape = Shape::new(&[&["_id".to_owned()], columns.as_slice()].concat()).ok();
        let covering = shape
            .filter(|_| *covering)
            .map(|shape| Covering { columns, shape });
        Ok(Some(ThroughIndex {
            index,
            snapshot,
            places: Places {
                range: places.clone(),
                descending: false,
                keys_from: 0,
            },
            fold: asked.fold(),
            covering,
        }))
    }

    /// Whether that is sooner done than to read all documents.
    pub(super) fn is_shorter(&self, asked: &Asked) -> bool {
        let rows = self.snapshot.count(&self.places.range).unwrap_or(u64::MAX);
        let documents = asked.db.info().map_or(u64::MAX, |info| info.doc_count);
        self.covering.is_some() || rows.saturating_mul(SCAN_SPEED) <= documents
    }

    /// Goes on; answers the fold of all at the end.
    pub(super) fn step(&mut self, asked: &Asked, stats: &mut Stats) -> Result<Option<Fold>, Error> {
        let most = match self.covering {
            Some(_) => ROWS,
            None => ROWS_OF_DOCUMENTS,
        };
        let (mut ids, mut rows, mut last) = (Vec::new(), 0, Vec::new());
        let (fold, covering) = (&mut self.fold, &self.covering);
        self.index.rows(&self.snapshot, &self.places, 0, &mut |row| {
            rows += 1;
            match covering {
                Some(covering) => {
                    covering.add(fold, asked, &row.id(), &String::from_utf8_lossy(row.key));
                }
                None => ids.push(row.id()),
            }
            match rows < most {
                true => ControlFlow::Continue(()),
                false => {
                    last = row.place.to_vec();
                    ControlFlow::Break(())
                }
            }
        })?;
        stats.keys += rows as u64;
        self.add_documents(asked, &ids, stats)?;
        asked.check(self.fold.bytes())?;
        if rows < most {
            return Ok(Some(std::mem::replace(&mut self.fold, asked.fold())));
        }
        self.places.go_on_behind(&last);
        Ok(None)
    }

    fn add_documents(&mut self, asked: &Asked, ids: &[String], stats: &mut Stats) -> Result<(), Error> {
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
                asked.offer(&mut self.fold, doc, || conflicts);
            }
        }
        Ok(())
    }
}

impl Covering {
    fn add(&self, fold: &mut Fold, asked: &Asked, id: &str, key: &str) {
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
        if asked
            .selector
            .matches_text(std::str::from_utf8(&doc).unwrap_or_default())
        {
            let fields = asked.aggregate.fields().iter();
            let found: Vec<_> = fields.map(|field| find(field.name())).collect();
            fold.add_found(id, &found);
        }
    }
}
