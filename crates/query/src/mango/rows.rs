//! Going through the rows of an index.

use super::bookmark::Bookmark;
use super::documents::within;
use super::plan::{Plan, Source};
use super::search::{Each, Hit, Page};
use super::shape::Shape;
use crate::Error;
use crate::view::Places;
use crate::view_index::ViewIndex;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::json::{self, JsonError};
use trunkline_store::{Database, Want, WantRevs};

/// Rows still to be looked at.
pub(super) struct IndexRows {
    /// As the one sees it who asks.
    db: Database,
    index: Arc<ViewIndex>,
    places: Places,
    begun: bool,
    done: bool,
    /// So many rows are read next, even if fewer are wanted.
    at_once: usize,
    /// With it no document is read: the columns, and a document of them.
    covering: Option<(Vec<String>, Shape)>,
}

/// Rows that are read from one snapshot.
const ROWS_PER_CHUNK: usize = 256;

/// Documents that are in memory at once.
const DOCUMENTS_AT_ONCE: usize = 16;

/// A row, copied.
struct Found {
    place: Vec<u8>,
    id: String,
    key: String,
}

impl IndexRows {
    pub(super) fn new(
        db: &Database,
        index: Arc<ViewIndex>,
        plan: &Plan,
        behind: Option<&Bookmark>,
    ) -> Option<IndexRows> {
        let Source::Index {
            index: of,
            places,
            covering,
            ..
        } = &plan.source
        else {
            return None;
        };
        let mut places = Places {
            range: places.clone(),
            descending: plan.descending,
            // They are not grouped.
            keys_from: 0,
        };
        if let Some(Bookmark::Row(_, place)) = behind {
            if !places.range.contains(place) {
                return None;
            }
            places.go_on_behind(place);
        }
        let columns = of.columns().to_vec();
        // Whether a document is seen, only the document tells.
        let covering = match *covering && db.is_whole() {
            true => Some((columns.clone(), shape_of(&columns)?)),
            false => None,
        };
        Some(IndexRows {
            db: db.clone(),
            index,
            places,
            begun: false,
            done: false,
            at_once: 1,
            covering,
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn chunk(&mut self, page: &mut Page, each: &mut Each<'_>) -> Result<(), Error> {
        let wanted = page.results_left().saturating_add(page.skip);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let most = wanted.max(self.at_once).min(ROWS_PER_CHUNK);
        // Rows that do not match are gone through in ever longer strides.
        self.at_once = most * 2;
        let found = self.read(most)?;
        self.begun = true;
        let before = page.stats.docs;
        let shown = match self.covering.take() {
            Some((columns, shape)) => {
                let shown = self.show_keys(&found, (&columns, &shape), page, each);
                self.covering = Some((columns, shape));
                shown
            }
            None => self.show_documents(&found, page, each)?,
        };
        self.done = found.len() < most && shown == found.len();
        if let Some(last) = found.iter().take(shown).next_back() {
            self.places.go_on_behind(&last.place);
        }
        page.stats.keys += match self.db.is_whole() {
            true => shown as u64,
            // How many rows are of documents of others is not told.
            false => page.stats.docs - before,
        };
        Ok(())
    }

    fn read(&self, most: usize) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        let Some(snapshot) = self.index.snapshot()? else {
            // It may never have been built, but what has begun is not cut short.
            return if self.begun {
                Err(Error::Damaged)
            } else {
                Ok(found)
            };
        };
        let keys = self.covering.is_some();
        self.index.rows(&snapshot, &self.places, 0, &mut |row| {
            found.push(Found {
                place: row.place.to_vec(),
                id: row.id(),
                key: if keys {
                    String::from_utf8_lossy(row.key).into_owned()
                } else {
                    String::new()
                },
            });
            match found.len() < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(found)
    }

    /// Answers how many rows are done with.
    fn show_documents(&self, found: &[Found], page: &mut Page, each: &mut Each<'_>) -> Result<usize, Error> {
        let mut shown = 0;
        for some in found.chunks(DOCUMENTS_AT_ONCE) {
            if page.is_full() {
                break;
            }
            let want = |row: &Found| Want {
                id: row.id.clone(),
                revs: WantRevs::Winner,
            };
            let wants: Vec<Want> = some.iter().map(want).collect();
            let documents = within(&self.db, &wants)?;
            let read = documents.len();
            for (row, document) in some.iter().zip(documents) {
                if page.pauses() {
                    return Ok(shown);
                }
                shown += 1;
                // Of a document that was deleted since, the index has a row until it is brought up to date.
                page.offer_found(&row.id, document, || self.bookmark(row.place.clone()), each);
            }
            if read < some.len() && !page.is_full() {
                return Ok(shown);
            }
        }
        Ok(found.len())
    }

    /// Answers how many rows are done with.
    fn show_keys(
        &self,
        found: &[Found],
        covering: (&[String], &Shape),
        page: &mut Page,
        each: &mut Each<'_>,
    ) -> usize {
        for (shown, row) in found.iter().enumerate() {
            if page.pauses() {
                return shown;
            }
            self.show_key(row, covering, page, each);
        }
        found.len()
    }

    fn show_key(
        &self,
        row: &Found,
        (columns, whole): (&[String], &Shape),
        page: &mut Page,
        each: &mut Each<'_>,
    ) {
        let mut id = Vec::new();
        json::quote(&row.id, &mut id);
        let id = String::from_utf8(id).unwrap_or_default();
        let mut values = Vec::with_capacity(columns.len());
        let _ = json::elements(&row.key, |value| {
            values.push(value);
            Ok::<_, JsonError>(())
        });
        let find = |name: &str| {
            let place = columns.iter().position(|column| column == name);
            match place.and_then(|place| values.get(place)) {
                Some(value) => Some(*value),
                None if name == "_id" => Some(id.as_str()),
                None => None,
            }
        };
        let mut doc = Vec::new();
        whole.write(&mut doc, &|path| find(path.name()));
        let text = std::str::from_utf8(&doc).unwrap_or_default();
        if page.is_full() {
            return;
        }
        let judged = page.selector.judge_text(text, &page.work);
        if !page.verdict(judged) || !page.takes() {
            return;
        }
        match &page.shown.shape() {
            Some(shape) => {
                let mut out = Vec::new();
                shape.write(&mut out, &|path| find(path.name()));
                each(Hit::Fields(&out));
            }
            None => each(Hit::Fields(&doc)),
        }
        page.took(doc.len(), self.bookmark(row.place.clone()));
    }

    fn bookmark(&self, place: Vec<u8>) -> Bookmark {
        Bookmark::Row(self.index.design().signature, place)
    }
}

/// A document of the columns and the id.
fn shape_of(columns: &[String]) -> Option<Shape> {
    let mut fields = vec!["_id".to_owned()];
    fields.extend(columns.iter().cloned());
    Shape::new(&fields).ok()
}
