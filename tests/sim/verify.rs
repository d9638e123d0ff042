//! The promises, asked of the stores themselves. Each check answers what is wrong, a line each.

use crate::node::Running;
use crate::plan::Edge;
use crate::workload::{Key, People, Promise, leaves, read};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use trunkline_core::doc_id::LocalId;
use trunkline_core::rev::Rev;
use trunkline_store::{ChangesScan, Database};
use trunkline_wire::replication_log;
use trunkline_wire::seq::{self, Since};

/// Each document's leaves, winner first.
pub(crate) type Rows = BTreeMap<String, Vec<Rev>>;

/// What the order of changes says up to a seq.
pub(crate) fn rows(database: &Database, until: u64) -> Rows {
    let mut rows = Rows::new();
    let mut since = 0;
    loop {
        let scan = ChangesScan {
            since,
            until,
            descending: false,
            bodies: false,
            limit: usize::MAX,
        };
        let end = database.changes(&scan, &mut |row| {
            rows.insert(row.id.to_owned(), row.leaves.map(|(rev, _)| rev).collect());
            ControlFlow::Continue(())
        });
        let end = end.unwrap();
        since = end.last.unwrap_or(since);
        if end.done {
            return rows;
        }
    }
}

/// Everything that a node holds.
fn contents(database: &Database) -> BTreeMap<Key, Promise> {
    let ids = rows(database, u64::MAX).into_keys();
    let of = |id: String| {
        let leaves = leaves(database, &id).unwrap();
        leaves.into_iter().map(move |leaf| (id.clone(), leaf))
    };
    let content = |(id, leaf): (String, trunkline_store::Leaf)| {
        let bytes = leaf.attachments.iter();
        let bytes = bytes.map(|of| (of.name.to_string(), read(database, of).unwrap()));
        let promise = Promise {
            deleted: leaf.deleted,
            body: leaf.body.as_str().to_owned(),
            attachments: bytes.collect(),
        };
        ((id, leaf.rev), promise)
    };
    ids.flat_map(of).map(content).collect()
}

/// Revisions of `rows` that a node does not know, save those that it had to forget.
pub(crate) fn lacking(rows: &Rows, target: &Database, people: &People, stems: bool) -> Vec<Key> {
    let of = |(id, revs): (&String, &Vec<Rev>)| -> Vec<Key> {
        let lacks = |rev: &&Rev| !holds(target, id, rev, people, stems);
        revs.iter()
            .filter(lacks)
            .map(|rev| (id.clone(), rev.clone()))
            .collect()
    };
    rows.iter().flat_map(of).collect()
}

fn holds(target: &Database, id: &str, rev: &Rev, people: &People, stems: bool) -> bool {
    let Some(tree) = target.tree(id).unwrap() else {
        return false;
    };
    // Any revision on a leaf's branch may be the one that was made from it: the leaf itself may be nobody's.
    let forgot = || {
        let leaves = tree.revs.leaves().into_iter();
        let mut branches = leaves.filter_map(|(leaf, _)| tree.revs.path(leaf));
        people.may_be_replaced(id, rev)
            || branches.any(|path| path.revs().any(|later| people.descends(id, &later, rev)))
    };
    tree.revs.contains(rev) || stems && forgot()
}

/// Whether an edge's checkpoint, wherever it is kept, claims more than the target has.
pub(crate) fn checkpoints(
    edge: &Edge,
    id: &str,
    ends: &(Running, Running),
    people: &People,
    stems: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (holder, end) in [("source", &ends.0), ("target", &ends.1)] {
        if let Some((_, json)) = end.database.local(&LocalId::parse(id).unwrap()).unwrap() {
            let log = replication_log::parse(json.as_bytes()).unwrap().log;
            let passed = passed(&log.source_last_seq, ends, people, stems);
            wrong.extend(
                passed
                    .iter()
                    .map(|line| format!("{edge:?}: the {holder}'s checkpoint is {line}")),
            );
        }
    }
    wrong
}

/// What the source has up to a seq and the target has not.
pub(crate) fn passed(text: &str, ends: &(Running, Running), people: &People, stems: bool) -> Vec<String> {
    let (source, target) = (&ends.0.database, &ends.1.database);
    let Ok(Since::Seq { seq, .. }) = seq::parse(text) else {
        return vec![format!("at {text}, which is no seq")];
    };
    let lacking = lacking(&rows(source, seq), target, people, stems).into_iter();
    let line = |(id, rev)| format!("at {seq}, but {id} {rev} is not at the target");
    lacking.map(line).collect()
}

/// Whether a node holds what was promised, as it was written, and nothing else.
pub(crate) fn promises(node: usize, database: &Database, people: &People, stems: bool) -> Vec<String> {
    let held = contents(database);
    let mut wrong = Vec::new();
    for (id, rev) in people.promised.keys() {
        if !holds(database, id, rev, people, stems) {
            wrong.push(format!("node {node} lost {id} {rev}"));
        }
    }
    for ((id, rev), content) in held {
        match people.promised.get(&(id.clone(), rev.clone())) {
            Some(promise) if *promise != content => {
                wrong.push(format!("node {node}: {id} {rev} is not as it was written"));
            }
            None if !people.doubtful.contains(&id) => {
                wrong.push(format!("node {node}: {id} {rev} is nobody's"));
            }
            _ => {}
        }
    }
    wrong
}

/// What differs between two nodes.
pub(crate) fn differences(a: &Database, b: &Database) -> Vec<String> {
    let (ours, theirs) = (contents(a), contents(b));
    let only = |of: &BTreeMap<Key, Promise>, other: &BTreeMap<Key, Promise>, which: &str| -> Vec<String> {
        of.iter()
            .filter(|(key, content)| other.get(*key) != Some(*content))
            .map(|((id, rev), _)| format!("{id} {rev} is only at the {which}"))
            .collect()
    };
    let mut found = only(&ours, &theirs, "first");
    found.extend(only(&theirs, &ours, "other"));
    found
}
