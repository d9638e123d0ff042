//! Documents by selectors.

use super::{AnyDoc, all, ids, open, put_calls};
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline::Error;

#[derive(Deserialize, Debug, PartialEq)]
struct Seconds {
    account: String,
    seconds: u32,
}

#[test]
fn documents_are_found_with_an_index_and_without() {
    let (_temp, _store, db) = open();
    put_calls(&db, 0..1000);
    let wanted = json!({"account": "a", "seconds": {"$gte": 9950}});
    let expected = ["call-00996", "call-00999"];
    assert_eq!(db.find(&wanted).index().unwrap(), None);
    assert_eq!(ids(&all(db.find(&wanted).docs::<Value>())), expected);

    let index = db.create_index("by-account", &["account", "seconds"]).unwrap();
    assert_eq!(
        db.create_index("by-account", &["account", "seconds"]).unwrap(),
        index
    );
    assert_eq!(db.indexes().unwrap(), std::slice::from_ref(&index));
    assert_eq!(db.find(&wanted).index().unwrap(), Some(index.clone()));
    let found: Vec<AnyDoc> = all(db.find(&wanted).docs());
    assert_eq!(ids(&found), expected);
    // As if it had been read by its id.
    assert_eq!(found[1], db.get("call-00999").unwrap().unwrap());
    let latest = db
        .find(&wanted)
        .sort(&["account", "seconds"])
        .descending()
        .limit(1);
    assert_eq!(ids(&all(latest.by(&index).docs::<Value>())), ["call-00999"]);

    let values = all(db.find(&wanted).values::<Seconds>(&["account", "seconds"]));
    let last = Seconds {
        account: "a".to_owned(),
        seconds: 9990,
    };
    assert_eq!((values.len(), &values[1]), (2, &last));
    assert_eq!(db.find(&json!({"account": "b"})).count().unwrap(), 666);
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let (_temp, _store, db) = open();
    put_calls(&db, 0..100);
    let wanted = json!({"account": "a"});
    for index in [None, Some("by-account")] {
        if let Some(index) = index {
            db.create_index(index, &["account", "n"]).unwrap();
        }
        let (mut numbers, mut bookmark) = (Vec::new(), None::<String>);
        loop {
            let mut page = db.find(&wanted).limit(10);
            if let Some(bookmark) = &bookmark {
                page = page.bookmark(bookmark);
            }
            let mut found = page.docs::<Value>();
            assert_eq!(found.bookmark(), None);
            numbers.extend(
                found
                    .by_ref()
                    .map(|doc| doc.unwrap().value["n"].as_u64().unwrap()),
            );
            bookmark = found.bookmark();
            if bookmark.is_none() {
                break;
            }
        }
        let expected: Vec<u64> = (0..100).filter(|n| n % 3 == 0).collect();
        assert_eq!(numbers, expected, "{index:?}");
    }
}

#[test]
fn attachments_stay_when_what_was_found_is_saved() {
    let (_temp, _store, db) = open();
    put_calls(&db, 0..1);
    let mut doc = db.get::<Value>("call-00000").unwrap().unwrap();
    db.attach(&mut doc, "a.wav", "audio/wav", &b"RIFF"[..]).unwrap();
    let mut found = db.find(&json!({"n": 0})).docs::<Value>().next().unwrap().unwrap();
    found.value["n"] = json!(1);
    db.save(&mut found).unwrap();
    let saved = db.get::<Value>("call-00000").unwrap().unwrap();
    assert!(saved.attachment("a.wav").is_some());
}

#[test]
fn what_cannot_be_found_is_said() {
    let (_temp, _store, db) = open();
    let index = db.create_index("by-account", &["account"]).unwrap();
    let all = json!({});
    let invalid = [
        db.find("words").count(),
        db.find(&json!({"n": {"$what": 1}})).count(),
        db.find(&all).sort(&["seconds"]).count(),
        db.find(&json!({"n": 1})).by(&index).count(),
        db.find(&all).bookmark("x").count(),
        db.create_index("x", &["a..b"]).map(|_| 0),
    ];
    for answer in invalid {
        assert!(matches!(answer, Err(Error::Invalid(_))), "{answer:?}");
    }
}
