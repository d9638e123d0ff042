//! What sources of design documents look like, what they find around them, and what they do to it.

use crate::{calling, check_rows, mapping, message, sandbox};
use trunkline_js::{Error, Limits, Role, Sandbox, Sources};

#[test]
fn sources_may_be_written_in_many_ways() {
    for source in [
        "function(doc){emit(1)}",
        "function(doc){emit(1)};",
        " // before\n /* and */ function (doc) { emit(1); } ; // after",
        "function by_type(doc) { emit(1) }",
        "doc => emit(1)",
        "(doc) => { emit(1) };",
        "(function (doc) { emit(1) })",
        "function(doc){function inner(x){return x};var a=[1,,2],b={'x':1,};emit(inner(b.x))};",
        "var one = 1;\n(function (doc) { emit(one) })",
        "function (doc) { 'use strict'; const {a = 1} = doc; let [b] = [a]; emit(b ?? 2) }",
    ] {
        check_rows(source, "{}", "[[1,null]]");
    }
}

#[test]
fn what_is_no_function_does_not_compile() {
    for (source, why) in [
        ("function (doc) { emit(1 }", "SyntaxError: "),
        ("", "no function"),
        ("'text'", "no function"),
        ("async function (doc) { emit(1) }", "async"),
        ("function* (doc) { emit(1) }", "generator"),
        ("async (doc) => emit(1)", "async"),
        ("for each (var x in y) {}", "SyntaxError: "),
        ("nothing.there", "ReferenceError: "),
        ("function (doc) {}\0", ""),
    ] {
        let maps = vec!["function () {}".to_string(), source.to_string()];
        match Sandbox::new(
            Sources {
                maps,
                ..Sources::default()
            },
            Limits::default(),
        ) {
            Err(Error::Compile {
                role: Role::Map(1),
                message,
            }) if message.contains(why) => {}
            other => panic!("{source:?}: {:?}", other.err()),
        }
    }
}

#[test]
fn a_source_that_does_not_end_is_not_compiled() {
    let limits = Limits {
        call_time: std::time::Duration::from_millis(50),
        ..Limits::default()
    };
    let functions = vec!["(function () { while (true); })()".to_string()];
    let made = Sandbox::new(
        Sources {
            functions,
            ..Sources::default()
        },
        limits,
    );
    assert!(matches!(
        made.err(),
        Some(Error::Compile {
            role: Role::Function(0),
            ..
        })
    ));
}

#[test]
fn globals_can_be_assigned_and_belong_to_one_function() {
    let mut sandbox = mapping(&[
        "function (doc) { key = doc.k; sum = 0; for (i in doc) sum++; emit(key, sum); emit(typeof seen) }",
        "function (doc) { seen = 1; emit(typeof key, sum([1, 2])) }",
    ]);
    for _ in 0..2 {
        let rows = sandbox.map(r#"{"k":"a","l":1}"#);
        assert_eq!(rows[0], Ok(r#"[["a",2],["undefined",null]]"#.to_string()));
        assert_eq!(rows[1], Ok(r#"[["undefined",3]]"#.to_string()));
    }
}

#[test]
fn couchdb_s_functions_are_there_and_others_are_not() {
    check_rows(
        "function (doc) { emit(isArray(doc.a), toJSON([1, undefined])); emit(sum([1, , 2]), sum({a: 1, b: 'x'})) }",
        r#"{"a":[]}"#,
        "[[true,\"[1,null]\"],[3,\"1x\"]]",
    );
    let absent = "setTimeout fetch console print load std os process Atomics SharedArrayBuffer WebAssembly WeakRef \
                  performance gc";
    for name in absent.split(' ') {
        check_rows(
            &format!("function () {{ emit(typeof {name}) }}"),
            "{}",
            "[[\"undefined\",null]]",
        );
    }
    check_rows(
        "function () { emit(typeof Math.random(), typeof new Date().getTime()) }",
        "{}",
        r#"[["number","number"]]"#,
    );
    // SpiderMonkey once had it, and maps that use it must not give wrong rows for a right reason.
    let mut sandbox = mapping(&["function (doc) { for (var x in Iterator(doc)) emit(x) }"]);
    assert!(message(&sandbox.map(r#"{"a":1}"#)[0]).starts_with("TypeError"));
}

#[test]
fn values_that_json_lacks_become_null_or_go() {
    check_rows(
        "function () { emit(undefined); emit(NaN, Infinity); emit([undefined, , 1], {a: undefined, f: emit, n: -1/0}); \
         emit(emit); emit(new Date(0), parseInt('abc')); emit(-0, 9007199254740993) }",
        "{}",
        "[[null,null],[null,null],[[null,null,1],{\"n\":null}],[null,null],[\"1970-01-01T00:00:00.000Z\",null],\
         [0,9007199254740992]]",
    );
    check_rows(
        "function (doc) { emit(doc.n) }",
        r#"{"n":12345678901234567890}"#,
        "[[12345678901234567000,null]]",
    );
    let mut sandbox = mapping(&[
        "function () { emit(1n) }",
        "function () { var a = {}; a.a = a; emit(1); emit(a) }",
        "function () { emit({toJSON: function () { throw 'x' }}) }",
        "function () { emit({get a() { throw 'y' }}) }",
        "function () { emit(1) }",
    ]);
    let rows = sandbox.map("{}");
    assert!(rows[..4].iter().all(Result::is_err), "{rows:?}");
    assert_eq!(rows[4], Ok("[[1,null]]".to_string()));
}

#[test]
fn no_surrogate_goes_alone() {
    check_rows(
        "function (doc) { emit(doc.s, 'a\\ud83d'); emit('\\ude00'[0] + 'b', '\\ud83d\\ude00') }",
        r#"{"s":"\ud800x"}"#,
        "[[\"\u{fffd}x\",\"a\u{fffd}\"],[\"\u{fffd}b\",\"😀\"]]",
    );
    check_rows(
        "function (doc) { emit(doc['\\ud800']) }",
        r#"{"\ud800":"\\ud800\u0000"}"#,
        r#"[["\\ud800\u0000",null]]"#,
    );
    let rows = mapping(&["function () { throw '\\ud800\\n!' }"]).map("{}");
    assert_eq!(message(&rows[0]), "\u{fffd} !");
}

#[test]
fn what_a_map_does_to_built_ins_stays_with_it() {
    let vandals = [
        "Array.prototype.push = function () { while (0); return 7 }; Array.prototype.toJSON = function () { return 1 }",
        "Object.prototype.toJSON = function () { return 'x' }; Object.prototype.extra = 1",
        "doc.constructor.prototype.toJSON = function () { return 'x' }; doc.__proto__.extra = 1",
        "doc.list.constructor.prototype.toJSON = function () { return 'x' }; doc.list.__proto__.push = 1",
        "doc.constructor.constructor('JSON = 1; Array = 2; Object.keys = Object.freeze = undefined')()",
        "emit = function () {}; JSON.stringify = JSON.parse = function () { return '!' }; JSON = {}; Object = 1",
        "String.prototype.toString = String.prototype.replaceAll = function () { return '\\n\\n' }",
        "emit.constructor.prototype.call = emit.constructor.prototype.apply = 1; emit.x = 1",
        "Object.defineProperty(Object.prototype, '0', {set: function () { throw 1 }, get: function () { throw 2 }})",
        "Error.prototype.toString = function () { return 'a\\nb\\n' }; null.x",
        "globalThis.emit = globalThis; delete globalThis.Array",
    ];
    for vandal in vandals {
        let vandal = format!("function (doc) {{ {vandal} }}");
        let mut sandbox = mapping(&[
            "function (doc) { emit(1) }",
            &vandal,
            "function (doc) { emit([2], doc) }",
        ]);
        for _ in 0..2 {
            let rows = sandbox.map(r#"{"list":[3]}"#);
            assert_eq!(rows.len(), 3, "{vandal}: {rows:?}");
            assert_eq!(rows[0], Ok("[[1,null]]".to_string()), "{vandal}");
            assert_eq!(rows[2], Ok(r#"[[[2],{"list":[3]}]]"#.to_string()), "{vandal}");
        }
    }
}

#[test]
fn rows_that_are_emitted_too_late_or_tampered_with_are_still_json() {
    for body in [
        "emit({toJSON: function () { emit(5); return 1 }})",
        "Array.prototype.toJSON = function () { return undefined }; emit([1], [2])",
        "Object.prototype.toJSON = function () { return NaN }; emit({}, [1])",
        "var log = emit; emit('\\n!', '\\u2028')",
    ] {
        let rows = mapping(&[&format!("function (doc) {{ {body} }}")]).map("{}");
        let rows: serde_json::Value = serde_json::from_str(rows[0].as_ref().expect("rows")).expect("JSON");
        let pairs = rows.as_array().expect("an array");
        assert!(
            pairs
                .iter()
                .all(|row| row.as_array().is_some_and(|row| row.len() == 2)),
            "{body}: {rows}"
        );
    }
}

#[test]
fn modules_are_required_by_path_once_and_in_circles() {
    let tree = r#"{"views":{"lib":{
        "one": "exports.n = 1; exports.id = module.id;",
        "two": "module.exports = function () { return require('./one').n + require('../lib/deep/three').n }",
        "deep": {"three": "exports.n = require('../one').n + 2 // last"},
        "a": "exports.early = 1; exports.b = require('./b'); exports.late = 2",
        "b": "exports.seen = Object.keys(require('./a'))",
        "count": "calls = (typeof calls == 'undefined' ? 0 : calls) + 1; exports.calls = calls",
        "throws": "throw new Error('inside')", "text": 5
    }}}"#;
    let sources = |body: &str| Sources {
        maps: vec![format!("function (doc) {{ {body} }}")],
        modules: Some(tree.into()),
        ..Sources::default()
    };
    let check = |body: &str, want: &str| {
        let mut sandbox = sandbox(sources(body));
        for _ in 0..2 {
            assert_eq!(sandbox.map("{}"), [Ok(want.to_string())], "{body}");
        }
    };
    check(
        "var m = require('views/lib/one'); emit(m.id, m.n)",
        r#"[["views/lib/one",1]]"#,
    );
    check("emit(require('views/lib/two')())", "[[4,null]]");
    check(
        "emit(require('views/lib/a').b.seen, require('views/lib/a').late)",
        r#"[[["early"],2]]"#,
    );
    check(
        "require('views/lib/count'); emit(require('views/lib/../lib/count').calls)",
        "[[1,null]]",
    );
    for (name, why) in [
        ("views/lib/none", "no module"),
        ("views/lib/text", "no module"),
        ("views/lib", "no module"),
        ("constructor/name", "no module"),
        ("../x", "above the root"),
        ("views/lib/throws", "inside"),
    ] {
        let rows = sandbox(sources(&format!("emit(1); require('{name}')"))).map("{}");
        assert!(message(&rows[0]).contains(why), "{name}: {rows:?}");
    }
    assert!(message(&mapping(&["function () { require('x') }"]).map("{}")[0]).starts_with("ReferenceError"));
    let modules = Sources {
        modules: Some("{".into()),
        ..Sources::default()
    };
    assert!(matches!(
        Sandbox::new(modules, Limits::default()).err(),
        Some(Error::Modules(_))
    ));
}

#[test]
fn a_document_that_is_no_json_fails_for_every_map() {
    let mut sandbox = mapping(&["function () { emit(1) }", "function () { emit(2) }"]);
    for doc in ["", "{", "{\"a\":\0}", "[1,]"] {
        let rows = sandbox.map(doc);
        assert!(
            rows.len() == 2 && rows.iter().all(Result::is_err),
            "{doc:?}: {rows:?}"
        );
    }
    for doc in ["null", "5", "[]", r#"{"__proto__":{"a":1},"constructor":2}"#] {
        assert_eq!(sandbox.map(doc)[1], Ok("[[2,null]]".to_string()), "{doc}");
    }
    assert!(mapping(&[]).map("{}").is_empty());
    assert!(calling(&[]).take_log().is_empty());
}
