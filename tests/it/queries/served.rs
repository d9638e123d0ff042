//! A store that is served over HTTP and asked by the program at once: both have the same index.

use super::{open, put_calls, put_design};
use crate::node::ask;
use serde_json::{Value, json};
use trunkline::Views;

async fn get(url: &str) -> Value {
    ask("GET", url, None).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_and_http_ask_one_index() {
    let (_temp, store, db) = open();
    put_design(&db);
    let native = Views::new("native", 1)
        .view("seconds", |doc, emit| {
            if let Ok(Value::Object(call)) = doc.value::<Value>() {
                emit.row(&call["account"], &call["seconds"]);
            }
        })
        .reduce("_sum");
    store.define(native).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cdrs", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = store.clone();
    let server = tokio::spawn(async move { served.serve(listener, async { drop(stopped.await) }).await });

    let db = db.to_async();
    for round in 1..=10_u32 {
        db.blocking(move |db| {
            put_calls(db, (round - 1) * 100..round * 100);
            Ok(())
        })
        .await
        .unwrap();
        let asked = format!("{url}/_design/billing/_view/by_account?reduce=false&limit=0");
        let (over_http, here) = tokio::join!(
            get(&asked),
            db.blocking(|db| db.view("billing", "by_account").count()),
        );
        assert_eq!(over_http["total_rows"], json!(round * 100));
        assert_eq!(here.unwrap(), u64::from(round) * 100);
        let seconds = db
            .blocking(|db| db.view("native", "seconds").reduced::<u64>())
            .await;
        // Who asks for the index as it is gets what the other brought it up to.
        let over_http = get(&format!("{url}/_design/native/_view/seconds?update=false")).await;
        assert_eq!(json!(seconds.unwrap()), over_http["rows"][0]["value"]);
    }
    let info = get(&format!("{url}/_design/native/_info")).await;
    assert_eq!(info["view_index"]["language"], json!("rust"));
    // What no design document makes stays, if the program does.
    let cleaned = ask("POST", &format!("{url}/_view_cleanup"), Some(json!({}))).await;
    assert_eq!(cleaned.0, 202);
    let rows = db
        .blocking(|db| db.view("native", "seconds").as_it_is().count())
        .await;
    assert_eq!(rows.unwrap(), 1000);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
