//! Design documents as large telephony platforms have them: old habits, sloppy globals, frozen documents, throws.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::ops::ControlFlow;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_query::design::Design;
use trunkline_query::index::Grouping;
use trunkline_query::view::Keys;
use trunkline_query::{Indexes, ViewIndex};
use trunkline_store::{Batch, Database, Store};
use trunkline_wire::{design_doc, document};

const DOCUMENTS: &str = include_str!("../../../tests/fixtures/documents.ndjson");
const CALLS: &str = include_str!("../../../tests/fixtures/designs/calls.json");
const BILLING: &str = include_str!("../../../tests/fixtures/designs/billing.json");
const MAINTENANCE: &str = include_str!("../../../tests/fixtures/designs/maintenance.json");

fn put(db: &Database, text: &str) {
    let doc = document::parse(text.as_bytes()).unwrap();
    let edit = InteractiveEdit {
        id: DocId::parse(&doc.id.unwrap()).unwrap(),
        parent: None,
        deleted: false,
        body: doc.body,
        attachments: Vec::new(),
    };
    let batch = Batch {
        edits: vec![Edit::Interactive(edit)],
        ..Batch::default()
    };
    db.update(batch).unwrap().remove(0).unwrap();
}

/// The rows of a view, `key => value`, or of its reduction by groups.
fn asked(index: &ViewIndex, view: &str, grouping: Option<Grouping>) -> Vec<String> {
    let of_design = index.design().views[view];
    let places = Keys::default()
        .places(of_design.number, index.collation(of_design.number))
        .unwrap();
    let snapshot = index.snapshot().unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut seen = Vec::new();
    match grouping {
        None => {
            let each = &mut |row: trunkline_query::index::Row<'_>| {
                seen.push(format!("{} => {}", text(row.key), text(row.value)));
                ControlFlow::Continue(())
            };
            index.rows(&snapshot, &places, 0, each).unwrap();
        }
        Some(grouping) => {
            let reduce = of_design.reduce.unwrap();
            let each = &mut |key: &[u8], value: Result<String, _>| {
                seen.push(format!("{} => {}", text(key), value.unwrap()));
                Ok(ControlFlow::Continue(()))
            };
            index.reduce(&snapshot, &places, grouping, reduce, each).unwrap();
        }
    }
    seen
}

#[track_caller]
fn check(design: &str, view: &str, grouping: Option<Grouping>, expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let db = store
        .create(&DbName::parse("account/ab/cd/0123-202611").unwrap())
        .unwrap();
    DOCUMENTS.lines().for_each(|line| put(&db, line));
    put(&db, design);
    let body: Body = document::parse(design.as_bytes()).unwrap().body;
    let index = Indexes::default()
        .index(&db, Design::new(&design_doc::parse(body.as_str()).unwrap()))
        .unwrap();
    index.update().unwrap();
    assert_eq!(asked(&index, view, grouping), expected, "{view}");
}

#[test]
fn listings() {
    check(
        CALLS,
        "by_owner",
        None,
        &[
            r#"["olga",1000,"202611-a1"] => {"number":"+14155550101","seconds":50}"#,
            r#"["olga",1020,"202611-a2"] => {"number":"+14155550102","seconds":0,"note":null}"#,
            r#"["Özil",900,"202611-b1"] => {"number":"+14155550103","seconds":7.5}"#,
        ],
    );
    let times = [
        "[900,\"202611-b1\"]",
        "[905,\"202611-b2\"]",
        "[1000,\"202611-a1\"]",
        "[1020,\"202611-a2\"]",
    ];
    check(
        CALLS,
        "by_time",
        None,
        &times
            .map(|key| format!("{key} => null"))
            .each_ref()
            .map(String::as_str),
    );
    check(
        CALLS,
        "by_call_id",
        None,
        &[
            r#""a1" => "1""#,
            r#""a1-bad" => null"#,
            r#""a1-leg" => 12"#,
            r#""a2" => "1""#,
            r#""b1" => "1""#,
            r#""b2" => "1""#,
        ],
    );
}

#[test]
fn documents_cannot_be_changed_by_a_map() {
    // The one that has features throws, and is left out.
    let ids = [
        "202611-a1",
        "202611-a2",
        "202611-b2",
        "202611-c1",
        "ledger-1",
        "ledger-2",
        "ledger-3",
        "ledger-4",
    ];
    check(
        CALLS,
        "with_features",
        None,
        &ids.map(|id| format!("\"{id}\" => 1"))
            .each_ref()
            .map(String::as_str),
    );
}

#[test]
fn reductions() {
    check(
        CALLS,
        "interactions",
        Some(Grouping::Elements(1)),
        &[
            r#"["i1",1000] => {"id":"202611-a1","begun":1000}"#,
            r#"["i2",900] => {"id":"202611-b1","begun":900}"#,
        ],
    );
    check(
        BILLING,
        "seconds_by_account",
        Some(Grouping::Keys),
        &[
            r#"["north","in"] => 50"#,
            r#"["north","out"] => 0"#,
            r#"["south","in"] => 68.5"#,
        ],
    );
    check(
        BILLING,
        "cents_by_month",
        Some(Grouping::Keys),
        &[
            r#"["north","202610"] => 115"#,
            r#"["north","202611"] => 730"#,
            r#"["south","202611"] => 10"#,
        ],
    );
    check(
        BILLING,
        "usage",
        Some(Grouping::Elements(1)),
        &[
            r#"["north","202610"] => {"calls":3.4499999999999997,"numbers":5}"#,
            r#"["south","202611"] => {"calls":0.1}"#,
        ],
    );
    check(
        BILLING,
        "calls_by_cause",
        Some(Grouping::Keys),
        &["null => 2", "\"NO_ANSWER\" => 1", "\"NORMAL_CLEARING\" => 2"],
    );
    check(
        BILLING,
        "talk_time",
        Some(Grouping::All),
        &[r#""north" => {"sum":1117.5,"count":5,"min":0,"max":999,"sumsqr":1004278.25}"#],
    );
}

#[test]
fn maintenance() {
    check(
        MAINTENANCE,
        "soft_deletes",
        None,
        &[r#"["call","202611-c1"] => "1""#],
    );
    check(MAINTENANCE, "designs", None, &[r#""maintenance" => null"#]);
    check(MAINTENANCE, "conflicts", Some(Grouping::All), &[]);
    check(MAINTENANCE, "storage", None, &[]);
    // These throw, each in its own way.
    check(MAINTENANCE, "broken", None, &[]);
    check(MAINTENANCE, "old_engine", None, &[]);
}
