//! Any text as the source of a function, within tight bounds: it compiles or not, and a call ends in time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use trunkline_core::json;
use trunkline_js::{Limits, Sandbox, Sources};

const DOC: &str = r#"{"_id":"a","a":{"b":[1,2,3]},"text":"abc"}"#;

fuzz_target!(|text: &str| {
    let source = vec![text.to_owned()];
    let limits = Limits {
        memory_bytes: 4 << 20,
        stack_bytes: 128 << 10,
        call_time: Duration::from_millis(5),
    };
    let sources = Sources {
        maps: source.clone(),
        reduces: source.clone(),
        functions: source,
        modules: Some(DOC.to_owned()),
    };
    let Ok(mut sandbox) = Sandbox::new(sources, limits) else {
        return;
    };
    let mut results = sandbox.map(DOC);
    results.push(sandbox.reduce(0, r#"[["a","x"],[null,"y"]]"#, "[1,2]"));
    results.push(sandbox.rereduce(0, "[1,[2],{}]"));
    results.push(sandbox.call(0, &[DOC, "null", "{}"]));
    let _ = sandbox.filter(0, &[DOC, "{}"], "{}");
    for result in results.into_iter().flatten() {
        json::validate(result.as_bytes()).expect("a result is JSON");
    }
});
