//! Replications of `_replicator` documents outlive the process that drives them.

use crate::node::{Node, ask};
use serde_json::{Value, json};
use std::time::Duration;

async fn until(url: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1500 {
        let (_, answer) = ask("GET", url, None).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{url} stayed {}", ask("GET", url, None).await.1);
}

fn has(id: &str) -> impl Fn(&Value) -> bool {
    move |doc| doc["_id"] == *id
}

#[tokio::test(flavor = "multi_thread")]
async fn they_go_on_after_kill_9_with_their_failures() {
    let (driver, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let there = Node::start(target.path());
    ask("PUT", &format!("{}/reports", there.url), None).await;
    let here = Node::start(driver.path());
    let url = here.url.clone();
    ask("PUT", &format!("{url}/cdrs"), None).await;
    ask(
        "PUT",
        &format!("{url}/cdrs/call-1"),
        Some(json!({ "seconds": 1 })),
    )
    .await;
    let doc = json!({
        "source": "cdrs", "target": format!("{}/reports", there.url), "continuous": true,
    });
    let (status, _) = ask("PUT", &format!("{url}/_replicator/to-reports"), Some(doc)).await;
    assert_eq!(status, 201);
    until(&format!("{}/reports/call-1", there.url), has("call-1")).await;
    let job = until(&format!("{url}/_scheduler/docs/_replicator/to-reports"), |doc| {
        doc["state"] == "running"
    })
    .await;
    // As a list of failures is kept.
    let id = job["id"].as_str().unwrap();
    let failures = json!({
        "failures": [{
            "id": "call-1", "rev": "1-a", "error": "forbidden", "reason": "not yet",
            "time": "2026-11-21T00:00:00Z", "attempts": 1,
        }],
        "unlisted": 0,
    });
    let kept = format!("{url}/_replicator/_local/replication-failures-{id}");
    assert_eq!(ask("PUT", &kept, Some(failures)).await.0, 201);
    tokio::task::spawn_blocking(move || here.kill()).await.unwrap();

    let here = Node::start(driver.path());
    let url = here.url.clone();
    ask(
        "PUT",
        &format!("{url}/cdrs/call-2"),
        Some(json!({ "seconds": 2 })),
    )
    .await;
    until(&format!("{}/reports/call-2", there.url), has("call-2")).await;
    let job = until(&format!("{url}/_scheduler/jobs/{id}"), |job| {
        job["info"]["degraded"] == true
    })
    .await;
    assert_eq!(job["doc_id"], "to-reports");
    let (_, list) = ask("GET", &format!("{url}/_scheduler/jobs/{id}/failures"), None).await;
    assert_eq!(
        (&list["total"], &list["failures"][0]["reason"]),
        (&json!(1), &json!("not yet"))
    );
    let (_, retried) = ask(
        "POST",
        &format!("{url}/_scheduler/jobs/{id}/retry"),
        Some(json!({})),
    )
    .await;
    assert_eq!(
        (&retried["retried"], &retried["results"][0]["gone"]),
        (&json!(1), &json!(true))
    );
    let (_, list) = ask("GET", &format!("{url}/_scheduler/jobs/{id}/failures"), None).await;
    assert_eq!(list["total"], 0);
    // The target dies: the job tells, and goes on once it is back.
    let address = there.address().to_owned();
    tokio::task::spawn_blocking(move || there.kill()).await.unwrap();
    ask(
        "PUT",
        &format!("{url}/cdrs/call-3"),
        Some(json!({ "seconds": 3 })),
    )
    .await;
    until(&format!("{url}/_scheduler/jobs/{id}"), |job| {
        job["state"] == "crashing"
    })
    .await;
    let there = Node::start_on(target.path(), &address);
    until(&format!("{}/reports/call-3", there.url), has("call-3")).await;
    until(&format!("{url}/_scheduler/jobs/{id}"), |job| {
        job["state"] == "running"
    })
    .await;
    tokio::task::spawn_blocking(move || here.stop()).await.unwrap();
}
