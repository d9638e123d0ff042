//! Validation functions are told whose edits they judge.

use crate::support::*;
use serde_json::{Value, json};
use std::sync::Arc;
use trunkline_query::guards;
use trunkline_store::{Asker, Refused};
use trunkline_wire::functions::User;

#[test]
fn validation_functions_are_told_who_asks() {
    let (_dir, store, db) = store();
    store.set_guard_maker(guards());
    let source = "function (doc, old, user) { throw {forbidden: JSON.stringify(user)}; }";
    assert!(put(&db, &[("_design/v", json!({ "validate_doc_update": source }))])[0].is_ok());
    let asker = Asker {
        user: Arc::new(User::new(Some("ann"), ["a", "b"])),
        ..Asker::default()
    };
    let ann = db.on_behalf(Arc::new(asker));
    let nobody = db.on_behalf(Arc::default());
    // In turns: the functions are compiled once, for all who ask.
    for _ in 0..2 {
        for (handle, name, roles) in [
            (&ann, json!("ann"), json!(["a", "b"])),
            (&db, Value::Null, json!(["_admin"])),
            (&nobody, Value::Null, json!([])),
        ] {
            let Some(Err(Refused::Forbidden(told))) = put(handle, &[("x", json!({}))]).pop() else {
                panic!("it was taken");
            };
            let told: Value = serde_json::from_str(&told).unwrap();
            assert_eq!(told, json!({ "db": "calls", "name": name, "roles": roles }));
        }
    }
    store.close().unwrap();
}
