//! What is left to do, as `_active_tasks` tells it.

use super::world::{create, fill, node, url};
use crate::node::{Node, ask};
use serde_json::{Value, json};
use std::time::Duration;

/// The only running replication of a node, once it is as wanted.
async fn task(node: &Node, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let (_, tasks) = ask("GET", &url(node, "_active_tasks"), None).await;
        if wanted(&tasks[0]) {
            return tasks[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_continuous_pull_tells_what_is_pending_even_while_its_target_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let source = url(&far, "source");
    create(&source).await;
    fill(&source, "early-", 2500).await;
    create(&url(&near, "target")).await;
    let ask_for = json!({"source": source, "target": "target", "continuous": true});
    assert_eq!(ask("POST", &url(&near, "_replicate"), Some(ask_for)).await.0, 202);
    task(&near, |task| {
        task["docs_written"] == 2500 && task["changes_pending"] == 0
    })
    .await;

    assert_eq!(ask("DELETE", &url(&near, "target"), None).await.0, 200);
    fill(&source, "late-", 30).await;
    let waiting = |task: &Value| task["waiting_for"].to_string().contains("next try");
    let task = task(&near, |task| waiting(task) && task["changes_pending"] != 0).await;
    assert!(task["changes_pending"].as_u64().unwrap() >= 30, "{task}");
}
