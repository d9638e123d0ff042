//! Questions of an embedder: views, selectors, moments, rules.

mod find;
mod native;
mod partitions;
mod rules;
mod served;
mod snapshot;
mod views;

use serde_json::{Value, json};
use trunkline::{Database, Store};

pub(super) fn open() -> (tempfile::TempDir, Store, Database) {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(temp.path()).unwrap();
    let database = store.database("cdrs").unwrap();
    (temp, store, database)
}

/// Calls of two accounts: the minute of each is its number.
pub(super) fn put_calls(db: &Database, calls: std::ops::Range<u32>) {
    let mut edits = trunkline::Edits::new();
    for n in calls {
        let account = if n % 3 == 0 { "a" } else { "b" };
        let call = json!({"account": account, "n": n, "seconds": n * 10});
        edits.put(&format!("call-{n:05}"), &call).unwrap();
    }
    db.write_all(edits).unwrap();
}

pub(super) fn put_design(db: &Database) {
    let design = json!({"views": {"by_account": {
        "map": "function (doc) { if (doc.account) emit([doc.account, doc.n], doc.seconds); }",
        "reduce": "_sum",
    }, "plain": {"map": "function (doc) { emit(null, {_id: 'call-00000'}); }"}}});
    db.put("_design/billing", &design).unwrap();
}

/// Results that all went well.
pub(super) fn all<T>(results: impl Iterator<Item = trunkline::Result<T>>) -> Vec<T> {
    results.map(|result| result.unwrap()).collect()
}

pub(super) fn ids<T>(docs: &[trunkline::Doc<T>]) -> Vec<&str> {
    docs.iter().map(|doc| doc.id.as_str()).collect()
}

/// A document of any kind.
pub(super) type AnyDoc = trunkline::Doc<Value>;
