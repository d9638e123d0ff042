//! Several questions about one moment, and questions under tokio.

use super::{open, put_calls, put_design};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use trunkline::{Error, Views};

#[test]
fn every_answer_is_of_the_moment() {
    let (_temp, store, db) = open();
    put_design(&db);
    let native = Views::new("native", 1).view("all", |_, emit| emit.row(&(), &()));
    store.define(native).unwrap();
    db.create_index("by-account", &["account"]).unwrap();
    put_calls(&db, 0..10);
    let moment = db.snapshot().unwrap();
    put_calls(&db, 10..30);
    db.modify("call-00001", |call: &mut Value| call["account"] = json!("c"))
        .unwrap();
    let count = |db: &trunkline::Database| {
        let in_account = db.find(&json!({"account": "b"})).count().unwrap();
        let by_view = db.view("billing", "by_account").count().unwrap();
        let native = db.view("native", "all").count().unwrap();
        let documents = db.docs::<Value>("call"..).count() as u64;
        (in_account, by_view, native, documents)
    };
    assert_eq!(count(&moment), (6, 10, 10, 10));
    assert_eq!(count(&db), (19, 30, 30, 30));
    assert_eq!(count(&moment), (6, 10, 10, 10));

    let some = db.snapshot_of(&["billing"]).unwrap();
    assert_eq!(some.view("billing", "by_account").count().unwrap(), 30);
    // By no index that is not of the moment.
    let wanted = json!({"account": "b"});
    assert_eq!(some.find(&wanted).index().unwrap(), None);
    assert_eq!(some.find(&wanted).count().unwrap(), 19);
    assert!(db.find(&wanted).index().unwrap().is_some());
    assert!(matches!(some.view("native", "all").count(), Err(Error::Query(_))));
    assert!(matches!(db.snapshot_of(&["none"]), Err(Error::Query(_))));
    let kept = (*some).clone();
    drop(some);
    assert!(kept.view("billing", "by_account").count().is_err());
}

#[tokio::test]
async fn answers_are_streams_under_tokio() {
    let (_temp, store, db) = open();
    put_design(&db);
    put_calls(&db, 0..5000);
    let db = store
        .blocking(|store| store.database("cdrs"))
        .await
        .unwrap()
        .to_async();
    let mut rows = db.stream(|db| db.view("billing", "by_account").rows::<Value, u64>());
    let mut sum = 0;
    loop {
        // A future that is dropped, begun or not, takes nothing with it.
        let row = match rows.next().now_or_never() {
            Some(row) => row,
            None => rows.next().await,
        };
        let Some(row) = row else { break };
        sum += row.unwrap().value;
    }
    let all = db.blocking(|db| db.view("billing", "by_account").reduced::<u64>());
    assert_eq!(Some(sum), all.await.unwrap());
    let found = db.stream(|db| db.find(&json!({"account": "a"})).docs::<Value>());
    assert_eq!(found.into_stream().count().await, 1667);
    let docs = db.stream(|db| db.docs::<Value>("call-00100".."call-00200"));
    assert_eq!(docs.into_stream().count().await, 100);
}
