//! Whatever is gone through, what is told is the same.

use super::*;
use crate::Indexes;
use crate::mango::{Catalog, Wanted};
use rand::Rng;
use rand::rngs::StdRng;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_store::{Batch, Store};
use trunkline_testkit::seed::with_seeds;
use trunkline_wire::find::{Sort, add_index, parse_aggregate, parse_index, write_row};

fn write(db: &Database, docs: impl IntoIterator<Item = (String, String)>) {
    let edit = |(id, body): (String, String)| {
        Edit::Interactive(InteractiveEdit {
            id: DocId::parse(&id).unwrap(),
            parent: db
                .get(&id, None)
                .unwrap()
                .filter(|leaf| !leaf.deleted)
                .map(|leaf| leaf.rev),
            deleted: body.is_empty(),
            body: Body::from_stored(if body.is_empty() { "{}" } else { &body }),
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: docs.into_iter().map(edit).collect(),
        ..Batch::default()
    };
    assert!(db.update(batch).unwrap().iter().all(Result::is_ok));
}

fn documents(random: &mut StdRng) -> Vec<(String, String)> {
    let doc = |number: usize| {
        let a = ["1", "2", "\"x\"", "null", "2.0"][random.random_range(0..5)];
        let n = random.random_range(0..50);
        let body = match random.random_range(0..10) {
            0 => format!("{{\"a\":{a}}}"),
            1 => format!("{{\"n\":\"{n}\"}}"),
            2 if number > 100 => String::new(),
            _ => format!("{{\"a\":{a},\"more\":{{\"n\":1}},\"n\":{n}}}"),
        };
        (format!("d{:03}", number * 7 % 100), body)
    };
    (0..150).map(doc).collect()
}

/// A document that is there only while rows are gathered.
const LATE: &str = "d035-late";

#[derive(Clone, Copy)]
struct Way<'a> {
    indexes: &'a Indexes,
    use_index: &'a [&'a str],
    bytes_max: usize,
    /// Whether the index is brought up to date.
    updates: bool,
}

/// The rows, and what it took.
fn rows(db: &Database, way: &Way<'_>, asked: &str) -> Result<(Vec<String>, Stats), Error> {
    let request = parse_aggregate(asked.as_bytes()).unwrap();
    let selector = Selector::parse(&request.selector).unwrap();
    let mut fields: Vec<String> = request
        .aggregate
        .fields()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    fields.push("_id".to_owned());
    let use_index: Vec<String> = way.use_index.iter().map(|&name| name.to_owned()).collect();
    let wanted = Wanted {
        selector: &selector,
        sort: &Sort::default(),
        fields: &fields,
        use_index: &use_index,
        allow_fallback: use_index.is_empty(),
        partition: None,
    };
    let plan = Plan::new(&Catalog::read(db).unwrap(), &wanted).unwrap();
    let index = match &plan.source {
        Source::Index { index, .. } => {
            let index = way.indexes.index(db, index.design.as_ref().clone()).unwrap();
            if way.updates {
                index.update().unwrap();
            }
            Some(index)
        }
        Source::Documents(_) => None,
    };
    let aggregate = Arc::new(request.aggregate);
    let named = !use_index.is_empty();
    let mut gathering = Gathering::new(db, index, selector, &plan, aggregate.clone(), named)?;
    gathering.asked.bytes_max = way.bytes_max;
    let mut steps = 0;
    while !gathering.is_done() {
        gathering.step()?;
        steps += 1;
        // Of another moment: not to be seen.
        write(db, [(LATE.to_owned(), r#"{"a":2,"n":15}"#.to_owned())]);
    }
    if steps > 0 {
        write(db, [(LATE.to_owned(), String::new())]);
    }
    let stats = gathering.stats();
    let report = gathering.finish(request.skip, request.limit);
    let shown = report.map(|row| {
        let mut out = Vec::new();
        write_row(aggregate.columns(), &row, &mut out);
        String::from_utf8(out).unwrap()
    });
    Ok((shown.collect(), stats))
}

fn with_documents(test: impl Fn(&Database, &Indexes)) {
    with_seeds(6, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        // The later ones are edits.
        for docs in documents(random).chunks(100) {
            write(&db, docs.to_vec());
        }
        for fields in [r#"["a"]"#, r#"["a","n"]"#, r#"["n"]"#] {
            let index = parse_index(format!("{{\"index\":{{\"fields\":{fields}}}}}").as_bytes()).unwrap();
            let body = add_index(("_design/i", None), "i", &index).unwrap().unwrap();
            let name = fields.replace(|c: char| !c.is_ascii_alphanumeric(), "");
            write(&db, [(format!("_design/{name}"), body)]);
        }
        test(&db, &Indexes::default());
    });
}

const VALUES: &str = r#""group":["a"],"values":{"c":{"count":true},"s":{"sum":"n"},"m":{"max":"n"},
    "top":{"top":"n","n":2},"d":{"count_distinct":"n"}}"#;

#[test]
fn whatever_is_gone_through_the_rows_are_the_same() {
    with_documents(|db, indexes| {
        for (selector, usable) in [
            (r#"{"a":2}"#, &[&["a"]][..]),
            (
                r#"{"a":{"$gt":1},"n":{"$gte":10,"$lt":30}}"#,
                &[&["a"], &["an"], &["n"]],
            ),
            (r#"{"n":{"$lt":20}}"#, &[&["n"]]),
            (
                r#"{"a":{"$gt":null},"n":{"$exists":true}}"#,
                &[&["a"], &["an"], &["n"]],
            ),
        ] {
            let asked = format!("{{\"selector\":{selector},{VALUES}}}");
            let mut way = Way {
                indexes,
                use_index: &[],
                bytes_max: usize::MAX,
                updates: true,
            };
            let (chosen, _) = rows(db, &way, &asked).unwrap();
            // No index is of use for it.
            let scan = format!("{{\"selector\":{{\"$or\":[{selector},{selector}]}},{VALUES}}}");
            let (scanned, stats) = rows(db, &way, &scan).unwrap();
            assert!(stats.docs > 0 && stats.keys == 0, "{stats:?}");
            assert_eq!(chosen, scanned, "{selector}");
            for named in usable {
                way.use_index = *named;
                let (by_index, stats) = rows(db, &way, &asked).unwrap();
                assert_eq!(by_index, scanned, "{selector} by {named:?}");
                assert!(stats.keys > 0, "{selector} by {named:?}: {stats:?}");
                assert!(**named != ["an"] || stats.docs == 0, "{stats:?}");
            }
        }
    });
}

#[test]
fn an_index_that_is_behind_tells_what_a_scan_finds() {
    with_documents(|db, indexes| {
        let mut way = Way {
            indexes,
            use_index: &[],
            bytes_max: usize::MAX,
            updates: true,
        };
        for (round, names) in [["a"], ["an"]].iter().enumerate() {
            let asked = format!("{{\"selector\":{{\"a\":2,\"n\":{{\"$gte\":0}}}},{VALUES}}}");
            way.use_index = names;
            way.updates = true;
            rows(db, &way, &asked).unwrap();
            // Some come, some go, some move; d001 is in the index as it was.
            let body = |n: usize| match n % 4 {
                0 => String::new(),
                1 => format!("{{\"a\":2,\"n\":{}}}", n + 100 * round),
                2 => format!("{{\"a\":3,\"n\":{n}}}"),
                _ => format!("{{\"a\":2.0,\"n\":{n}}}"),
            };
            let there = |n: &usize| {
                db.get(&format!("d{n:03}"), None)
                    .unwrap()
                    .is_some_and(|leaf| !leaf.deleted)
            };
            let edits = (20..60).filter(there).chain(200 + 50 * round..220 + 50 * round);
            let edits = edits
                .filter(|n| n % 4 != 0 || there(n))
                .map(|n| (format!("d{n:03}"), body(n)));
            write(db, edits.collect::<Vec<_>>());
            way.updates = false;
            let (behind, stats) = rows(db, &way, &asked).unwrap();
            assert!(stats.keys > 0, "{stats:?}");
            way.use_index = &[];
            let scan = format!("{{\"selector\":{{\"$or\":[{{\"a\":2,\"n\":{{\"$gte\":0}}}}]}},{VALUES}}}");
            let (scanned, stats) = rows(db, &way, &scan).unwrap();
            assert_eq!(stats.keys, 0, "{stats:?}");
            assert_eq!(behind, scanned, "{names:?}");
        }
    });
}

#[test]
fn a_partial_index_tells_of_its_documents_only() {
    with_documents(|db, indexes| {
        let index = r#"{"index":{"fields":["n"],"partial_filter_selector":{"a":2}}}"#;
        let index = parse_index(index.as_bytes()).unwrap();
        let body = add_index(("_design/i", None), "i", &index).unwrap().unwrap();
        write(db, [("_design/part".to_owned(), body)]);
        let mut way = Way {
            indexes,
            use_index: &["part"],
            bytes_max: usize::MAX,
            updates: true,
        };
        let asked = format!("{{\"selector\":{{\"n\":{{\"$gte\":0}}}},{VALUES}}}");
        let scan = format!("{{\"selector\":{{\"$or\":[{{\"n\":{{\"$gte\":0}}}}],\"a\":2}},{VALUES}}}");
        for round in 0..2 {
            let (partial, _) = rows(db, &way, &asked).unwrap();
            let (scanned, _) = rows(
                db,
                &Way {
                    use_index: &[],
                    ..way
                },
                &scan,
            )
            .unwrap();
            assert_eq!(partial, scanned);
            // Behind the index, documents that it has none of and some.
            let body = |n: usize| format!("{{\"a\":{},\"n\":{n}}}", 1 + n % 2);
            write(db, (300..310).map(|n| (format!("d{}", n + 10 * round), body(n))));
            way.updates = false;
        }
    });
}

#[test]
fn ranges_of_ids_are_what_a_scan_finds() {
    with_documents(|db, indexes| {
        let way = Way {
            indexes,
            use_index: &[],
            bytes_max: usize::MAX,
            updates: true,
        };
        let by_id = rows(
            db,
            &way,
            &format!(r#"{{"selector":{{"_id":{{"$gte":"d02","$lt":"d05"}}}},{VALUES}}}"#),
        );
        let scan = rows(
            db,
            &way,
            &format!(r#"{{"selector":{{"_id":{{"$regex":"^d0[234]"}}}},{VALUES}}}"#),
        );
        let (by_id, scan) = (by_id.unwrap(), scan.unwrap());
        assert_eq!(by_id.0, scan.0);
        assert!(
            by_id.1.docs < 40 && scan.1.docs > 60,
            "{:?} {:?}",
            by_id.1,
            scan.1
        );
    });
}

#[test]
fn groups_are_bounded_in_bytes() {
    with_documents(|db, indexes| {
        let mut way = Way {
            indexes,
            use_index: &[],
            bytes_max: usize::MAX,
            updates: true,
        };
        let asked = r#"{"group":["n"],"values":{"c":{"count":true}}}"#;
        let (all, _) = rows(db, &way, asked).unwrap();
        // Folds of several threads are merged before it is too much.
        way.bytes_max = all.len() * 400;
        assert_eq!(rows(db, &way, asked).unwrap().0.len(), all.len());
        way.bytes_max = 500;
        let refused = rows(db, &way, asked).unwrap_err();
        assert!(matches!(
            refused,
            Error::Aggregate(InvalidAggregate::TooManyGroups)
        ));
    });
}
