//! Functions that go over their bounds again and again: they do not hold up what they are called for, and nothing is left
//! out unseen.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::ops::ControlFlow;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::{FUNCTION_HURRIED_ENDINGS_MAX, VALIDATOR_ENDINGS_MAX};
use trunkline_query::design::Design;
use trunkline_query::view::Keys;
use trunkline_query::{Indexes, guards};
use trunkline_store::{Batch, Database, Outcome, Store};
use trunkline_wire::design_doc;

/// Takes all memory there is.
const HOARD: &str = "var all = []; for (;;) all.push('x'.repeat(1e6) + all.length);";

fn database(store: &Store) -> Database {
    store.create(&DbName::parse("db").unwrap()).unwrap()
}

fn put(db: &Database, docs: &[(String, String)]) -> Vec<Outcome> {
    let edit = |(id, body): &(String, String)| {
        Edit::Interactive(InteractiveEdit {
            id: DocId::parse(id).unwrap(),
            parent: None,
            deleted: false,
            body: Body::from_stored(body.clone()),
            attachments: Vec::new(),
        })
    };
    let batch = Batch {
        edits: docs.iter().map(edit).collect(),
        ..Batch::default()
    };
    db.update(batch).unwrap()
}

#[test]
fn a_validator_that_is_ended_too_often_judges_no_more_of_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.set_guard_maker(guards());
    let db = database(&store);
    let source = format!("function (doc) {{ if (doc.bad) {{ {HOARD} }} }}");
    let design = serde_json::json!({ "validate_doc_update": source }).to_string();
    assert!(put(&db, &[("_design/v".into(), design)])[0].is_ok());

    let bad = VALIDATOR_ENDINGS_MAX as usize + 2;
    let mut docs: Vec<(String, String)> = (0..bad)
        .map(|n| (format!("a{n}"), "{\"bad\":true}".to_owned()))
        .collect();
    docs.push(("b".into(), "{}".into()));
    let reasons: Vec<String> = put(&db, &docs)
        .into_iter()
        .map(|outcome| outcome.unwrap_err().to_string())
        .collect();
    let (ended, unheard) = reasons.split_at(VALIDATOR_ENDINGS_MAX as usize);
    assert!(
        ended.iter().all(|reason| reason.contains("too much memory")),
        "{ended:?}"
    );
    assert!(
        unheard
            .iter()
            .all(|reason| reason.contains("_design/v was ended 3 times in this commit")),
        "{unheard:?}"
    );
    // The next commit begins anew.
    assert!(put(&db, &docs[bad..])[0].is_ok());
    store.close().unwrap();
}

#[test]
fn a_map_that_is_ended_too_often_still_sees_each_document() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let db = database(&store);
    let bad = u64::from(FUNCTION_HURRIED_ENDINGS_MAX) + 20;
    let docs: Vec<(String, String)> = (0..bad + 10)
        .map(|n| {
            (
                format!("doc-{n:04}"),
                format!("{{\"n\":{n},\"bad\":{}}}", n < bad),
            )
        })
        .collect();
    assert!(put(&db, &docs).iter().all(Result::is_ok));
    let body = serde_json::json!({"views": {
        "bad": {"map": format!("function (doc) {{ if (doc.bad) {{ {HOARD} }} emit(doc.n); }}")},
        "good": {"map": "function (doc) { emit(doc.n); }"},
    }});
    let design = Design::new(&design_doc::parse(&body.to_string()).unwrap());
    let index = Indexes::default().index(&db, design).unwrap();
    index.update().unwrap();
    let count = |view: &str| {
        let view = index.design().views[view].number;
        let places = Keys::default().places(view, index.collation(view)).unwrap();
        let mut rows = 0;
        let mut each = |_: trunkline_query::index::Row<'_>| {
            rows += 1;
            ControlFlow::Continue(())
        };
        index
            .rows(&index.snapshot().unwrap().unwrap(), &places, 0, &mut each)
            .unwrap();
        rows
    };
    assert_eq!(count("good"), bad + 10);
    assert_eq!(count("bad"), 10);
    drop(index);
    store.close().unwrap();
}
