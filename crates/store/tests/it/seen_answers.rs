//! What a database answers to every read of documents, with seqs told by their place in its changes: two that hold the
//! same documents answer the same.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;
use trunkline_store::*;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Questions {
    pub(crate) ids: Vec<String>,
    pub(crate) revs: Vec<Rev>,
    /// Ranges of ids.
    pub(crate) scans: Vec<DocsScan>,
    /// Changes from the one at that place on, backwards or not, at most so many.
    pub(crate) changes: Vec<(usize, bool, usize)>,
}

/// The seqs of a database's changes, in order.
fn seqs(database: &Database) -> Vec<u64> {
    let mut seqs = Vec::new();
    each_change(database, &all_changes(), &mut |row| seqs.push(row.seq));
    seqs
}

fn all_changes() -> ChangesScan {
    ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: false,
        limit: usize::MAX,
    }
}

fn each_change(database: &Database, scan: &ChangesScan, each: &mut dyn FnMut(ChangeRow<'_>)) {
    let mut row = |row: ChangeRow<'_>| {
        each(row);
        ControlFlow::Continue(())
    };
    database.changes(scan, &mut row).unwrap();
}

fn tree(revs: &RevTree) -> String {
    let leaf = |(rev, state): (&Rev, trunkline_core::revtree::LeafState)| {
        format!("{rev} {} {:?}", state.deleted, revs.path(rev))
    };
    revs.leaves().into_iter().map(leaf).collect::<Vec<_>>().join(", ")
}

struct Asked<'a> {
    database: &'a Database,
    places: BTreeMap<u64, usize>,
    answers: Vec<String>,
}

impl Asked<'_> {
    fn leaf(&self, leaf: &Leaf) -> String {
        let Leaf {
            rev,
            deleted,
            body,
            attachments,
            seq,
        } = leaf;
        let place = self.places[seq];
        format!("{rev} {deleted} {} {attachments:?} {place}", body.as_str())
    }

    fn change(&self, row: &ChangeRow<'_>) -> String {
        let leaves: Vec<_> = row.leaves.clone().collect();
        let place = self.places[&row.seq];
        format!("{place} {} {leaves:?} {:?}", row.id, row.winner)
    }

    fn documents(&mut self, questions: &Questions) {
        for id in &questions.ids {
            for rev in std::iter::once(None).chain(questions.revs.iter().map(Some)) {
                let found = self.database.get(id, rev).unwrap();
                let found = found.map(|leaf| self.leaf(&leaf));
                self.answers.push(format!("get {id} {rev:?}: {found:?}"));
            }
            let found = self.database.tree(id).unwrap();
            let found = found.map(|found| (tree(&found.revs), self.places[&found.seq]));
            self.answers.push(format!("tree {id}: {found:?}"));
            let these = |latest| WantRevs::These {
                revs: questions.revs.clone(),
                latest,
            };
            for revs in [WantRevs::Winner, WantRevs::All, these(false), these(true)] {
                let want = Want { id: id.clone(), revs };
                let found = self.database.bulk_get(std::slice::from_ref(&want)).unwrap();
                for found in found.into_iter().flatten() {
                    let leaves: Vec<_> = found.leaves.iter().map(|leaf| self.leaf(leaf)).collect();
                    let found = (leaves, found.missing, tree(&found.revs));
                    self.answers.push(format!("{want:?}: {found:?}"));
                }
            }
            let asked = [(crate::support::id(id), questions.revs.clone())];
            let diff = self.database.revs_diff(&asked).unwrap();
            self.answers.push(format!("revs_diff {id}: {diff:?}"));
        }
    }

    fn scans(&mut self, questions: &Questions) {
        for scan in &questions.scans {
            let mut rows = Vec::new();
            let mut each = |row: DocRow<'_>| {
                let place = self.places[&row.seq];
                let DocRow {
                    id, rev, conflicts, ..
                } = &row;
                rows.push(format!("{id} {rev} {place} {conflicts:?} {:?}", row.winner));
                ControlFlow::Continue(())
            };
            self.database.all_docs(scan, &mut each).unwrap();
            let before = self.database.count_docs(scan).unwrap();
            let mut counts = Counts::default();
            self.database.count(scan, &mut counts).unwrap();
            let counts = (counts.docs, counts.deleted, counts.external_bytes);
            self.answers
                .push(format!("{scan:?}: {rows:?}, {counts:?} after {before}"));
        }
    }

    fn changes(&mut self, questions: &Questions) {
        let seqs: Vec<u64> = self.places.keys().copied().collect();
        for &(place, descending, limit) in &questions.changes {
            let since = match place.checked_sub(1) {
                None => 0,
                Some(place) => seqs.get(place).copied().unwrap_or(u64::MAX),
            };
            for bodies in [false, true] {
                let mut rows = Vec::new();
                let scan = ChangesScan {
                    since,
                    descending,
                    bodies,
                    limit,
                    ..all_changes()
                };
                each_change(self.database, &scan, &mut |row| rows.push(self.change(&row)));
                self.answers
                    .push(format!("changes {place} {descending} {limit}: {rows:?}"));
            }
            let pending = self.database.count_changes(since).unwrap();
            self.answers.push(format!("pending {place}: {pending}"));
        }
        let mut of = self
            .database
            .seqs_of(questions.ids.iter().map(String::as_str))
            .unwrap();
        of.extend(self.places.keys());
        let mut rows = Vec::new();
        let mut each = |row: ChangeRow<'_>| {
            rows.push(self.change(&row));
            ControlFlow::Continue(())
        };
        self.database.changes_at(&of, true, &mut each).unwrap();
        self.answers.push(format!("changes_at: {rows:?}"));
    }
}

/// What a database answers.
pub(crate) fn answers(database: &Database, questions: &Questions) -> Vec<String> {
    let mut asked = Asked {
        database,
        places: seqs(database).into_iter().zip(0..).collect(),
        answers: Vec::new(),
    };
    asked.documents(questions);
    asked.scans(questions);
    asked.changes(questions);
    asked.answers
}
