//! Views in Rust, against the same in JavaScript.

use super::{all, open, put_calls};
use rand::Rng;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use trunkline::{Database, Error, Views};
use trunkline_testkit::seed::with_seeds;

#[derive(Deserialize)]
struct Call {
    _id: String,
    account: String,
    n: i64,
    #[serde(default)]
    legs: Vec<Value>,
}

fn in_rust(version: u64) -> Views {
    Views::new("rust", version)
        .view("by_account", |doc, emit| {
            let Ok(call) = doc.value::<Call>() else { return };
            emit.row(&(&call.account, call.n), &call.n);
        })
        .reduce("_stats")
        .view("legs", |doc, emit| {
            let Ok(call) = doc.value::<Call>() else { return };
            for leg in &call.legs {
                emit.row(leg, &call._id);
            }
        })
}

const JAVASCRIPT: [&str; 2] = [
    "function (doc) { if (typeof doc.account === 'string' && typeof doc.n === 'number') emit([doc.account, doc.n], doc.n); }",
    "function (doc) { if (typeof doc.account === 'string' && typeof doc.n === 'number')
        (doc.legs || []).forEach(function (leg) { emit(leg, doc._id); }); }",
];

fn edit(random: &mut StdRng, db: &Database) {
    let id = format!("call-{}", random.random_range(0..200));
    let text = |random: &mut StdRng| ["a", "B", "b", "ä", "z y", ""][random.random_range(0..6)].to_owned();
    let mut body = json!({"n": random.random_range(-50..50), "account": text(random)});
    match random.random_range(0..6) {
        0 => body["account"] = Value::Null,
        1 => drop(body.as_object_mut().unwrap().remove("n")),
        _ => {
            let leg = |random: &mut StdRng| match random.random_range(0..4) {
                0 => json!(text(random)),
                1 => json!([1, {"x": text(random)}]),
                2 => json!(random.random_bool(0.5)),
                _ => json!({"b": 1, "a": [null, text(random)]}),
            };
            let legs: Vec<Value> = (0..random.random_range(0..4)).map(|_| leg(random)).collect();
            body["legs"] = json!(legs);
        }
    }
    let db = db.relaxed();
    match db.get::<Value>(&id).unwrap() {
        None => drop(db.put(&id, &body).unwrap()),
        Some(doc) if random.random_bool(0.2) => drop(db.delete(&id, &doc.rev).unwrap()),
        Some(mut doc) => {
            doc.value = body;
            db.save(&mut doc).unwrap();
        }
    }
}

#[test]
fn rows_are_those_of_the_same_functions_in_javascript() {
    with_seeds(3, |random| {
        let (_temp, store, db) = open();
        store.define(in_rust(1)).unwrap();
        let views =
            json!({"by_account": {"map": JAVASCRIPT[0], "reduce": "_stats"}, "legs": {"map": JAVASCRIPT[1]}});
        db.put("_design/javascript", &json!({"views": views})).unwrap();
        for _ in 0..5 {
            (0..300).for_each(|_| edit(random, &db));
            for view in ["by_account", "legs"] {
                let rows = |design: &str| all(db.view(design, view).rows::<Value, Value>());
                assert_eq!(rows("rust"), rows("javascript"), "{view}");
            }
            let groups = |design: &str| {
                all(db
                    .view(design, "by_account")
                    .group_level(1)
                    .groups::<Value, Value>())
            };
            assert!(!groups("rust").is_empty());
            assert_eq!(groups("rust"), groups("javascript"));
        }
    });
}

#[test]
fn another_version_is_built_anew_and_a_panic_skips_a_document() {
    let (_temp, store, db) = open();
    put_calls(&db, 0..10);
    let called = Arc::new(AtomicUsize::new(0));
    let views = |version: u64, what: &'static str| {
        let called = called.clone();
        Views::new("v", version).view("n", move |doc, emit| {
            called.fetch_add(1, Ordering::Relaxed);
            let call = doc.value::<Call>().unwrap();
            emit.row(&call.n, what);
            assert!(call.n != 3, "a bug");
        })
    };
    let ask = || all(db.view("v", "n").rows::<u32, String>());
    store.define(views(1, "first")).unwrap();
    assert_eq!(ask().len(), 9, "not the one that it panics about");
    store.define(views(1, "not seen")).unwrap();
    assert!(ask().iter().all(|row| row.value == "first"));
    assert_eq!(called.load(Ordering::Relaxed), 10, "each document once");
    store.define(views(2, "second")).unwrap();
    assert!(ask().iter().all(|row| row.value == "second"));
    assert_eq!(called.load(Ordering::Relaxed), 20);

    let unknown = Views::new("v", 1).view("n", |_, _| {}).reduce("_mean");
    assert!(matches!(store.define(unknown), Err(Error::Invalid(_))));
}

#[test]
fn an_index_whose_design_document_they_stand_for_answers_nothing() {
    let (_temp, store, db) = open();
    put_calls(&db, 0..10);
    let index = db.create_index("calls", &["account"]).unwrap();
    let wanted = json!({"account": "a"});
    assert_eq!(db.find(&wanted).index().unwrap(), Some(index));
    store
        .define(Views::new("calls", 1).view("all", |_, emit| emit.row(&(), &())))
        .unwrap();
    assert_eq!(db.indexes().unwrap(), []);
    assert_eq!(db.find(&wanted).index().unwrap(), None);
    assert_eq!(db.find(&wanted).count().unwrap(), 4);
    assert_eq!(db.view("calls", "all").count().unwrap(), 10);
}
