//! Functions that are called by themselves: validation, filters, updates, and what they throw and log.

use crate::{calling, message, sandbox};
use trunkline_js::{Failure, Sources};

#[test]
fn arguments_and_results_are_json() {
    let mut sandbox = calling(&[
        "function (a, b) { return {a: b, none: undefined, nan: NaN, when: new Date(0), f: function () {}} }",
        "(a) => { a.x = 1; return [a, , a] }",
        "function () {}",
    ]);
    assert_eq!(
        sandbox.call(0, &["1", r#"[null,"é"]"#]),
        Ok(r#"{"a":[null,"é"],"nan":null,"when":"1970-01-01T00:00:00.000Z"}"#.to_string())
    );
    assert_eq!(
        sandbox.call(1, &["{}"]),
        Ok(r#"[{"x":1},null,{"x":1}]"#.to_string())
    );
    assert_eq!(sandbox.call(2, &[]), Ok("null".to_string()));
    assert!(matches!(sandbox.call(3, &[]), Err(Failure::Unavailable(_))));
    assert!(message(&sandbox.call(2, &["{"])).starts_with("SyntaxError"));
}

#[test]
fn what_is_thrown_comes_out_as_json_and_as_text() {
    let mut sandbox = calling(&[
        "function () { throw {forbidden: 'no\\nway'} }",
        "function () { throw new Error('two\\nlines') }",
        "function () { throw 'text' }",
        "function () { throw undefined }",
        "function () { throw {toString: 1, valueOf: 2, toJSON: function () { throw 1 }} }",
        "function () { var a = []; a[0] = a; return a }",
        "function () { return 1n }",
    ]);
    let mut thrown = |index| match sandbox.call(index, &[]) {
        Err(Failure::Threw { value, message }) => (value.unwrap_or_default(), message),
        other => panic!("nothing was thrown: {other:?}"),
    };
    assert_eq!(thrown(0).0, r#"{"forbidden":"no\nway"}"#);
    assert_eq!(thrown(1), (String::new(), "Error: two lines".to_string()));
    assert_eq!(thrown(2), (r#""text""#.to_string(), "text".to_string()));
    assert_eq!(thrown(3), (String::new(), "undefined".to_string()));
    assert_eq!(thrown(4).1, "a value that has no text was thrown");
    assert!(thrown(5).1.starts_with("TypeError: "), "a circle");
    assert!(thrown(6).1.starts_with("TypeError: "), "a BigInt");
}

#[test]
fn a_filter_takes_many_documents_at_once() {
    let mut sandbox = calling(&["function (doc, req) { return doc.type == req.query.type }"]);
    let docs = [r#"{"type":"a"}"#, r#"{"type":"b"}"#, "{}"];
    let req = r#"{"query":{"type":"a"}}"#;
    assert_eq!(sandbox.filter(0, &docs, req), Ok(vec![true, false, false]));
    assert_eq!(sandbox.filter(0, &[], req), Ok(vec![]));
    assert!(message(&sandbox.filter(0, &docs, "{}")).starts_with("TypeError"));
}

#[test]
fn functions_see_the_design_document_as_this() {
    let mut sandbox = sandbox(Sources {
        functions: vec!["function () { this.a = 2; return this.a + require('lib/x').y }".into()],
        modules: Some(r#"{"a":1,"lib":{"x":"exports.y = 10"}}"#.into()),
        ..Sources::default()
    });
    assert_eq!(sandbox.call(0, &[]), Ok("11".to_string()));
}

#[test]
fn log_lines_are_handed_out_once_and_are_bounded() {
    let mut sandbox = calling(&[
        "function () { log('one'); log({two: 2}); log(undefined); log('\\ud800') }",
        "function () { for (var i = 0; i < 100000; i++) log('') }",
    ]);
    assert_eq!(sandbox.call(0, &[]), Ok("null".to_string()));
    assert_eq!(
        sandbox.take_log(),
        ["one", r#"{"two":2}"#, "undefined", "\u{fffd}"]
    );
    assert!(sandbox.take_log().is_empty());
    assert_eq!(sandbox.call(1, &[]), Ok("null".to_string()));
    assert!(sandbox.take_log().len() < 10_000);
}
