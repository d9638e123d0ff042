//! Going through documents, where no index helps: by id, and where that takes too long, as they lie.

use super::bookmark::Bookmark;
use super::search::{Each, Page};
use super::sweep::Sweep;
use crate::Error;
use std::ops::ControlFlow;
use trunkline_core::limits::{SCAN_CHUNK_BYTES, SWEEP_RESULTS_MAX, SWEEP_WORTH_DOCUMENTS};
use trunkline_core::revtree::RevTree;
use trunkline_store::{Database, DocsScan, Found, Leaf, Want, WantRevs};
use trunkline_wire::document::Pieces;

/// Documents still to be looked at.
pub(super) struct Documents {
    db: Database,
    state: State,
    /// Documents that were looked at by id, and how many of them matched.
    looked: u64,
    matched: u64,
    /// So many documents are gone through by id in any case.
    patience: u64,
}

enum State {
    ById(DocsScan),
    Sweep(Sweep),
    /// These match, or did; the next one last. Behind them goes on what is left.
    Listed(Vec<String>, Option<DocsScan>),
    Done,
}

/// Begins the id of a design document: Mango finds none.
pub(super) const DESIGN: &str = "_design/";

/// Documents that are looked through as they lie in the time of one by id.
const SWEEP_SPEED: u64 = 4;

/// Documents that are in memory at once.
const DOCUMENTS_AT_ONCE: usize = 16;

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
        // What has two ends is taken for a small part of all that there is.
        let patience = match (&scan.start, &scan.end) {
            (Some(_), Some(_)) => u64::MAX,
            _ => SWEEP_WORTH_DOCUMENTS,
        };
        Documents {
            db: db.clone(),
            state: State::ById(scan),
            looked: 0,
            matched: 0,
            patience,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn chunk(&mut self, page: &mut Page, each: &mut Each<'_>) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::ById(scan) => self.by_id(scan, page, each),
            State::Sweep(mut sweep) => {
                page.stats.docs += sweep.step(&self.db, &page.selector)?;
                self.state = if sweep.is_done() {
                    let mut scan = sweep.ids.clone();
                    let (ids, more) = sweep.into_ids();
                    let rest = ids.first().filter(|_| more).map(|last| {
                        (scan.start, scan.after_start) = (Some(last.clone()), true);
                        scan
                    });
                    State::Listed(ids, rest)
                } else {
                    State::Sweep(sweep)
                };
                Ok(())
            }
            State::Listed(ids, rest) => self.listed(ids, rest, page, each),
            State::Done => Ok(()),
        }
    }

    fn by_id(&mut self, mut scan: DocsScan, page: &mut Page, each: &mut Each<'_>) -> Result<(), Error> {
        let (looked, left) = (page.stats.docs, page.skip.saturating_add(page.results_left()));
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
                let place = || Bookmark::Document(row.id.to_owned());
                page.offer(doc, &row.conflicts, place, each);
            }
            if page.is_full() || page.pauses() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        self.looked += page.stats.docs - looked;
        self.matched += left - page.skip.saturating_add(page.results_left());
        if let (false, false, Some(last)) = (end.done, page.is_full(), end.last) {
            (scan.start, scan.after_start) = (Some(last), true);
            self.state = match self.wants_sweep(page)? {
                Some(most) => State::Sweep(Sweep::new(&self.db, scan, most)?),
                None => State::ById(scan),
            };
        }
        Ok(())
    }

    /// Whether to look through everything is sooner done than to go on by id until so many are found.
    fn wants_sweep(&self, page: &Page) -> Result<Option<usize>, Error> {
        let wanted = page.skip.saturating_add(page.results_left());
        if self.looked < self.patience || wanted > SWEEP_RESULTS_MAX as u64 {
            return Ok(None);
        }
        let documents = self.db.whole().info()?.doc_count;
        let ahead = match self.matched {
            0 => u64::MAX,
            matched => wanted.saturating_mul(self.looked) / matched,
        };
        let ahead = ahead.min(documents.saturating_sub(self.looked));
        Ok((ahead > self.patience.saturating_add(documents / SWEEP_SPEED)).then_some(wanted as usize))
    }

    fn listed(
        &mut self,
        mut ids: Vec<String>,
        rest: Option<DocsScan>,
        page: &mut Page,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let mut next = ids.split_off(ids.len().saturating_sub(DOCUMENTS_AT_ONCE));
        let want = |id: &String| Want {
            id: id.clone(),
            revs: WantRevs::Winner,
        };
        let wants: Vec<Want> = next.iter().rev().map(want).collect();
        for (want, found) in wants.iter().zip(within(&self.db, &wants)?) {
            if page.pauses() {
                break;
            }
            next.pop();
            page.offer_found(&want.id, found, || Bookmark::Document(want.id.clone()), each);
        }
        ids.append(&mut next);
        self.state = match (ids.is_empty(), rest) {
            _ if page.is_full() => State::Done,
            (false, rest) => State::Listed(ids, rest),
            (true, Some(scan)) => State::ById(scan),
            (true, None) => State::Done,
        };
        Ok(())
    }
}

/// The first documents of those that are wanted, as many as are in memory at once.
pub(super) fn within(db: &Database, wants: &[Want]) -> Result<Vec<Option<Found>>, Error> {
    let mut weigh = |_, _: &RevTree, leaf: Option<&Leaf>| leaf.map_or(0, |leaf| leaf.body.as_str().len());
    Ok(db.bulk_get_within(wants, SCAN_CHUNK_BYTES, &mut weigh)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mango::search::{Hit, Stats};
    use trunkline_core::db_name::DbName;
    use trunkline_core::doc::{Body, Edit, InteractiveEdit};
    use trunkline_core::doc_id::DocId;
    use trunkline_core::selector::{Selector, Work};
    use trunkline_store::{Batch, Store};

    fn found(
        db: &Database,
        selector: &str,
        descending: bool,
        page: (u64, u64),
        patience: u64,
    ) -> (Vec<String>, Stats) {
        let scan = DocsScan {
            start: None,
            after_start: false,
            end: None,
            inclusive_end: true,
            descending,
            bodies: true,
            limit: 7,
        };
        let mut documents = Documents::new(db, scan, None);
        documents.patience = patience;
        let mut page = Page::new(Selector::parse(selector).unwrap(), page);
        let mut found = Vec::new();
        while !documents.is_done() {
            documents
                .chunk(&mut page, &mut |hit| match hit {
                    Hit::Document(doc, _) => found.push(doc.id.to_owned()),
                    Hit::Fields(_) => panic!("no index was asked"),
                })
                .unwrap();
        }
        (found, page.stats)
    }

    #[test]
    fn what_is_found_as_documents_lie_is_what_is_found_by_id() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let edit = |number: usize| {
            Edit::Interactive(InteractiveEdit {
                id: DocId::parse(&format!("{:03}", number * 37 % 500)).unwrap(),
                parent: None,
                deleted: false,
                body: Body::from_stored(format!("{{\"n\":{}}}", number % 50)),
                attachments: Vec::new(),
            })
        };
        let batch = Batch {
            edits: (0..500).map(edit).collect(),
            ..Batch::default()
        };
        assert!(db.update(batch).unwrap().iter().all(Result::is_ok));
        for selector in [r#"{"n":49}"#, r#"{"n":{"$gt":40}}"#, r#"{"m":1}"#] {
            for descending in [false, true] {
                for page in [(0, 3), (2, 5), (0, 25), (8, 25), (0, 1000), (3, u64::MAX)] {
                    let by_id = found(&db, selector, descending, page, u64::MAX);
                    let swept = found(&db, selector, descending, page, 0);
                    assert_eq!(by_id.0, swept.0, "{selector} {descending} {page:?}");
                }
            }
        }
        // It was swept: some documents were looked at twice.
        let none = r#"{"m":1}"#;
        assert_eq!(found(&db, none, false, (0, 25), u64::MAX).1.docs, 500);
        assert!(found(&db, none, false, (0, 25), 0).1.docs > 500);
    }

    #[test]
    fn documents_that_take_long_are_looked_at_a_few_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let list =
            |numbers: std::ops::Range<usize>| numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let edit = |number: usize| {
            Edit::Interactive(InteractiveEdit {
                id: DocId::parse(&format!("{number:03}")).unwrap(),
                parent: None,
                deleted: false,
                body: Body::from_stored(format!(r#"{{"a":[{}]}}"#, list(0..1000))),
                attachments: Vec::new(),
            })
        };
        let batch = Batch {
            edits: (0..40).map(edit).collect(),
            ..Batch::default()
        };
        assert!(db.update(batch).unwrap().iter().all(Result::is_ok));
        // Together they are less than one chunk.
        let selector = format!(r#"{{"a":{{"$all":[{}]}}}}"#, list(1000..3000));
        for patience in [u64::MAX, 0] {
            let scan = DocsScan {
                start: None,
                after_start: false,
                end: None,
                inclusive_end: true,
                descending: false,
                bodies: true,
                limit: 39,
            };
            let mut documents = Documents::new(&db, scan, None);
            documents.patience = patience;
            let mut page = Page::new(Selector::parse(&selector).unwrap(), (0, 25));
            let mut chunks = 0;
            while !documents.is_done() {
                page.work = Work::default();
                documents
                    .chunk(&mut page, &mut |_| panic!("nothing matches"))
                    .unwrap();
                chunks += 1;
            }
            assert!(chunks > 4, "{chunks}");
            assert!(page.stats.docs >= 40);
        }
    }
}
