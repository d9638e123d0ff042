//! Documents through a few map functions: what comes back is rows of JSON, whatever the document is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use trunkline_core::collate::Collation;
use trunkline_core::json::{self, JsonError};
use trunkline_js::{Limits, Sandbox, Sources};

const MAPS: [&str; 5] = [
    "function (doc) { emit(doc, doc); }",
    "function (doc) { for (var name in doc) { emit(name, doc[name]); emit([doc[name], name]); } }",
    "doc => { emit(toJSON(doc), Object.keys(doc).length); emit(undefined, [undefined, NaN, isArray(doc)]); }",
    "function (doc) { emit(sum(doc.a), doc.a + doc.b); doc.a = 1; doc.a.b.c = 2; }",
    "function (doc) { emit(doc.a.b, doc.a.toJSON()); emit({toString: doc.a, toJSON: doc.b}, new Date(doc.a)); }",
];

thread_local! {
    static SANDBOX: RefCell<Sandbox> = RefCell::new({
        let sources = Sources {
            maps: MAPS.map(str::to_owned).to_vec(),
            ..Sources::default()
        };
        Sandbox::new(sources, Limits::default()).expect("they compile")
    });
}

fuzz_target!(|text: &str| {
    if json::split_object::<JsonError>(text, |_, _| Ok(())).is_err() {
        return;
    }
    let all = SANDBOX.with_borrow_mut(|sandbox| sandbox.map(text));
    assert_eq!(all.len(), MAPS.len());
    for rows in all.into_iter().flatten() {
        json::validate(rows.as_bytes()).expect("rows are JSON");
        let each = |row: &str| {
            let mut parts = Vec::new();
            json::elements(row, |part| {
                parts.push(part.len());
                let _ = Collation::Unicode.sort_key(part, &mut Vec::new());
                Ok::<_, JsonError>(())
            })?;
            assert_eq!(parts.len(), 2);
            Ok::<_, JsonError>(())
        };
        json::elements(&rows, each).expect("a row is an array");
    }
});
