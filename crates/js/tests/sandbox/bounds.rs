//! Functions that would go on for ever, take all memory or all stack: they fail alone, and the sandbox goes on.

use std::time::Duration;

use crate::message;
use trunkline_js::{Failure, Limits, Sandbox, Sources};

/// Little enough that a test of it is short, enough for what is not over it on a busy machine.
const TIGHT: Limits = Limits {
    memory_bytes: 16 * 1024 * 1024,
    stack_bytes: 256 * 1024,
    call_time: Duration::from_millis(500),
};

/// For what is to end by itself.
const PATIENT: Limits = Limits {
    call_time: Duration::from_secs(60),
    ..TIGHT
};

fn bounded(maps: Vec<String>, limits: Limits) -> Sandbox {
    let sources = Sources {
        maps,
        ..Sources::default()
    };
    Sandbox::new(sources, limits).expect("functions that compile")
}

/// Maps of which the middle one, called with `{"bad":1}`, does what it should not.
#[track_caller]
fn check_bad_map(body: &str, is_right: impl Fn(&Failure) -> bool) {
    check_bad_map_within(PATIENT, body, is_right);
}

#[track_caller]
fn check_bad_map_within(limits: Limits, body: &str, is_right: impl Fn(&Failure) -> bool) {
    let maps = vec![
        "function (doc) { emit(1) }".to_string(),
        format!("function (doc) {{ emit(0); if (doc.bad) {{ {body} }} }}"),
        "function (doc) { emit(2) }".to_string(),
    ];
    let mut sandbox = bounded(maps, limits);
    let rows = sandbox.map(r#"{"bad":1}"#);
    assert_eq!(rows[0], Ok("[[1,null]]".to_string()), "{body}");
    assert_eq!(rows[2], Ok("[[2,null]]".to_string()), "{body}");
    assert!(rows[1].as_ref().is_err_and(is_right), "{body}: {:?}", rows[1]);
    let rows = sandbox.map("{}");
    assert!(rows.iter().all(Result::is_ok), "after {body}: {rows:?}");
}

#[test]
fn what_takes_too_long_is_ended() {
    for body in [
        "while (true);",
        "while (true) { try { while (true); } catch (e) {} finally { emit(1) } }",
        "(function f() { for (;;) try { f() } catch (e) {} })()",
        "emit(/^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'))",
        "emit({toJSON: function () { while (true); }})",
        "emit({get x() { while (true); }})",
        "throw {toString: function () { while (true); }}",
        "Array.prototype.indexOf.call({length: 9e15}, 1)",
        "JSON.parse('[1]', function () { while (true); })",
        "var p = new Proxy({}, {get: function () { while (true); }}); p.x",
        "var s = 'a'.repeat(1e6); for (;;) s.indexOf('a'.repeat(1e3) + 'b')",
        "var s = 'a'.repeat(1e5); for (;;) try { s.split('a'.repeat(400) + 'b') } catch (e) {}",
        "var s = 'a'.repeat(1e6); for (;;) try { s.toUpperCase() } catch (e) {}",
        "'a'.repeat(4e5).includes('a'.repeat(2e5) + 'b')",
    ] {
        check_bad_map_within(TIGHT, body, |failure| *failure == Failure::TimedOut);
    }
}

#[test]
fn what_takes_too_much_memory_is_ended() {
    for body in [
        "var a = [1]; while (1) a.push(a.concat(a))",
        "var s = 'x'; while (1) s += s + 'y' + s; ",
        "emit('x'.repeat(1 << 29))",
        "all = []; for (;;) all.push({a: 1, b: [2]})",
        "var a = 'x'.repeat(100000), b = []; for (var i = 0; i < 24; i++) b = [b, b, a]; emit(b)",
    ] {
        check_bad_map(body, |failure| match failure {
            Failure::OutOfMemory => true,
            // Lengths that the engine has no strings or arrays for.
            Failure::Threw { message, .. } => {
                message.starts_with("RangeError") || message.contains("too long")
            }
            _ => false,
        });
    }
}

#[test]
fn built_ins_that_do_not_look_at_the_clock_take_no_endless_arrays() {
    let refused =
        |failure: &Failure| matches!(failure, Failure::Threw { message, .. } if message.contains("too long"));
    for name in [
        "concat",
        "copyWithin",
        "fill",
        "flat",
        "join",
        "lastIndexOf",
        "reverse",
        "shift",
        "slice",
        "sort",
        "splice",
        "toReversed",
        "toSorted",
        "toSpliced",
        "unshift",
        "with",
        "toString",
    ] {
        check_bad_map(&format!("new Array(4e9).{name}(0)"), refused);
    }
    check_bad_map("[].concat(new Array(4e9))", refused);
    check_bad_map("doc.constructor.keys({}).fill.call({length: 9e15})", refused);
    check_bad_map("Array.from(new Array(4e9))", refused);
    check_bad_map("String.raw({raw: new Array(4e9)})", refused);
    check_bad_map("Array.prototype.reverse.call({length: 9e15})", refused);
}

#[test]
fn long_texts_are_searched_as_by_the_engine() {
    let map = "function (doc) {
        var a = 'ab'.repeat(3e4) + 'c' + 'ab'.repeat(3e4), b = 'ab'.repeat(300) + 'c';
        emit(a.indexOf(b), [a.indexOf(b, 59400), a.indexOf(b, 59401), a.includes(b), a.includes(b + 'c'), a.indexOf(b + 'a', -1)]);
        emit('abc'.indexOf('', 2), ['abc'.includes('b', 2), 'a.b'.includes('.'), 'aba'.lastIndexOf('a')]);
        emit('x'.indexOf.name, 'x'.indexOf.length);
    }";
    let rows = bounded(vec![map.into()], PATIENT).map("{}");
    let want = r#"[[59400,[59400,-1,true,false,59400]],[2,[false,true,2]],["indexOf",1]]"#;
    assert_eq!(rows, [Ok(want.to_string())]);
}

#[test]
fn what_goes_too_deep_throws() {
    let overflown = |failure: &Failure| matches!(failure, Failure::Threw { message, .. } if message.starts_with("RangeError"));
    check_bad_map("(function f() { return 1 + f() })()", overflown);
    check_bad_map(
        "var a = []; for (var i = 0; i < 1e5; i++) a = [a]; emit(a)",
        overflown,
    );
    check_bad_map("JSON.parse('['.repeat(1e5))", overflown);
}

#[test]
fn a_document_too_deep_fails_and_one_of_64_levels_does_not() {
    let nested = |levels: usize| format!("{}1{}", r#"{"a":["#.repeat(levels), "]}".repeat(levels));
    let maps = vec!["function (doc) { emit(doc.a) }".to_string()];
    let mut sandbox = bounded(maps, PATIENT);
    let rows = sandbox.map(&nested(32));
    assert!(
        rows[0].as_ref().is_ok_and(|rows| rows.contains("[1]")),
        "{rows:?}"
    );
    assert!(message(&sandbox.map(&nested(100_000))[0]).starts_with("RangeError"));
    assert!(sandbox.map(&nested(32))[0].is_ok());
}

#[test]
fn memory_that_leaks_away_is_got_back() {
    let maps =
        vec!["function (doc) { kept = this.kept || []; kept.push('x'.repeat(100000)); emit(doc.n) }".into()];
    let mut sandbox = bounded(maps, PATIENT);
    for n in 0..1000 {
        assert_eq!(
            sandbox.map(&format!("{{\"n\":{n}}}")),
            [Ok(format!("[[{n},null]]"))]
        );
    }
}

#[test]
fn calls_and_reductions_are_bounded_too() {
    let sources = Sources {
        reduces: vec!["function (keys, values) { while (values[0]); return 1 }".into()],
        functions: vec!["function (a) { while (a); return 2 }".into()],
        ..Sources::default()
    };
    let mut sandbox = Sandbox::new(sources, TIGHT).expect("functions that compile");
    assert_eq!(sandbox.rereduce(0, "[1]"), Err(Failure::TimedOut));
    assert_eq!(sandbox.call(0, &["true"]), Err(Failure::TimedOut));
    assert_eq!(sandbox.filter(0, &["0", "1"], "null"), Err(Failure::TimedOut));
    assert_eq!(sandbox.rereduce(0, "[0]"), Ok("1".to_string()));
    assert_eq!(sandbox.call(0, &["false"]), Ok("2".to_string()));
}

#[test]
fn a_document_of_a_megabyte_is_mapped() {
    let maps = vec!["function (doc) { emit(doc.list.length, doc) }".to_string()];
    let mut sandbox = Sandbox::new(
        Sources {
            maps,
            ..Sources::default()
        },
        Limits::default(),
    )
    .expect("it compiles");
    let doc = format!(
        r#"{{"list":["{}"],"text":"{}"}}"#,
        vec!["0123456789"; 40_000].join("\",\""),
        "é".repeat(300_000)
    );
    let want = format!("[[40000,{doc}]]");
    assert!(sandbox.map(&doc) == [Ok(want)], "not the document");
}

#[test]
fn a_map_of_its_own_time_holds_up_no_other() {
    let maps = vec![
        "function (doc) { emit(1) }".to_string(),
        "function (doc) { while (doc.bad); emit(2) }".to_string(),
    ];
    let mut sandbox = bounded(maps, Limits::default());
    sandbox.set_map_time(1, Duration::from_millis(50));
    for doc in [r#"{"bad":1}"#, "{}", r#"{"bad":2}"#] {
        let second = match doc {
            "{}" => Ok("[[2,null]]".to_string()),
            _ => Err(Failure::TimedOut),
        };
        assert_eq!(sandbox.map(doc), [Ok("[[1,null]]".to_string()), second], "{doc}");
    }
}

#[test]
fn several_reductions_at_once_are_what_each_alone_is() {
    let sources = Sources {
        reduces: vec![
            "function (keys, values) { while (values[0] < 0); return sum(values) + keys[0][0] }".into(),
        ],
        ..Sources::default()
    };
    let mut sandbox = Sandbox::new(sources, TIGHT).expect("functions that compile");
    let good = ("[[1,\"a\"]]", "[1,2]");
    let results = sandbox.reduce_each(0, &[good, ("null", "[4]"), good]);
    assert_eq!(results[0], Ok("4".to_string()));
    assert!(message(&results[1]).starts_with("TypeError"));
    assert_eq!(results[2], results[0]);
    let results = sandbox.reduce_each(0, &[good, ("[[1,2]]", "[-1]"), good]);
    assert_eq!(
        results,
        [Ok("4".to_string()), Err(Failure::TimedOut), Ok("4".to_string())]
    );
}

#[test]
fn what_functions_keep_is_seen() {
    let function = "function (n) { kept = n ? 'x'.repeat(n) : null; return n }";
    let sources = Sources {
        functions: vec![function.into()],
        ..Sources::default()
    };
    let mut sandbox = Sandbox::new(sources, Limits::default()).expect("functions that compile");
    for (bytes, hoards) in [("1000", false), ("6000000", true), ("0", false)] {
        assert!(sandbox.call(0, &[bytes]).is_ok());
        assert_eq!(sandbox.hoards(), hoards, "{bytes}");
    }
}
