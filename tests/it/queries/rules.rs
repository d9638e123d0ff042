//! Rules of a program, beside those of design documents.

use super::open;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline::engine::Refused;
use trunkline::{Database, Error, Forbidden, Replication};

#[derive(Deserialize)]
struct Cdr {
    seconds: u32,
}

fn reason(written: trunkline::Result<trunkline::core::rev::Rev>) -> String {
    match written {
        Err(Error::Refused {
            refused: Refused::Forbidden(reason),
            ..
        }) => reason,
        other => panic!("{other:?}"),
    }
}

fn grows(db: &Database) {
    let rule = "function (new_doc, old) { if (old && new_doc.seconds < old.seconds) throw({forbidden: 'it shrank'}); }";
    db.put("_design/rules", &json!({"validate_doc_update": rule}))
        .unwrap();
}

#[test]
fn design_documents_are_honoured_without_a_server() {
    let (_temp, _store, db) = open();
    grows(&db);
    db.put("call", &json!({"seconds": 2})).unwrap();
    let shrunk = db.modify("call", |call: &mut Value| call["seconds"] = json!(1));
    assert!(
        matches!(shrunk, Err(Error::Refused { refused: Refused::Forbidden(reason), .. }) if reason == "it shrank")
    );
}

#[test]
fn rules_see_what_is_replaced_and_hold_for_what_is_replicated() {
    let (_temp, store, db) = open();
    db.put("before", &json!({"seconds": "none"})).unwrap();
    store.validate(|edit| {
        if edit.database != "cdrs" || edit.deleted {
            return Ok(());
        }
        let seconds = edit.value::<Cdr>()?.seconds;
        if edit.old_value::<Cdr>()?.is_some_and(|old| old.seconds == 7) {
            return Err(Forbidden(format!("{} is final", edit.id)));
        }
        if seconds > 86_400 {
            Err("too long")?
        }
        Ok(())
    });
    assert!(reason(db.put("a", &json!({"seconds": -1}))).contains("\"a\""));
    assert_eq!(reason(db.put("a", &json!({"seconds": 90_000}))), "too long");
    let rev = db.put("a", &json!({"seconds": 7})).unwrap();
    let mut a = db.get::<Value>("a").unwrap().unwrap();
    a.value["seconds"] = json!(8);
    let final_one = db.save(&mut a).map(|()| a.rev.clone());
    assert_eq!(reason(final_one), "a is final");
    db.delete("a", &rev).unwrap();
    // Both have a say: the program's comes first.
    grows(&db);
    db.put("b", &json!({"seconds": 2})).unwrap();
    let mut b = db.get::<Value>("b").unwrap().unwrap();
    b.value["seconds"] = json!(1);
    assert_eq!(reason(db.save(&mut b).map(|()| b.rev.clone())), "it shrank");

    let free = store.database("free").unwrap();
    free.put("c", &json!({"seconds": 90_000})).unwrap();
    free.put("d", &json!({"seconds": 1})).unwrap();
    let report = Replication::local(&free, &db).run_blocking().unwrap();
    assert_eq!(report.progress.doc_write_failures, 1);
    assert!(db.get::<Value>("c").unwrap().is_none() && db.get::<Value>("d").unwrap().is_some());
}
