//! What is not told of the documents of others.

use crate::asked::{find, gather, walk};
use crate::support::*;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use trunkline_query::index::Grouping;
use trunkline_query::view::Keys;
use trunkline_query::{Error, Indexes, Walk};
use trunkline_store::{Database, Error as StoreError};

fn call(owner: &str, n: u64) -> Value {
    json!({ "owner": owner, "kind": "in", "n": n })
}

fn rows(db: &Database, indexes: &Indexes, update: bool) -> Vec<String> {
    walk(
        db,
        indexes,
        ("all", &Keys::default(), None),
        (0, u64::MAX),
        update,
    )
    .0
}

#[test]
fn what_rows_come_to_is_refused() {
    let (_dir, _store, db) = store();
    define(&db);
    assert!(put(&db, &[("a", call("ann", 1)), ("b", call("bob", 1))])[0].is_ok());
    let indexes = Indexes::default();
    let asked = |db: &Database, grouping| {
        let opened = indexes.open(db, VIEWS).unwrap();
        opened.update().unwrap();
        let (view, index) = (opened.view("counted").unwrap(), opened.index.clone());
        let mut walk = Walk::new(&opened.db, index, view, Keys::default(), None, (0, u64::MAX));
        let snapshot = walk.snapshot().unwrap().unwrap();
        let mut values = Vec::new();
        walk.groups(&snapshot, grouping, &mut |_, value| {
            values.push(value.unwrap());
            ControlFlow::Continue(())
        })?;
        Ok::<_, Error>((values, walk.count(&snapshot)))
    };
    for grouping in [Grouping::All, Grouping::Keys, Grouping::Elements(1)] {
        assert!(asked(&db, grouping).unwrap().0.contains(&"2".to_owned()));
        let refused = asked(&ann(&db), grouping).unwrap_err();
        assert!(matches!(refused, Error::ReducesAll), "{refused:?}");
        assert!(refused.to_string().contains("reduce=false"));
    }
    assert!(matches!(
        indexes.clean(&ann(&db), &[]),
        Err(Error::Store(StoreError::NotWhole))
    ));
}

#[test]
fn a_row_of_what_a_document_was_is_not_shown() {
    let (_dir, _store, db) = store();
    define(&db);
    let docs = [
        ("a", call("ann", 1)),
        ("b", call("bob", 2)),
        ("c", call("ann", 3)),
    ];
    assert!(put(&db, &docs).iter().all(Result::is_ok));
    let indexes = Indexes::default();
    let ann = ann(&db);
    let expected = [r#"a ["in",1] "ann""#, r#"c ["in",3] "ann""#];
    assert_eq!(rows(&ann, &indexes, true), expected);
    // It becomes hers, and the index still has what it was before; another is not hers any more.
    assert!(put(&db, &[("b", call("ann", 4)), ("c", call("bob", 5))])[0].is_ok());
    assert_eq!(rows(&ann, &indexes, false), [expected[0]]);
    assert_eq!(rows(&db, &indexes, false).len(), 3);
    let numbers = ["numbers".to_owned()];
    let asked = r#"{"selector":{"n":{"$gt":0}},"values":{"c":{"count":true},"s":{"sum":"n"}}}"#;
    let (told, _) = gather(&ann, &indexes, asked, &numbers, false);
    assert_eq!(told, gather(&ann, &indexes, asked, &[], true).0);
    assert_eq!(rows(&ann, &indexes, true), [expected[0], r#"b ["in",4] "ann""#]);
}

#[test]
fn how_many_rows_others_have_is_not_told() {
    let (_dir, _store, db) = store();
    define(&db);
    let many: Vec<(String, Value)> = (0..300).map(|n| (format!("b{n}"), call("bob", n))).collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(id, body)| (&**id, body.clone())).collect();
    assert!(put(&db, &many).iter().all(Result::is_ok));
    assert!(put(&db, &[("a", call("ann", 150))])[0].is_ok());
    let indexes = Indexes::default();
    let numbers = ["numbers".to_owned()];
    let fields = ["_id".to_owned(), "n".to_owned()];
    let asked = (r#"{"n":{"$gt":100}}"#, fields.as_slice(), numbers.as_slice());
    let (found, stats) = find(&ann(&db), &indexes, asked, (0, u64::MAX));
    assert_eq!(found, [r#"{"_id":"a","n":150}"#]);
    assert_eq!((stats.keys, stats.docs, stats.results), (1, 1, 1));
    assert!(find(&db, &indexes, asked, (0, u64::MAX)).1.keys > 100);
    let report = r#"{"selector":{"n":{"$gt":100}},"values":{"c":{"count":true}}}"#;
    let (_, stats) = gather(&ann(&db), &indexes, report, &numbers, true);
    assert_eq!((stats.keys, stats.docs), (1, 1));
}
