//! `trunkline jobs` against real servers: what it prints, and how it ends.

use crate::node::{Node, ask, bad_news, fails, ok, put};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

async fn until(url: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1500 {
        let (_, answer) = ask("GET", url, None).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{url} stayed {:?}", ask("GET", url, None).await);
}

/// A server that takes no document of more than 1000 bytes, with a database `calls`; its URL.
async fn small_server(dir: &Path) -> String {
    let store = trunkline::Store::open(dir).unwrap();
    store.database("calls").unwrap();
    let config = trunkline_http::Config {
        document_bytes_max: 1000,
        ..trunkline_http::Config::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let replications = store.replications().clone();
    tokio::spawn(trunkline_http::serve_with(
        listener,
        replications,
        config,
        std::future::pending(),
    ));
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_tells_the_healthy_from_the_crashing_and_the_degraded() {
    let dir = tempfile::tempdir().unwrap();
    let (node, other) = (
        Node::start(&dir.path().join("a")),
        Node::start(&dir.path().join("b")),
    );
    assert_eq!(ok(&["jobs", &node.url]), "no replication runs there\n");
    for (server, database) in [(&node, "calls"), (&other, "calls")] {
        assert_eq!(
            ask("PUT", &format!("{}/{database}", server.url), None).await.0,
            201
        );
    }
    put(&node, "calls/call-1", json!({"n": 1})).await;
    let scheduled = |id: &str| format!("{}/_scheduler/docs/_replicator/{id}", node.url);
    let job = |target: &str| json!({"source": "calls", "target": target, "continuous": true});
    put(&node, "_replicator/healthy", job(&format!("{}/calls", other.url))).await;
    let healthy = until(&scheduled("healthy"), |doc| doc["info"]["docs_written"] == 1).await;
    let told = ok(&["jobs", &node.url]);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains("  running  ") && told.contains(&format!("calls -> {}/calls", other.url)),
        "{told}"
    );
    assert_eq!(
        ok(&["jobs", &node.url, healthy["id"].as_str().unwrap()]),
        "every document got through, or was dismissed\n"
    );

    // Nobody listens there.
    put(
        &node,
        "_replicator/crashing",
        job("http://anna:s3cret@127.0.0.1:9/calls"),
    )
    .await;
    until(&scheduled("crashing"), |doc| doc["state"] == "crashing").await;
    let told = bad_news(&["jobs", &node.url]);
    assert!(
        told.lines().count() == 2 && told.contains("  crashing  ") && !told.contains("s3cret"),
        "{told}"
    );
    let (_, doc) = ask("GET", &format!("{}/_replicator/crashing", node.url), None).await;
    let delete = format!(
        "{}/_replicator/crashing?rev={}",
        node.url,
        doc["_rev"].as_str().unwrap()
    );
    assert_eq!(ask("DELETE", &delete, None).await.0, 200);
    until(&format!("{}/_scheduler/jobs", node.url), |jobs| {
        jobs["total_rows"] == 1
    })
    .await;

    // What is too large for the target stays so.
    let small = small_server(&dir.path().join("small")).await;
    put(&node, "calls/long", json!({"text": "x".repeat(2000)})).await;
    put(&node, "_replicator/degraded", job(&format!("{small}/calls"))).await;
    let degraded = until(&scheduled("degraded"), |doc| doc["info"]["failures"] == 1).await;
    let id = degraded["id"].as_str().unwrap();
    assert!(bad_news(&["jobs", &node.url]).contains(", 1 document not replicated  calls -> "));
    let told = bad_news(&["jobs", &node.url, id]);
    assert!(
        told.starts_with("long 1-") && told.contains(": document_too_large: "),
        "{told}"
    );
    let told = bad_news(&["jobs", &node.url, id, "--retry"]);
    assert!(
        told.starts_with("1 document tried again: 0 written\nlong 1-"),
        "{told}"
    );
    assert!(told.ends_with("2 attempts)\n"), "{told}");
    let told = ok(&["jobs", &node.url, id, "--dismiss"]);
    assert_eq!(
        told,
        "1 document dismissed\nevery document got through, or was dismissed\n"
    );
    assert_eq!(ok(&["jobs", &node.url]).lines().count(), 2);
    assert!(fails(&["jobs", &node.url, "none"]).contains("404"));
}
