//! `_replicator`, `_scheduler`, `_active_tasks` and `/_up`: what clients see of replications that a server keeps running.

use crate::harness::Server;
use serde_json::{Value, json};
use std::time::Duration;

/// Asks until the answer is as wanted: a job is a task of its own.
async fn until(server: &Server, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1000 {
        let answer = server.get(path).await.json();
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} stayed {}", server.get(path).await.text());
}

async fn with_source() -> Server {
    let server = Server::start().await;
    for db in ["a", "b"] {
        server.put(&format!("/{db}"), None).await;
    }
    server.put("/a/one", Some(json!({ "n": 1 }))).await;
    server
}

/// Takes no document of more than 100 bytes.
async fn small_target() -> Server {
    let small = trunkline_http::Config {
        document_bytes_max: 100,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(small).await;
    server.put("/b", None).await;
    server
}

fn job_path(id: &Value) -> String {
    format!("/_scheduler/jobs/{}", id.as_str().unwrap())
}

#[tokio::test]
async fn a_document_replicates_once_and_says_so() {
    let server = with_source().await;
    // Nobody made the database.
    let put = server
        .put("/_replicator/once", Some(json!({ "source": "a", "target": "b" })))
        .await;
    assert_eq!(put.status, 201, "{put:?}");
    let doc = until(&server, "/_replicator/once", |doc| {
        doc["_replication_state"] == "completed"
    })
    .await;
    assert_eq!(doc["_replication_stats"]["docs_written"], 1);
    assert!(doc["_replication_state_time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(server.get("/b/one").await.status, 200);
    let shown = server.get("/_scheduler/docs/_replicator/once").await.json();
    assert_eq!(
        (&shown["state"], &shown["id"]),
        (&json!("completed"), &doc["_replication_id"])
    );
    assert_eq!(shown["info"]["docs_written"], 1);
    assert_eq!(server.get("/_scheduler/jobs").await.json()["total_rows"], 0);

    // It is done, whatever comes; edited without its state, it runs again.
    server.put("/a/two", Some(json!({}))).await;
    let again = json!({ "_rev": doc["_rev"], "source": "a", "target": "b" });
    server.put("/_replicator/once", Some(again)).await;
    until(&server, "/_replicator/once", |doc| {
        doc["_replication_state"] == "completed"
    })
    .await;
    assert_eq!(server.get("/b/two").await.status, 200);
}

#[tokio::test]
async fn a_continuous_document_runs_until_it_is_deleted() {
    let server = with_source().await;
    server.put("/x%2F_replicator", None).await;
    let doc = json!({ "source": "a", "target": "b", "continuous": true });
    let rev = server.put("/x%2F_replicator/live", Some(doc)).await.rev();
    let path = "/_scheduler/docs/x%2F_replicator/live";
    let shown = until(&server, path, |doc| {
        doc["state"] == "running" && doc["info"]["docs_written"] == 1
    })
    .await;
    assert_eq!(shown["database"], "x/_replicator");
    assert_eq!(
        (&shown["source"], &shown["error_count"]),
        (&json!("a"), &json!(0))
    );
    let listed = server
        .get("/_scheduler/docs/x/_replicator?states=running")
        .await
        .json();
    assert_eq!(
        (&listed["total_rows"], &listed["docs"][0]["doc_id"]),
        (&json!(1), &json!("live"))
    );
    let none = server
        .get("/_scheduler/docs/x/_replicator?states=failed,completed")
        .await
        .json();
    assert_eq!(none["total_rows"], 0);

    let jobs = server.get("/_scheduler/jobs").await.json();
    assert_eq!((&jobs["total_rows"], &jobs["offset"]), (&json!(1), &json!(0)));
    let job = &jobs["jobs"][0];
    assert_eq!(
        (&job["doc_id"], &job["database"]),
        (&json!("live"), &json!("x/_replicator"))
    );
    let history: Vec<&Value> = job["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["type"])
        .collect();
    assert_eq!(history, ["started", "added"]);
    let id = job["id"].as_str().unwrap();
    assert_eq!(
        &server.get(&format!("/_scheduler/jobs/{id}")).await.json()["id"],
        id
    );
    let task = server.get("/_active_tasks").await.json();
    assert_eq!(
        (&task[0]["doc_id"], &task[0]["degraded"]),
        (&json!("live"), &json!(false))
    );
    assert!(task[0]["lag_seconds"].is_number());

    server.put("/a/two", Some(json!({}))).await;
    until(&server, "/b/two", |doc| doc["_id"] == "two").await;
    // The document was not written to.
    assert_eq!(
        server.get("/x%2F_replicator/live").await.json()["_rev"],
        json!(rev)
    );
    let deleted = server
        .call("DELETE", &format!("/x%2F_replicator/live?rev={rev}"), None)
        .await;
    assert_eq!(deleted.status, 200);
    until(&server, "/_scheduler/jobs", |jobs| jobs["total_rows"] == 0).await;
    assert_eq!(server.get(path).await.status, 404);

    // Databases vanish, too.
    let doc = json!({ "source": "a", "target": "b", "continuous": true });
    server.put("/x%2F_replicator/live2", Some(doc)).await;
    until(&server, "/_scheduler/jobs", |jobs| jobs["total_rows"] == 1).await;
    server.call("DELETE", "/x%2F_replicator", None).await;
    until(&server, "/_scheduler/jobs", |jobs| jobs["total_rows"] == 0).await;
}

#[tokio::test]
async fn documents_that_cannot_be_fail_with_the_reason() {
    let server = with_source().await;
    for (id, doc, reason) in [
        ("nothing", json!({ "source": "a" }), "`target`"),
        (
            "type",
            json!({ "source": "a", "target": "b", "continuous": 1 }),
            "`continuous`",
        ),
        (
            "filter",
            json!({ "source": "a", "target": "b", "filter": "x/y", "selector": {} }),
            "`filter`",
        ),
    ] {
        server.put(&format!("/_replicator/{id}"), Some(doc)).await;
        let doc = until(&server, &format!("/_replicator/{id}"), |doc| {
            doc["_replication_state"] == "failed"
        })
        .await;
        let told = doc["_replication_state_reason"].as_str().unwrap();
        assert!(told.contains(reason), "{told}");
        let shown = server
            .get(&format!("/_scheduler/docs/_replicator/{id}"))
            .await
            .json();
        assert_eq!(
            (&shown["state"], &shown["info"]["error"]),
            (&json!("failed"), &json!(told))
        );
    }
    let all = server.get("/_scheduler/docs?limit=1&skip=1").await.json();
    assert_eq!(
        (&all["total_rows"], &all["docs"][0]["doc_id"]),
        (&json!(3), &json!("nothing"))
    );
    assert_eq!(server.get("/_scheduler/docs?states=odd").await.status, 400);
    assert_eq!(server.get("/_scheduler/docs?limit=x").await.status, 400);
    assert_eq!(server.get("/_scheduler/docs/none/_replicator").await.status, 404);
    assert_eq!(server.get("/_scheduler/jobs/none").await.status, 404);
    assert_eq!(server.get("/_scheduler/jobs/none/failures").await.status, 404);
    assert_eq!(
        server.post("/_scheduler/jobs/none/retry", json!({})).await.status,
        404
    );
}

#[tokio::test]
async fn the_second_document_of_a_replication_names_the_first() {
    let server = with_source().await;
    let doc = json!({ "source": "a", "target": "b", "continuous": true });
    server.put("/_replicator/first", Some(doc.clone())).await;
    until(&server, "/_scheduler/jobs", |jobs| jobs["total_rows"] == 1).await;
    server.put("/_replicator/second", Some(doc)).await;
    let second = until(&server, "/_replicator/second", |doc| {
        doc["_replication_state"] == "failed"
    })
    .await;
    let reason = second["_replication_state_reason"].as_str().unwrap();
    assert!(
        reason.ends_with("already started, triggered by document `first` from db `_replicator`"),
        "{reason}"
    );
    assert_eq!(server.get("/_scheduler/jobs").await.json()["total_rows"], 1);
}

#[tokio::test]
async fn a_peer_out_of_reach_makes_it_crash_and_no_secret_is_told() {
    let server = with_source().await;
    let doc = json!({
        "source": "a",
        "target": { "url": "http://anna:s3cret@127.0.0.1:9/x", "headers": { "X-Key": "s3cret" } },
        "continuous": true,
    });
    server.put("/_replicator/away", Some(doc)).await;
    let path = "/_scheduler/docs/_replicator/away";
    let shown = until(&server, path, |doc| doc["state"] == "crashing").await;
    assert!(shown["error_count"].as_u64().unwrap() > 0);
    assert!(shown["info"]["error"].is_string() && shown["info"]["last_error"].is_string());
    let jobs = server.get("/_scheduler/jobs").await;
    assert_eq!(jobs.json()["jobs"][0]["history"][0]["type"], "crashed");
    assert_eq!(jobs.json()["jobs"][0]["target"], "http://127.0.0.1:9/x");
    for path in [path, "/_scheduler/jobs", "/_active_tasks", "/_scheduler/docs"] {
        assert!(!server.get(path).await.text().contains("s3cret"), "{path}");
    }
    // It lacks a document, and nobody knows for how long that will be so.
    let behind = server.get("/_up?max_lag=0").await;
    assert_eq!(behind.status, 503);
    let behind = behind.json();
    assert_eq!(behind["behind"][0]["target"], "http://127.0.0.1:9/x");
    assert!(behind["behind"][0]["lag_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(server.get("/_up?max_lag=1000").await.status, 200);
    assert_eq!(server.get("/_up?max_lag=soon").await.status, 400);
    assert_eq!(server.get("/_up?max_lag=-1").await.status, 400);
}

#[tokio::test]
async fn a_secret_may_come_later() {
    let secrets = tempfile::tempdir().unwrap();
    let config = trunkline_http::Config {
        secrets: trunkline_replicate::Secrets::in_dirs([secrets.path().to_owned()]),
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/a", None).await;
    server.put("/b", None).await;
    let target = json!({ "url": format!("{}/b", server.url), "auth": { "secret": "peer" } });
    let doc = json!({ "source": "a", "target": target, "continuous": true });
    server.put("/_replicator/secret", Some(doc)).await;
    let path = "/_scheduler/docs/_replicator/secret";
    let shown = until(&server, path, |doc| doc["state"] == "error").await;
    assert!(
        shown["info"]["error"].as_str().unwrap().contains("\"peer\""),
        "{shown}"
    );
    std::fs::write(secrets.path().join("peer"), "anna:secret\n").unwrap();
    until(&server, path, |doc| doc["state"] == "running").await;
}

#[tokio::test]
async fn what_the_target_refuses_is_listed_and_tried_again() {
    let server = with_source().await;
    let target = small_target().await;
    let rev = server
        .put("/a/big", Some(json!({ "text": "x".repeat(200) })))
        .await
        .rev();
    let doc = json!({ "source": "a", "target": format!("{}/b", target.url), "continuous": true });
    server.put("/_replicator/push", Some(doc)).await;
    let shown = until(&server, "/_scheduler/docs/_replicator/push", |doc| {
        doc["info"]["failures"] == 1
    })
    .await;
    assert_eq!(shown["info"]["degraded"], true);
    let path = job_path(&shown["id"]);
    let list = server.get(&format!("{path}/failures")).await.json();
    assert_eq!(list["total"], 1);
    let failure = &list["failures"][0];
    assert_eq!((&failure["id"], &failure["rev"]), (&json!("big"), &json!(rev)));
    assert_eq!(
        (&failure["error"], &failure["attempts"]),
        (&json!("document_too_large"), &json!(1))
    );

    let retried = server
        .post(&format!("{path}/retry"), json!({ "ids": ["big"] }))
        .await
        .json();
    assert_eq!((&retried["retried"], &retried["written"]), (&json!(1), &json!(0)));
    assert_eq!(retried["results"][0]["error"], "document_too_large");
    let list = server.get(&format!("{path}/failures")).await.json();
    assert_eq!(list["failures"][0]["attempts"], 2);

    // Somebody mends the document, and what was refused is history.
    server
        .put("/a/big", Some(json!({ "_rev": rev, "text": "x" })))
        .await;
    let retried = server.post(&format!("{path}/retry"), json!({})).await.json();
    assert_eq!(
        (&retried["written"], &retried["results"][0]["ok"]),
        (&json!(1), &json!(true))
    );
    let job = server.get(&path).await.json();
    assert_eq!(
        (&job["info"]["degraded"], &job["info"]["failures"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(
        server
            .post(&format!("{path}/retry"), json!({ "ids": 1 }))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_will_never_get_through_is_dismissed() {
    let server = with_source().await;
    let target = small_target().await;
    for id in ["big", "large", "huge"] {
        let doc = json!({ "text": "x".repeat(200) });
        server.put(&format!("/a/{id}"), Some(doc)).await;
    }
    let doc = json!({ "source": "a", "target": format!("{}/b", target.url), "continuous": true });
    server.put("/_replicator/push", Some(doc)).await;
    let shown = until(&server, "/_scheduler/docs/_replicator/push", |doc| {
        doc["info"]["failures"] == 3
    })
    .await;
    let path = job_path(&shown["id"]);
    let failures = format!("{path}/failures");
    let one = server
        .call("DELETE", &format!("{failures}?id=big&id=none"), None)
        .await;
    one.is(200, json!({ "ok": true, "dismissed": 1 }));
    let list = server.get(&failures).await.json();
    let ids: Vec<&str> = list["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() == 2 && !ids.contains(&"big"), "{ids:?}");
    let kept = server.get("/_replicator/_local_docs").await.json();
    assert_eq!(kept["rows"].as_array().unwrap().len(), 1);
    let rest = server.call("DELETE", &failures, None).await;
    rest.is(200, json!({ "ok": true, "dismissed": 2 }));
    let job = server.get(&path).await.json();
    assert_eq!(
        (&job["info"]["degraded"], &job["info"]["failures"]),
        (&json!(false), &json!(0))
    );
    // For good: nothing is kept for the next start.
    let kept = server.get("/_replicator/_local_docs").await.json();
    assert_eq!(kept["rows"], json!([]));
    let none = server
        .call("DELETE", "/_scheduler/jobs/none/failures", None)
        .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn failures_outlive_their_one_shot_job() {
    let server = with_source().await;
    let target = small_target().await;
    let rev = server
        .put("/a/big", Some(json!({ "text": "x".repeat(200) })))
        .await
        .rev();
    let doc = json!({ "source": "a", "target": format!("{}/b", target.url) });
    server.put("/_replicator/push", Some(doc)).await;
    let doc = until(&server, "/_replicator/push", |doc| {
        doc["_replication_state"] == "completed"
    })
    .await;
    let path = job_path(&doc["_replication_id"]);
    assert_eq!(server.get(&format!("{path}/failures")).await.json()["total"], 1);
    server
        .put("/a/big", Some(json!({ "_rev": rev, "text": "x" })))
        .await;
    assert_eq!(
        server.post(&format!("{path}/retry"), json!({})).await.json()["written"],
        1
    );
    assert_eq!(server.get(&format!("{path}/failures")).await.json()["total"], 0);
}

#[tokio::test]
async fn a_request_starts_and_cancels_what_a_document_may_take_over() {
    let server = with_source().await;
    let asked = json!({ "source": "a", "target": "b", "continuous": true });
    let started = server.post("/_replicate", asked.clone()).await;
    assert_eq!(started.status, 202);
    let id = started.json()["_local_id"].clone();
    assert_eq!(
        server.post("/_replicate", asked.clone()).await.json()["_local_id"],
        id
    );
    server.put("/_replicator/same", Some(asked.clone())).await;
    let path = "/_scheduler/docs/_replicator/same";
    until(&server, path, |doc| doc["state"] == "error").await;
    let mut cancel = asked;
    cancel["cancel"] = json!(true);
    assert_eq!(
        server.post("/_replicate", cancel.clone()).await.json()["_local_id"],
        id
    );
    until(&server, path, |doc| doc["state"] == "running").await;
    // What a document started ends with the document.
    assert_eq!(server.post("/_replicate", cancel).await.status, 404);
    assert_eq!(server.get("/_scheduler/jobs").await.json()["total_rows"], 1);
}
