//! Options of a view against what they mean, worked out row by row from all that it has.

use crate::edits::{design, edit, name};
use crate::shown::rows;
use rand::Rng;
use rand::rngs::StdRng;
use std::cmp::Ordering;
use std::ops::ControlFlow;
use trunkline_core::collate::compare;
use trunkline_query::index::{Grouping, whole};
use trunkline_query::view::Keys;
use trunkline_query::{Indexes, ViewIndex};
use trunkline_store::Store;
use trunkline_testkit::seed::with_seeds;
use trunkline_wire::view::group_key;

#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: String,
    key: String,
    value: String,
}

fn all(index: &ViewIndex, view: &str) -> Vec<Row> {
    let row = |text: String| {
        let mut parts = text.splitn(3, ' ').map(str::to_owned);
        let [id, key, value] = [0; 3].map(|_| parts.next().unwrap());
        Row { id, key, value }
    };
    rows(index, view, false).into_iter().map(row).collect()
}

fn end(random: &mut StdRng, all: &[Row]) -> (Option<String>, Option<String>) {
    if random.random_bool(0.2) {
        return (None, None);
    }
    let row = &all[random.random_range(0..all.len())];
    let key = match random.random_range(0..4) {
        0 => [
            "null",
            "1",
            "\"call\"",
            "[]",
            "[\"call\"]",
            "[\"call\",{}]",
            "[[1],3]",
            "{}",
        ][random.random_range(0..8)]
        .to_owned(),
        _ => row.key.clone(),
    };
    (Some(key), random.random_bool(0.3).then(|| row.id.clone()))
}

fn keys(random: &mut StdRng, all: &[Row]) -> Keys {
    let ((start, start_id), (end, end_id)) = (end(random, all), end(random, all));
    Keys {
        start,
        start_id,
        end,
        end_id,
        exclusive_end: random.random_bool(0.3),
        descending: random.random_bool(0.5),
        ..Keys::default()
    }
}

/// How a row lies to an end, in the direction of reading.
fn order(row: &Row, keys: &Keys, key: &str, id: &Option<String>) -> Ordering {
    let by_id = id.as_ref().map_or(Ordering::Equal, |id| row.id.cmp(id));
    let order = compare(&row.key, key).then(by_id);
    if keys.descending { order.reverse() } else { order }
}

fn is_after_start(row: &Row, keys: &Keys) -> bool {
    let start = keys.start.as_ref();
    start.is_none_or(|start| order(row, keys, start, &keys.start_id).is_ge())
}

fn is_before_end(row: &Row, keys: &Keys) -> bool {
    keys.end.as_ref().is_none_or(|end| {
        let order = order(row, keys, end, &keys.end_id);
        order.is_lt() || order.is_eq() && !keys.exclusive_end
    })
}

/// Consecutive rows of equal keys, or of arrays that begin alike; each by its key and what it comes to.
fn grouped(rows: &[Row], grouping: Grouping, sums: bool) -> Vec<String> {
    let level = match grouping {
        Grouping::All => Some(0),
        Grouping::Elements(level) => Some(level),
        Grouping::Keys => None,
    };
    let same = |a: &Row, b: &Row| match grouping {
        Grouping::All => true,
        _ => compare(&group_key(&a.key, level), &group_key(&b.key, level)).is_eq(),
    };
    let reduced = |rows: &[Row]| match sums {
        true => rows.iter().map(|row| row.value.parse::<usize>().unwrap()).sum(),
        false => rows.len(),
    };
    let groups = rows.chunk_by(same);
    groups
        .map(|rows| format!("{} {}", group_key(&rows[0].key, level), reduced(rows)))
        .collect()
}

fn check(random: &mut StdRng, index: &ViewIndex, view: &str, all: &[Row]) {
    let keys = keys(random, all);
    let of_view = index.design().views[view];
    let places = keys
        .places(of_view.number, index.collation(of_view.number))
        .unwrap();
    let snapshot = index.snapshot().unwrap().unwrap();
    let mut in_order = all.to_vec();
    if keys.descending {
        in_order.reverse();
    }
    let mut expected = in_order.clone();
    expected.retain(|row| is_after_start(row, &keys) && is_before_end(row, &keys));
    let skip = random.random_range(0..=expected.len() + 1);
    let mut found = Vec::new();
    let [text, id] = [|bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap(); 2];
    let skipped = index.rows(&snapshot, &places, skip as u64, &mut |row| {
        let (key, value) = (text(row.key), id(row.value));
        let id = row.id();
        found.push(Row { id, key, value });
        ControlFlow::Continue(())
    });
    assert_eq!(skipped.unwrap(), skip.min(expected.len()) as u64, "{keys:?}");
    assert_eq!(found, expected[skip.min(expected.len())..], "{keys:?}");
    // What `total_rows` and `offset` are made of.
    let every = whole(of_view.number);
    assert_eq!(snapshot.count(&every).unwrap(), all.len() as u64);
    let before = in_order
        .iter()
        .take_while(|row| !is_after_start(row, &keys))
        .count();
    let before_range = match keys.descending {
        true => places.range.end.clone()..every.end,
        false => every.start..places.range.start.clone(),
    };
    assert_eq!(snapshot.count(&before_range).unwrap(), before as u64, "{keys:?}");
    let Some(reduce) = of_view.reduce else { return };
    for grouping in [
        Grouping::All,
        Grouping::Elements(1),
        Grouping::Elements(2),
        Grouping::Keys,
    ] {
        let mut groups = Vec::new();
        let level = match grouping {
            Grouping::All => Some(0),
            Grouping::Elements(level) => Some(level),
            Grouping::Keys => None,
        };
        index
            .reduce(&snapshot, &places, grouping, reduce, &mut |key, value| {
                groups.push(format!("{} {}", group_key(&text(key), level), value.unwrap()));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(
            groups,
            grouped(&expected, grouping, view == "by_type"),
            "{keys:?}"
        );
    }
}

#[test]
fn every_option_shows_what_it_means() {
    with_seeds(1, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&name()).unwrap();
        for _ in 0..1500 {
            edit(random, &db, 1200);
        }
        let index = Indexes::default().index(&db, design(0)).unwrap();
        index.update().unwrap();
        for view in ["by_type", "counted", "many", "throws"] {
            let all = all(&index, view);
            let ordered = |a: &Row, b: &Row| compare(&a.key, &b.key).then_with(|| a.id.cmp(&b.id)).is_le();
            assert!(all.len() > 100 && all.is_sorted_by(ordered));
            for _ in 0..40 {
                check(random, &index, view, &all);
            }
        }
    });
}
