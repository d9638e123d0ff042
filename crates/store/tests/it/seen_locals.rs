//! Local documents of those who have their own.

use crate::support::*;
use std::sync::Arc;
use trunkline_core::doc_id::LocalId;
use trunkline_core::limits::{LOCAL_DOC_OF_ASKER_BYTES_MAX, LOCAL_DOCS_OF_ASKER_MAX};
use trunkline_store::{Asker, Batch, Database, Error, LocalWrite, Refused};
use trunkline_wire::functions::User;

fn asked_by(database: &Database, name: Option<&str>) -> Database {
    database.on_behalf(Arc::new(Asker {
        user: Arc::new(User::new(name, [])),
        own_locals: Some("x".into()),
        ..Asker::default()
    }))
}

fn run(text: &str) -> LocalId {
    LocalId::parse(text).unwrap()
}

fn log(id: &str, json: &str) -> Batch {
    Batch {
        local: Some(LocalWrite {
            id: run(id),
            number: 0,
            json: json.to_owned(),
        }),
        ..Batch::default()
    }
}

#[test]
fn each_has_its_own_and_nobody_none() {
    let (_dir, _store, database) = store();
    let handles = [None, Some("ann"), Some("ann:x"), Some("bob")].map(|name| match name {
        None => database.clone(),
        name => asked_by(&database, name),
    });
    for (number, handle) in handles.iter().enumerate() {
        assert_eq!(handle.local(&run("run")).unwrap(), None);
        let json = format!("{{\"n\":{number}}}");
        handle.put_local(&run("run"), 0, Some(&json)).unwrap();
        handle.update(log("log", &json)).unwrap();
    }
    for (number, handle) in handles.iter().enumerate() {
        for id in ["run", "log"] {
            let (_, json) = handle.local(&run(id)).unwrap().unwrap();
            assert_eq!(json, format!("{{\"n\":{number}}}"));
        }
        handle.put_local(&run("run"), 0, None).unwrap();
        assert_eq!(handle.local(&run("run")).unwrap(), None);
    }
    let nobody = asked_by(&database, None);
    database.put_local(&run("run"), 0, Some("{}")).unwrap();
    assert_eq!(nobody.local(&run("run")).unwrap(), None);
    for refused in [
        nobody.put_local(&run("run"), 0, Some("{}")).map(drop),
        nobody.update(log("run", "{}")).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Refused(Refused::Unauthorized(_)))));
    }
    assert!(nobody.put_local(&run("run"), 0, None).is_err());
    assert!(database.local(&run("run")).unwrap().is_some());
}

#[test]
fn not_too_much_is_kept_of_one() {
    let (_dir, _store, database) = store();
    let ann = asked_by(&database, Some("ann"));
    let long = "x".repeat(LOCAL_DOC_OF_ASKER_BYTES_MAX + 1);
    let refused = ann.put_local(&run("0"), 0, Some(&long));
    assert!(matches!(refused, Err(Error::Refused(Refused::DocumentTooLarge))));
    // Placed there as a busy server would have placed them, without an fsync for each.
    for number in 0..LOCAL_DOCS_OF_ASKER_MAX {
        let relaxed = Batch {
            durability: trunkline_store::Durability::Relaxed,
            ..log(&number.to_string(), "{}")
        };
        ann.update(relaxed).unwrap();
    }
    for refused in [
        ann.put_local(&run("more"), 0, Some("{}")).map(drop),
        ann.update(log("more", "{}")).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Refused(Refused::Forbidden(_)))));
    }
    ann.put_local(&run("7"), 1, Some("{}")).unwrap();
    asked_by(&database, Some("bob"))
        .put_local(&run("more"), 0, Some("{}"))
        .unwrap();
}
