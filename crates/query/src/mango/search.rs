//! Going through what a plan names, chunk by chunk; nothing is held between two chunks.

use super::bookmark::Bookmark;
use super::documents::Documents;
use super::plan::{Plan, Source};
use super::rows::IndexRows;
use super::shape::Shape;
use crate::Error;
use crate::view_index::ViewIndex;
use std::sync::Arc;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_core::selector::{InvalidSelector, Selector, TooMuchWork, Work};
use trunkline_store::{Database, Found, Leaf};
use trunkline_wire::document::{self, Pieces};

/// A query on its way.
pub struct Search {
    source: Going,
    page: Page,
}

/// What is gone through.
enum Going {
    Documents(Documents),
    Rows(IndexRows),
    Nothing,
}

/// How documents are shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    shape: Option<Shape>,
    conflicts: bool,
}

/// What it took so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows of an index.
    pub keys: u64,
    /// Documents.
    pub docs: u64,
    /// What was shown.
    pub results: u64,
}

/// Which of the matches are shown.
pub(super) struct Page {
    pub(super) selector: Selector,
    pub(super) shown: Shown,
    pub(super) skip: u64,
    pub(super) limit: u64,
    pub(super) last: Option<Bookmark>,
    pub(super) stats: Stats,
    /// What the chunk took so far.
    pub(super) work: Work,
    /// Bytes of the documents that this chunk shows.
    shown_bytes: usize,
    /// The document that it fails at.
    failed: Option<TooMuchWork>,
}

/// A match, to be shown.
pub(super) enum Hit<'a> {
    /// A document, and what writes it as it is asked for.
    Document(Pieces<'a>, &'a dyn Fn(&mut Vec<u8>)),
    /// JSON text of what an index has of it.
    Fields(&'a [u8]),
}

/// Is shown each result.
pub(super) type Each<'a> = dyn FnMut(Hit<'_>) + 'a;

impl Shown {
    /// These fields, all when there are none; with `_conflicts` or without.
    pub fn new(fields: &[String], conflicts: bool) -> Result<Shown, InvalidSelector> {
        let shape = Some(Shape::new(fields)?).filter(|_| !fields.is_empty());
        Ok(Shown { shape, conflicts })
    }

    pub(super) fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }
}

impl Search {
    /// Begins it, behind a bookmark if one is given; `None` when that is no bookmark of this query. `index` is the plan's.
    pub fn new(
        db: &Database,
        index: Option<Arc<ViewIndex>>,
        selector: Selector,
        plan: &Plan,
        shown: Shown,
        bookmark: Option<&str>,
    ) -> Option<Search> {
        let signature = match &plan.source {
            Source::Documents(_) => None,
            Source::Index { index, .. } => Some(index.design.signature),
        };
        let bookmark = match bookmark {
            Some(text) => Some(Bookmark::parse(text, signature)?),
            None => None,
        };
        let source = match (&plan.source, index) {
            _ if plan.nothing => Going::Nothing,
            (Source::Documents(ids), _) => {
                Going::Documents(Documents::new(db, ids.scan(plan.descending), bookmark.as_ref()))
            }
            (Source::Index { .. }, None) => Going::Nothing,
            (Source::Index { .. }, Some(index)) => {
                Going::Rows(IndexRows::new(db, index, plan, bookmark.as_ref())?)
            }
        };
        let mut page = Page::new(selector, (0, u64::MAX));
        page.shown = shown;
        page.last = bookmark;
        Some(Search { source, page })
    }

    /// Leaves out the first matches, and those behind so many.
    pub fn page(mut self, skip: u64, limit: u64) -> Search {
        self.page.skip = skip;
        self.page.limit = limit;
        self
    }

    /// Whether all is shown.
    pub fn is_done(&self) -> bool {
        self.page.limit == self.page.stats.results
            || match &self.source {
                Going::Documents(documents) => documents.is_done(),
                Going::Rows(rows) => rows.is_done(),
                Going::Nothing => true,
            }
    }

    /// Goes on for some milliseconds, and shows what is found; JSON texts.
    pub fn chunk(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let mut text = Vec::new();
        self.hits(&mut |hit| match hit {
            Hit::Document(_, write) => {
                text.clear();
                write(&mut text);
                each(&text);
            }
            Hit::Fields(text) => each(text),
        })
    }

    /// The same, and shows documents as they are stored. Of a question for fields there may be none to show.
    pub fn documents(&mut self, each: &mut dyn FnMut(Pieces<'_>)) -> Result<(), Error> {
        self.hits(&mut |hit| match hit {
            Hit::Document(doc, _) => each(doc),
            Hit::Fields(_) => {}
        })
    }

    fn hits(&mut self, each: &mut Each<'_>) -> Result<(), Error> {
        self.page.work = Work::default();
        self.page.shown_bytes = 0;
        match &mut self.source {
            Going::Documents(documents) => documents.chunk(&mut self.page, each)?,
            Going::Rows(rows) => rows.chunk(&mut self.page, each)?,
            Going::Nothing => {}
        }
        match self.page.failed.take() {
            Some(failed) => Err(failed.into()),
            None => Ok(()),
        }
    }

    /// Where it is: `nil` when nothing was shown.
    pub fn bookmark(&self) -> String {
        let last = self.page.last.as_ref().filter(|_| self.page.stats.results > 0);
        last.map_or_else(|| "nil".to_owned(), Bookmark::text)
    }

    /// What it took.
    pub fn stats(&self) -> Stats {
        self.page.stats
    }
}

impl Page {
    pub(super) fn new(selector: Selector, (skip, limit): (u64, u64)) -> Page {
        Page {
            selector,
            shown: Shown::default(),
            skip,
            limit,
            last: None,
            stats: Stats::default(),
            work: Work::default(),
            shown_bytes: 0,
            failed: None,
        }
    }

    /// How many may still be shown.
    pub(super) fn results_left(&self) -> u64 {
        self.limit.saturating_sub(self.stats.results)
    }

    pub(super) fn is_full(&self) -> bool {
        self.stats.results >= self.limit
    }

    /// Whether the chunk is to end here, be there more or not.
    pub(super) fn pauses(&self) -> bool {
        self.work.is_enough() || self.shown_bytes >= SCAN_CHUNK_BYTES || self.failed.is_some()
    }

    /// Whether a document matches; at the first that takes too much work it fails.
    pub(super) fn verdict(&mut self, judged: Result<bool, TooMuchWork>) -> bool {
        judged.unwrap_or_else(|failed| {
            self.failed = Some(failed);
            false
        })
    }

    /// Whether a match is to be shown.
    pub(super) fn takes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        !self.is_full()
    }

    /// Counts a match of so many bytes that was shown.
    pub(super) fn took(&mut self, bytes: usize, place: Bookmark) {
        self.stats.results += 1;
        self.shown_bytes = self.shown_bytes.saturating_add(bytes);
        self.last = Some(place);
    }

    /// Shows a document if it matches, and if its turn has come.
    pub(super) fn offer(
        &mut self,
        doc: Pieces<'_>,
        conflicts: &[Rev],
        place: impl FnOnce() -> Bookmark,
        each: &mut Each<'_>,
    ) {
        self.stats.docs += 1;
        let leaves = || {
            let all = std::iter::once(doc.rev).chain(conflicts);
            all.map(|rev| (rev.clone(), false)).collect::<Vec<_>>()
        };
        let attached = || document::attached(doc, &leaves());
        let judged = self
            .selector
            .judge(doc.id, doc.rev, doc.deleted, doc.body, attached, &self.work);
        if !self.verdict(judged) || !self.takes() {
            return;
        }
        let leaves = leaves();
        let Shown { shape, conflicts } = &self.shown;
        each(Hit::Document(doc, &|out| {
            let shown = document::Shown {
                leaves: &leaves,
                conflicts: *conflicts,
                ..document::Shown::default()
            };
            let Some(shape) = shape else {
                document::write(out, doc, &[], &shown);
                return;
            };
            let mut whole = Vec::new();
            document::write(&mut whole, doc, &[], &shown);
            let text = std::str::from_utf8(&whole).unwrap_or_default();
            shape.write(out, &|path| path.find(text));
        }));
        self.took(doc.body.len(), place());
    }

    /// [`Page::offer`] of the winner that was found for an id, unless it is deleted.
    pub(super) fn offer_found(
        &mut self,
        id: &str,
        found: Option<Found>,
        place: impl FnOnce() -> Bookmark,
        each: &mut Each<'_>,
    ) {
        let Some((leaf, conflicts)) = found.filter(|_| !self.is_full()).and_then(live) else {
            return;
        };
        let doc = Pieces {
            id,
            rev: &leaf.rev,
            deleted: false,
            body: leaf.body.as_str(),
            attachments: &leaf.attachments,
        };
        self.offer(doc, &conflicts, place, each);
    }
}

/// The winner that was found, unless it is deleted, and its conflicts.
pub(super) fn live(found: Found) -> Option<(Leaf, Vec<Rev>)> {
    let leaf = found.leaves.into_iter().next().filter(|leaf| !leaf.deleted)?;
    let others = found.revs.leaves().into_iter().skip(1);
    let conflicts = others.filter(|(_, state)| !state.deleted);
    Some((leaf, conflicts.map(|(rev, _)| rev.clone()).collect()))
}
