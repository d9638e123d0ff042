//! Maps and reduces: what is emitted, what is lost when one throws, what the document may suffer.

use crate::{check_rows, mapping, message, sandbox};
use trunkline_js::Sources;

#[test]
fn each_map_gives_its_rows_in_order() {
    let mut sandbox = mapping(&[
        "function (doc) { if (doc.type === 'cdr') emit([doc.account, doc.started], doc.seconds) }",
        "function (doc) { emit(doc.b); emit(doc.a, 1); emit(doc.b, {x: [1, 2]}) }",
        "function (doc) { if (doc.type === 'ledger') emit(1, 2) }",
    ]);
    let doc = r#"{"type":"cdr","account":"x","started":5,"seconds":61,"a":"é😀","b":null}"#;
    let rows = [
        Ok(r#"[[["x",5],61]]"#.to_string()),
        Ok(r#"[[null,null],["é😀",1],[null,{"x":[1,2]}]]"#.to_string()),
        Ok("[]".to_string()),
    ];
    assert_eq!(sandbox.map(doc), rows);
    assert_eq!(sandbox.map(doc), rows);
}

#[test]
fn a_throw_loses_all_rows_of_that_map_and_document_only() {
    let mut sandbox = mapping(&[
        "function (doc) { emit(1); emit(doc.metadata.x) }",
        "function (doc) { emit(2) }",
    ]);
    let rows = sandbox.map("{}");
    assert!(message(&rows[0]).starts_with("TypeError: "), "{rows:?}");
    assert_eq!(rows[1], Ok("[[2,null]]".to_string()));
    let rows = sandbox.map(r#"{"metadata":{"x":"y"}}"#);
    assert_eq!(rows[0], Ok(r#"[[1,null],["y",null]]"#.to_string()));
}

#[test]
fn documents_are_frozen_all_the_way_down() {
    let push = "function (doc) { var f = doc.features || []; f.push('z'); emit(f) }";
    check_rows(push, "{}", r#"[[["z"],null]]"#);
    let rows = mapping(&[push]).map(r#"{"features":["a"]}"#);
    assert!(message(&rows[0]).starts_with("TypeError: "), "{rows:?}");
    // Assignment is ignored without a word, in sloppy mode.
    check_rows(
        "function (doc) { doc.a = 2; delete doc.b; doc.c.d[0] = 9; emit(doc) }",
        r#"{"a":1,"b":2,"c":{"d":[1]}}"#,
        r#"[[{"a":1,"b":2,"c":{"d":[1]}},null]]"#,
    );
}

#[test]
fn reduces_get_keys_values_and_rereduce() {
    let mut sandbox = sandbox(Sources {
        reduces: vec![
            "function (keys, values, rereduce) { return [keys, values, rereduce] }".into(),
            "function (keys, values) { return sum(values) };".into(),
            "function () { return Iterator({}) }".into(),
            "function () {}".into(),
        ],
        ..Sources::default()
    });
    assert_eq!(
        sandbox.reduce(0, r#"[["k","id"]]"#, "[1]"),
        Ok(r#"[[["k","id"]],[1],false]"#.to_string())
    );
    assert_eq!(sandbox.rereduce(0, "[1,2]"), Ok("[null,[1,2],true]".to_string()));
    assert_eq!(sandbox.rereduce(1, "[1,2.5]"), Ok("3.5".to_string()));
    assert!(message(&sandbox.rereduce(2, "[]")).starts_with("TypeError"));
    assert_eq!(sandbox.rereduce(3, "[]"), Ok("null".to_string()));
}
