//! Views of a real database: an index that was kept up to date against one built now.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand::Rng;
use rand::rngs::StdRng;
use std::ops::ControlFlow;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_query::design::Design;
use trunkline_query::index::Grouping;
use trunkline_query::view::Keys;
use trunkline_query::{Indexes, ViewIndex};
use trunkline_store::{Batch, Database, Durability, Store, Want, WantRevs};
use trunkline_testkit::seed::with_seeds;
use trunkline_wire::design_doc;

/// The same views under another signature for each `salt`.
fn design(salt: u64) -> Design {
    let body = serde_json::json!({"views": {
        "by_type": {
            "map": format!("function (doc) {{ /* {salt} */ if (doc.type) emit([doc.type, doc.n], doc.n); }}"),
            "reduce": "_sum",
        },
        "counted": {
            "map": format!("function (doc) {{ /* {salt} */ if (doc.type) emit([doc.type, doc.n], doc.n); }}"),
            "reduce": "function (keys, values, rereduce) { return rereduce ? sum(values) : values.length; }",
        },
        "many": {
            "map": format!("function (doc) {{ /* {salt} */ for (var i = 0; i < doc.n % 5; i++) emit(i % 2, doc._rev); }}"),
            "reduce": "_count",
        },
        "throws": {"map": format!("function (doc) {{ /* {salt} */ emit(doc.n); if (doc.n % 3) doc.missing.member; }}")},
    }});
    Design::new(&design_doc::parse(&body.to_string()).unwrap())
}

fn edit(random: &mut StdRng, db: &Database) {
    let id = format!("doc-{}", random.random_range(0..500));
    let want = Want {
        id: id.clone(),
        revs: WantRevs::Winner,
    };
    let found = db.bulk_get(&[want]).unwrap().remove(0);
    let winner = found.and_then(|found| found.leaves.into_iter().next());
    let live = winner.filter(|leaf| !leaf.deleted);
    let id = DocId::parse(&id).unwrap();
    if let (Some(leaf), true) = (&live, random.random_bool(0.05)) {
        db.purge(&[(id, vec![leaf.rev.clone()])]).unwrap();
        return;
    }
    let types = ["\"call\"", "\"voicemail\"", "null", "[1]"];
    let kind = types[random.random_range(0..types.len())];
    let body = format!("{{\"type\":{kind},\"n\":{}}}", random.random_range(0..50));
    let edit = InteractiveEdit {
        id,
        parent: live.as_ref().map(|leaf| leaf.rev.clone()),
        deleted: live.is_some() && random.random_bool(0.2),
        body: Body::from_stored(body),
        attachments: Vec::new(),
    };
    let batch = Batch {
        edits: vec![Edit::Interactive(edit)],
        durability: Durability::Relaxed,
        ..Batch::default()
    };
    db.update(batch).unwrap().remove(0).unwrap();
}

fn rows(index: &ViewIndex, view: &str, descending: bool) -> Vec<String> {
    let number = index.design().views[view].number;
    let keys = Keys {
        descending,
        ..Keys::default()
    };
    let places = keys.places(number, index.collation(number)).unwrap();
    let snapshot = index.snapshot().unwrap().unwrap();
    let mut rows = Vec::new();
    index
        .rows(&snapshot, &places, 0, &mut |row| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            rows.push(format!("{} {} {}", row.id(), text(row.key), text(row.value)));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn groups(index: &ViewIndex, view: &str, grouping: Grouping, descending: bool) -> Vec<String> {
    let of_design = index.design().views[view];
    let keys = Keys {
        descending,
        ..Keys::default()
    };
    let places = keys
        .places(of_design.number, index.collation(of_design.number))
        .unwrap();
    let snapshot = index.snapshot().unwrap().unwrap();
    let mut groups = Vec::new();
    index
        .reduce(
            &snapshot,
            &places,
            grouping,
            of_design.reduce.unwrap(),
            &mut |key, value| {
                groups.push(format!("{} {}", String::from_utf8_lossy(key), value.unwrap()));
                Ok(ControlFlow::Continue(()))
            },
        )
        .unwrap();
    groups
}

#[test]
fn an_index_that_was_kept_up_to_date_is_as_one_built_now() {
    with_seeds(1, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let indexes = Indexes::default();
        let kept = indexes.index(&db, design(0)).unwrap();
        for round in 1..6 {
            for _ in 0..[1, 20, 400][random.random_range(0..3)] {
                edit(random, &db);
            }
            kept.update().unwrap();
            let fresh = indexes.index(&db, design(round)).unwrap();
            fresh.update().unwrap();
            for view in ["by_type", "many", "throws"] {
                let forwards = rows(&kept, view, false);
                assert_eq!(forwards, rows(&fresh, view, false), "{view}");
                let mut backwards = rows(&kept, view, true);
                backwards.reverse();
                assert_eq!(forwards, backwards);
            }
            for view in ["by_type", "counted", "many"] {
                for grouping in [
                    Grouping::All,
                    Grouping::Elements(1),
                    Grouping::Elements(2),
                    Grouping::Keys,
                ] {
                    let forwards = groups(&kept, view, grouping, false);
                    assert_eq!(
                        forwards,
                        groups(&fresh, view, grouping, false),
                        "{view} {grouping:?}"
                    );
                    let mut backwards = groups(&kept, view, grouping, true);
                    backwards.reverse();
                    assert_eq!(forwards.len(), backwards.len());
                }
            }
            let live = db.info().unwrap().doc_count;
            assert!(live > 0 || rows(&kept, "throws", false).is_empty());
        }
    });
}

#[test]
fn what_is_edited_during_a_pass_is_not_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
    let put = |number: u64, parent| {
        let edit = InteractiveEdit {
            id: DocId::parse(&format!("doc-{number}")).unwrap(),
            parent,
            deleted: false,
            body: Body::from_stored(format!("{{\"n\":{number},\"filler\":\"{}\"}}", "x".repeat(500))),
            attachments: Vec::new(),
        };
        let batch = Batch {
            edits: vec![Edit::Interactive(edit)],
            durability: Durability::Relaxed,
            ..Batch::default()
        };
        db.update(batch).unwrap().remove(0).unwrap().rev
    };
    const DOCS: u64 = 3000;
    let mut revs: Vec<_> = (0..DOCS).map(|number| put(number, None)).collect();
    let indexes = Indexes::default();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The documents that a pass comes to last move away from it.
            for number in (0..DOCS).rev().cycle() {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let rev = &mut revs[number as usize];
                *rev = put(number, Some(rev.clone()));
            }
        });
        let mut seen = Vec::new();
        for salt in 0..5 {
            let map = format!("function (doc) {{ /* {salt} */ emit(doc._id); }}");
            let body = serde_json::json!({"views": {"all": {"map": map}}});
            let design = Design::new(&design_doc::parse(&body.to_string()).unwrap());
            let index = indexes.index(&db, design).unwrap();
            index.update().unwrap();
            seen.push(rows(&index, "all", false).len() as u64);
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(seen, [DOCS; 5]);
    });
}
