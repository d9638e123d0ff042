//! Folds against what parsed documents tell, in any order; rows, bounds and refusals.

use super::*;
use crate::rev::Rev;
use crate::time;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn path(name: &str) -> FieldPath {
    FieldPath::parse(name).unwrap()
}

fn group(name: &str, bucket: Option<Length>) -> Group {
    let bucket = bucket.map(|length| Bucket {
        length,
        unit: Unit::Seconds,
        offset_minutes: 0,
    });
    Group {
        name: name.to_owned(),
        field: path(name),
        bucket,
    }
}

fn value(name: &str, measure: Measure, field: Option<&str>) -> Value {
    Value {
        name: name.to_owned(),
        measure,
        field: field.map(path),
    }
}

fn ranked(most: usize, greatest: bool) -> Measure {
    let shown = ["_id", "n"].map(|name| (name.to_owned(), path(name)));
    Measure::Ranked {
        most,
        greatest,
        shown: shown.to_vec(),
    }
}

/// Every measure, of `n`, by `a` and by the hour of `t`.
fn everything(sort: &[Order]) -> Arc<Aggregate> {
    let n = Some("n");
    let values = vec![
        value("all", Measure::Count, None),
        value("count", Measure::Count, n),
        value("sum", Measure::Sum, n),
        value("mean", Measure::Mean, n),
        value("min", Measure::Min, n),
        value("max", Measure::Max, n),
        value("half", Measure::Percentile(50.0), n),
        value("different", Measure::CountDistinct, n),
        value("top", ranked(3, true), n),
        value("bottom", ranked(2, false), n),
    ];
    let groups = vec![group("a", None), group("t", Some(Length::Seconds(3600)))];
    Arc::new(Aggregate::new(groups, values, sort).unwrap())
}

fn fold(aggregate: &Arc<Aggregate>, docs: &[(usize, Json)]) -> Fold {
    let mut fold = Fold::new(aggregate.clone());
    let rev = Rev::parse("1-0000000000000000000000000000000a").unwrap();
    for (number, doc) in docs {
        let (id, body) = (format!("d{number:03}"), doc.to_string());
        fold.add(Seen {
            id: &id,
            rev: &rev,
            body: &body,
        });
    }
    fold
}

fn rows(fold: Fold) -> Vec<Json> {
    let report = fold.finish(0, usize::MAX);
    let row = |row: Vec<String>| serde_json::from_str(&format!("[{}]", row.join(","))).unwrap();
    report.map(row).collect()
}

/// The same, from parsed documents.
fn naive(docs: &[(usize, Json)]) -> BTreeMap<String, Vec<Json>> {
    let hour = |t: &Json| {
        t.as_i64()
            .map(|t| format!("{}Z", time::spell(t - t.rem_euclid(3600))))
    };
    let mut groups = BTreeMap::<String, Vec<(String, Json)>>::new();
    for (number, doc) in docs {
        let key = json!([doc.get("a"), hour(&doc["t"])]).to_string();
        groups
            .entry(key)
            .or_default()
            .push((format!("d{number:03}"), doc.clone()));
    }
    groups
        .into_iter()
        .map(|(key, docs)| (key, naive_values(&docs)))
        .collect()
}

fn naive_values(docs: &[(String, Json)]) -> Vec<Json> {
    let there: Vec<_> = docs.iter().filter(|(_, doc)| !doc["n"].is_null()).collect();
    let mut numbers: Vec<i64> = there.iter().filter_map(|(_, doc)| doc["n"].as_i64()).collect();
    numbers.sort_unstable();
    let mut texts: Vec<&str> = there.iter().filter_map(|(_, doc)| doc["n"].as_str()).collect();
    texts.sort_unstable();
    let end = |number: Option<&i64>, text: Option<&&str>| number.map(|n| json!(n)).or(text.map(|t| json!(t)));
    let sum: i64 = numbers.iter().sum();
    let mut different: Vec<String> = there.iter().map(|(_, doc)| doc["n"].to_string()).collect();
    different.sort_unstable();
    different.dedup();
    let mut first: Vec<_> = there
        .iter()
        .filter(|(_, doc)| doc["n"].is_number() || doc["n"].is_string())
        .collect();
    let rank = |doc: &Json| {
        (
            doc["n"].is_string(),
            doc["n"].as_i64(),
            doc["n"].as_str().map(str::to_owned),
        )
    };
    let shown = |docs: &[&&(String, Json)], most: usize| {
        let shown = docs
            .iter()
            .take(most)
            .map(|(id, doc)| json!({"_id": id, "n": doc["n"]}));
        Json::Array(shown.collect())
    };
    first.sort_by_key(|(id, doc)| (rank(doc), id.clone()));
    let bottom = shown(&first, 2);
    first.sort_by(|(a_id, a), (b_id, b)| {
        let kinds = a["n"].is_string().cmp(&b["n"].is_string());
        kinds.then(rank(b).cmp(&rank(a))).then(a_id.cmp(b_id))
    });
    vec![
        json!(docs.len()),
        json!(there.len()),
        json!(sum),
        json!((!numbers.is_empty()).then(|| sum as f64 / numbers.len() as f64)),
        json!(end(numbers.first(), texts.first())),
        json!(end(numbers.last(), texts.last())),
        json!(numbers.get(numbers.len().saturating_sub(1) / 2)),
        json!(different.len()),
        shown(&first, 3),
        bottom,
    ]
}

fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= b.abs() * 0.0101,
        _ => a == b,
    }
}

fn documents() -> impl Strategy<Value = Vec<(usize, Json)>> {
    let odd = prop_oneof![
        Just(json!(null)),
        Just(json!([1])),
        Just(json!(true)),
        Just(json!({"x": 1})),
    ];
    let text = prop_oneof![Just(json!("x")), Just(json!("y")), Just(json!(""))];
    let n = prop_oneof![5 => (-50_i64..1000).prop_map(Json::from), 1 => text.clone(), 1 => odd.clone()];
    let a = prop_oneof![3 => text, 1 => odd.clone(), 1 => (0..2).prop_map(Json::from)];
    let t = prop_oneof![4 => (0..10_000).prop_map(Json::from), 1 => odd];
    let doc = (prop::option::weighted(0.9, n), prop::option::weighted(0.9, a), t).prop_map(|(n, a, t)| {
        let mut doc = serde_json::Map::new();
        doc.insert("z".to_owned(), json!({"n": 1, "a": [2]}));
        doc.extend(n.map(|n| ("n".to_owned(), n)));
        doc.insert("t".to_owned(), t);
        doc.extend(a.map(|a| ("a".to_owned(), a)));
        Json::from(doc)
    });
    prop::collection::vec(doc, 0..60).prop_map(|docs| docs.into_iter().enumerate().collect())
}

proptest! {
    #[test]
    fn folds_tell_what_parsed_documents_tell_however_they_are_merged(
        docs in documents(),
        cuts in prop::collection::vec(0_usize..60, 0..4),
        backwards in any::<bool>(),
    ) {
        let aggregate = everything(&[]);
        let whole = rows(fold(&aggregate, &docs));
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (docs.len() + 1)).chain([0, docs.len()]).collect();
        ends.sort_unstable();
        let mut folds: Vec<Fold> = ends.windows(2).map(|ends| fold(&aggregate, &docs[ends[0]..ends[1]])).collect();
        if backwards {
            folds.reverse();
        }
        let mut merged = Fold::new(aggregate.clone());
        folds.into_iter().for_each(|fold| merged.merge(fold));
        prop_assert_eq!(&rows(merged), &whole);
        let naive = naive(&docs);
        prop_assert_eq!(whole.len(), naive.len());
        for row in whole {
            let row = row.as_array().unwrap();
            let hour = &row[1];
            let expected = &naive[&json!([row[0], hour]).to_string()];
            for (at, (found, expected)) in row[2..].iter().zip(expected).enumerate() {
                prop_assert!(same(found, expected), "value {}: {} for {} in {:?}", at, found, expected, row);
                if at != 3 && at != 6 {
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}

#[test]
fn rows_are_sorted_and_cut() {
    let docs: Vec<(usize, Json)> = (0..40)
        .map(|n| (n, json!({"a": n % 7, "n": n % 5, "t": 0})))
        .collect();
    let order = |column: &str, descending| Order {
        column: column.to_owned(),
        descending,
    };
    let sorted = everything(&[order("sum", true), order("a", false)]);
    let all = rows(fold(&sorted, &docs));
    let key = |row: &Json| (-row[4].as_i64().unwrap(), row[0].as_i64().unwrap());
    assert!(all.len() == 7 && all.is_sorted_by_key(key));
    for (skip, limit) in [(0, 3), (2, 3), (6, 5), (7, 1), (0, 0), (9, usize::MAX)] {
        let report = fold(&sorted, &docs).finish(skip, limit);
        let found: Vec<Json> = report.map(|row| serde_json::from_str(&row[0]).unwrap()).collect();
        let expected: Vec<Json> = all
            .iter()
            .skip(skip)
            .take(limit)
            .map(|row| row[0].clone())
            .collect();
        assert_eq!(found, expected, "{skip} {limit}");
    }
    let by_group = rows(fold(&everything(&[]), &docs));
    assert!(by_group.is_sorted_by_key(|row| row[0].as_i64()));
}

#[test]
fn equal_values_are_one_group_however_they_are_spelled() {
    let aggregate = Aggregate::new(
        vec![group("a", None)],
        vec![value("n", Measure::Count, None)],
        &[],
    );
    let mut fold = Fold::new(Arc::new(aggregate.unwrap()));
    for text in ["1", "1.0", "\"x\"", r#""\u0078""#, "null", "[1,2]", "[1.0,2]"] {
        fold.add_found("x", &[Some(text)]);
    }
    fold.add_found("x", &[None]);
    let rows: Vec<_> = fold.finish(0, usize::MAX).map(|row| row.join(" ")).collect();
    assert_eq!(rows, ["null 2", "1 2", "\"x\" 2", "[1,2] 2"]);
}

#[test]
fn without_groups_there_is_one_row_even_of_nothing() {
    let values = || {
        vec![
            value("n", Measure::Count, None),
            value("m", Measure::Max, Some("x")),
        ]
    };
    let aggregate = Arc::new(Aggregate::new(Vec::new(), values(), &[]).unwrap());
    let rows: Vec<_> = Fold::new(aggregate).finish(0, 9).collect();
    assert_eq!(rows, [["0", "null"]]);
    let aggregate = Arc::new(Aggregate::new(vec![group("a", None)], values(), &[]).unwrap());
    assert_eq!(Fold::new(aggregate).finish(0, 9).len(), 0);
}

#[test]
fn memory_is_counted_as_it_is_taken() {
    let aggregate = everything(&[]);
    let docs: Vec<(usize, Json)> = (0..3000).map(|n| (n, json!({"a": n / 3, "n": n}))).collect();
    let whole = fold(&aggregate, &docs);
    let mut merged = fold(&aggregate, &docs[..1000]);
    merged.merge(fold(&aggregate, &docs[1000..]));
    let counted: usize = whole.bytes();
    assert!(counted > 1000 * 500 && counted.abs_diff(merged.bytes()) < counted / 5);
    // What comes and goes leaves nothing behind.
    let top = Measure::Ranked {
        most: 2,
        greatest: true,
        shown: vec![("n".to_owned(), FieldPath::parse("n").unwrap())],
    };
    let aggregate = Arc::new(Aggregate::new(vec![], vec![value("t", top, Some("n"))], &[]).unwrap());
    let longer: Vec<(usize, Json)> = (0..3000).map(|n| (n, json!({"n": n}))).collect();
    assert!(fold(&aggregate, &longer).bytes() < fold(&aggregate, &longer[2000..2002]).bytes() + 100);
}

#[test]
fn what_is_refused() {
    let count = || value("n", Measure::Count, None);
    let refused = |groups, values, sort: &[Order]| Aggregate::new(groups, values, sort).unwrap_err();
    assert_eq!(refused(vec![], vec![], &[]), InvalidAggregate::Nothing);
    let twice = refused(vec![group("n", None)], vec![count()], &[]);
    assert_eq!(twice, InvalidAggregate::ColumnTwice("n".into()));
    let many = (0..=AGGREGATE_COLUMNS_MAX)
        .map(|n| group(&format!("g{n}"), None))
        .collect();
    assert_eq!(refused(many, vec![], &[]), InvalidAggregate::TooManyColumns);
    let by = [Order {
        column: "x".into(),
        descending: false,
    }];
    assert_eq!(
        refused(vec![], vec![count()], &by),
        InvalidAggregate::NoColumn("x".into())
    );
    for field in ["_attachments.x", "_id.0", "_deleted"] {
        assert_eq!(
            refused(vec![group(field, None)], vec![], &[]),
            InvalidAggregate::Field(field.into())
        );
    }
    for measure in [Measure::Percentile(101.0), ranked(0, true), ranked(101, true)] {
        let refused = refused(vec![], vec![value("v", measure, Some("n"))], &[]);
        assert_eq!(refused, InvalidAggregate::OutOfRange("v".into()));
    }
}
