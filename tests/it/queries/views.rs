//! Views of design documents.

use super::{all, open, put_calls, put_design};
use serde_json::{Value, json};
use trunkline::{Error, Group, Row, View, Views};

type Key = (String, u32);

#[test]
fn rows_of_ranges_and_keys_come_in_the_order_asked_for() {
    let (_temp, _store, db) = open();
    put_design(&db);
    put_calls(&db, 0..12);
    let view = || db.view("billing", "by_account");
    let numbers = |view: trunkline::View| -> Vec<u32> {
        all(view.rows::<Key, u32>()).iter().map(|row| row.key.1).collect()
    };
    assert_eq!(numbers(view()), [0, 3, 6, 9, 1, 2, 4, 5, 7, 8, 10, 11]);
    assert_eq!(numbers(view().prefix(&["a"])), [0, 3, 6, 9]);
    assert_eq!(numbers(view().prefix(&["a"]).descending()), [9, 6, 3, 0]);
    assert_eq!(numbers(view().prefix::<[u8]>(&[]).limit(1)), [0]);
    assert_eq!(numbers(view().start(&("a", 3)).end(&("b", 1))), [3, 6, 9, 1]);
    assert_eq!(numbers(view().start(&("a", 3)).end_before(&("b", 1))), [3, 6, 9]);
    assert_eq!(
        numbers(view().start(&("b", 1)).end(&("a", 6)).descending()),
        [1, 9, 6]
    );
    assert_eq!(numbers(view().keys([("b", 4), ("a", 0), ("c", 1)])), [4, 0]);
    assert_eq!(numbers(view().skip(3).limit(2)), [9, 1]);
    assert_eq!(view().prefix(&["b"]).skip(1).count().unwrap(), 7);
    let row = view().key(&("a", 3)).rows::<Key, u32>().next().unwrap().unwrap();
    let expected = Row {
        id: "call-00003".to_owned(),
        key: ("a".to_owned(), 3),
        value: 30,
    };
    assert_eq!(row, expected);
}

#[test]
fn reductions_are_of_all_rows_or_of_groups() {
    let (_temp, _store, db) = open();
    put_design(&db);
    put_calls(&db, 0..12);
    let view = || db.view("billing", "by_account");
    assert_eq!(view().reduced::<u64>().unwrap(), Some(660));
    assert_eq!(view().prefix(&["c"]).reduced::<u64>().unwrap(), None);
    let by_account = all(view().group_level(1).groups::<(String,), u64>());
    let group = |account: &str, value| Group {
        key: (account.to_owned(),),
        value,
    };
    assert_eq!(by_account, [group("a", 180), group("b", 480)]);
    assert_eq!(view().groups::<Key, u64>().count(), 12);
    assert_eq!(view().keys([("b", 4)]).groups::<Key, u64>().count(), 1);
}

#[test]
fn what_was_written_is_seen_unless_the_index_is_asked_as_it_is() {
    let (_temp, store, db) = open();
    put_design(&db);
    put_calls(&db, 0..5);
    let view = || db.view("billing", "by_account");
    assert_eq!(view().as_it_is().count().unwrap(), 0, "never built");
    assert_eq!(view().as_it_is().rows::<Key, u32>().count(), 0);
    assert_eq!(view().rows::<Key, u32>().count(), 5);
    put_calls(&db, 5..20_000);
    assert_eq!(view().as_it_is().rows::<Key, u32>().count(), 5);
    assert_eq!(all(view().rows::<Key, u32>()).len(), 20_000, "many chunks");
    let doc = db.get::<Value>("call-00001").unwrap().unwrap();
    db.delete("call-00001", &doc.rev).unwrap();
    // Another handle of the same store has the same index.
    let other = store.existing("cdrs").unwrap();
    assert_eq!(view().rows::<Key, u32>().count(), 19_999);
    let again = other.view("billing", "by_account").as_it_is();
    assert_eq!(again.count().unwrap(), 19_999);
}

#[test]
fn rows_come_with_documents() {
    let (_temp, _store, db) = open();
    put_design(&db);
    put_calls(&db, 0..4);
    let own = db.view("billing", "by_account").key(&("b", 2));
    let (row, doc) = own.rows_with_docs::<Key, u32, Value>().next().unwrap().unwrap();
    assert_eq!((row.value, doc.unwrap().value["n"].clone()), (20, json!(2)));
    let linked = all(db.view("billing", "plain").rows_with_docs::<(), Value, Value>());
    assert_eq!(linked.len(), 4);
    assert!(
        linked
            .iter()
            .all(|(_, doc)| doc.as_ref().unwrap().id == "call-00000")
    );
}

#[test]
fn what_cannot_be_asked_is_said() {
    let (_temp, _store, db) = open();
    put_design(&db);
    put_calls(&db, 0..1);
    let view = || db.view("billing", "by_account");
    let invalid = [
        db.view("billing", "plain").reduced::<Value>().map(drop),
        view().keys(["x"]).reduced::<Value>().map(drop),
        view().keys(["x"]).start("y").count().map(drop),
        view().start("y").end("x").count().map(drop),
        view().prefix("x").count().map(drop),
    ];
    for error in invalid {
        assert!(matches!(error, Err(Error::Invalid(_))), "{error:?}");
    }
    for missing in [db.view("no", "view"), db.view("billing", "no")] {
        assert!(matches!(missing.count(), Err(Error::Query(_))));
    }
    let other_type = view().rows::<Key, String>().next().unwrap();
    assert!(matches!(other_type, Err(Error::Value { id, .. }) if id == "call-00000"));
    let sums = json!({"views": {"words": {"map": "function (doc) { emit(1, 'word'); }", "reduce": "_sum"}}});
    db.put("_design/words", &sums).unwrap();
    let unsummable = db.view("words", "words").reduced::<Value>();
    assert!(matches!(unsummable, Err(Error::Reduce(_))), "{unsummable:?}");
    // What was read before comes first.
    put_calls(&db, 1..5);
    let map = "function (doc) { emit(doc.n, doc.n < 3 ? doc.n : 'word'); }";
    let some = json!({"views": {"words": {"map": map, "reduce": "_sum"}}});
    db.put("_design/some", &some).unwrap();
    let mut groups = db.view("some", "words").groups::<u32, u32>();
    let sums: Vec<u32> = groups
        .by_ref()
        .map_while(Result::ok)
        .map(|group| group.value)
        .collect();
    assert_eq!(sums, [0, 1, 2]);
    assert!(groups.next().is_none());
}

#[test]
fn a_prefix_is_of_all_arrays_that_begin_so() {
    let (_temp, store, db) = open();
    let keys = [
        json!("a"),
        json!(["a"]),
        json!(["a", 1]),
        json!(["a", {}]),
        json!(["a", {"x": 1}, 2]),
        json!(["aa"]),
        json!({"a": 1}),
    ];
    let emitted = keys.clone();
    let views = Views::new("keys", 1).view("all", move |_, emit| {
        emitted.iter().for_each(|key| emit.row(key, &()));
    });
    store.define(views).unwrap();
    put_calls(&db, 0..1);
    let found = |view: View| -> Vec<Value> {
        let rows = all(view.rows::<Value, Value>());
        rows.into_iter().map(|row| row.key).collect()
    };
    let view = || db.view("keys", "all").prefix(&["a"]);
    assert_eq!(found(view()), keys[1..5]);
    let mut reversed = keys[1..5].to_vec();
    reversed.reverse();
    assert_eq!(found(view().descending()), reversed);
    assert_eq!(found(db.view("keys", "all").prefix::<[u8]>(&[])), keys[1..6]);
    assert_eq!(found(view().start(&("a", 1)).end(&json!({}))), keys[2..5]);
    assert!(found(view().start(&json!({}))).is_empty());
}
