//! Views by partition against the same views over all documents: under random edits, one is a part of the other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand::Rng;
use rand::rngs::StdRng;
use std::ops::ControlFlow;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::partition::Partition;
use trunkline_query::design::Design;
use trunkline_query::index::Grouping;
use trunkline_query::view::{Keys, Places};
use trunkline_query::{Indexes, ViewIndex};
use trunkline_store::{Batch, Database, DatabaseOptions, Durability, Store};
use trunkline_testkit::seed::with_seeds;
use trunkline_wire::design_doc;

/// Names that begin with one another, collate alike, or have bytes that keys escape.
const NAMES: [&str; 8] = ["a", "aa", "a\u{0}", "a\u{1}b", "\u{e9}", "e\u{301}", "A", "b"];

fn design(db: &Database, partitioned: bool) -> Design {
    let map = "function (doc) { for (var i = 0; i < doc.n % 3; i++) emit([doc.kind, doc.n], doc.n); }";
    let body = serde_json::json!({
        "views": {
            "v": { "map": map, "reduce": "_sum" },
            "raw": { "map": map, "reduce": "_sum", "options": { "collation": "raw" } },
        },
        "options": { "partitioned": partitioned },
    });
    Design::of(db, &design_doc::parse(&body.to_string()).unwrap()).unwrap()
}

fn edit(random: &mut StdRng, db: &Database) {
    let partition = NAMES[random.random_range(0..NAMES.len())];
    let id = format!("{partition}:{}", random.random_range(0..40));
    let live = db.get(&id, None).unwrap().filter(|leaf| !leaf.deleted);
    let kind = ["\"x\"", "\"y\"", "null", "[1]"][random.random_range(0..4)];
    let body = format!("{{\"kind\":{kind},\"n\":{}}}", random.random_range(0..20));
    let edit = InteractiveEdit {
        id: DocId::parse(&id).unwrap(),
        parent: live.as_ref().map(|leaf| leaf.rev.clone()),
        deleted: live.is_some() && random.random_bool(0.3),
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

/// Of the rows, those of a partition: id, key and value.
fn rows(index: &ViewIndex, places: &Places, of: &Partition) -> Vec<String> {
    let snapshot = index.snapshot().unwrap().unwrap();
    let mut rows = Vec::new();
    let mut take = |row: trunkline_query::index::Row<'_>| {
        if of.holds(&row.id()) {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            rows.push(format!("{} {} {}", row.id(), text(row.key), text(row.value)));
        }
        ControlFlow::Continue(())
    };
    index.rows(&snapshot, places, 0, &mut take).unwrap();
    rows
}

/// The sums of a partition's rows by the first elements of their keys, of what is shown in the order of keys.
fn sums(rows: &[String], elements: usize) -> Vec<(String, u64)> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for row in rows {
        let mut parts = row.rsplitn(3, ' ');
        let (value, key) = (parts.next().unwrap(), parts.next().unwrap());
        let key: Vec<serde_json::Value> = serde_json::from_str(key).unwrap();
        let group = serde_json::to_string(&key[..elements]).unwrap();
        let value: u64 = value.parse().unwrap();
        match sums.last_mut() {
            Some((last, sum)) if *last == group => *sum += value,
            _ => sums.push((group, value)),
        }
    }
    sums
}

#[test]
fn a_partition_has_its_part_of_all_rows() {
    with_seeds(2, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let options = DatabaseOptions { partitioned: true };
        let db = store
            .create_with(&DbName::parse("calls").unwrap(), options)
            .unwrap();
        let indexes = Indexes::default();
        let [parted, global] = [true, false].map(|by| indexes.index(&db, design(&db, by)).unwrap());
        assert_ne!(parted.design().signature, global.design().signature);
        for _ in 0..6 {
            (0..random.random_range(0..200)).for_each(|_| edit(random, &db));
            parted.update().unwrap();
            global.update().unwrap();
            for name in NAMES {
                compare(random, [&parted, &global], &Partition::parse(name).unwrap());
            }
        }
    });
}

fn compare(random: &mut StdRng, [parted, global]: [&ViewIndex; 2], partition: &Partition) {
    let mut bound = || {
        let kind = ["\"x\"", "\"y\"", "null", "[1]"][random.random_range(0..4)];
        random
            .random_bool(0.5)
            .then(|| format!("[{kind},{}]", random.random_range(0..20)))
    };
    let mut keys = Keys {
        start: bound(),
        end: bound(),
        ..Keys::default()
    };
    keys.descending = random.random_bool(0.5);
    keys.exclusive_end = random.random_bool(0.5);
    let by = Keys {
        partition: Some(partition.clone()),
        ..keys.clone()
    };
    for view in parted.design().views.values() {
        let order = parted.collation(view.number);
        let all = keys.places(view.number, order).unwrap();
        let part = by.places(view.number, order).unwrap();
        let expected = rows(global, &all, partition);
        assert_eq!(rows(parted, &part, partition), expected, "{by:?}");
        for (grouping, elements) in [
            (Grouping::Keys, 2),
            (Grouping::Elements(1), 1),
            (Grouping::All, 0),
        ] {
            let mut seen = Vec::new();
            let mut each = |key: &[u8], value: Result<String, _>| {
                let key: Vec<serde_json::Value> = serde_json::from_slice(key).unwrap();
                let group = serde_json::to_string(&key[..elements]).unwrap();
                let value: Result<String, trunkline_query::ReduceFailure> = value;
                seen.push((group, value.unwrap().parse::<u64>().unwrap()));
                Ok(ControlFlow::Continue(()))
            };
            let snapshot = parted.snapshot().unwrap().unwrap();
            let reduce = view.reduce.unwrap();
            parted
                .reduce(&snapshot, &part, grouping, reduce, &mut each)
                .unwrap();
            assert_eq!(seen, sums(&expected, elements), "{by:?} {grouping:?}");
        }
    }
}
