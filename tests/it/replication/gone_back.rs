//! Checkpoints that are older than what was done to their database since.

use super::world::{assert_equal, create, fill, http, node, put, replicate, url};
use crate::node::ask;
use serde_json::json;
use trunkline_replicate::Spec;

#[tokio::test(flavor = "multi_thread")]
async fn a_seq_from_before_a_compaction_or_a_purge_is_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "source"), url(&far, "target"));
    create(&source).await;
    create(&target).await;
    fill(&source, "cdr-", 500).await;
    let run = || replicate(http(&source), http(&target), Spec::default());
    assert_eq!(run().await.unwrap().progress.docs_written, 500);

    let rev = put(&source, json!({"_id": "edited", "n": 1})).await;
    put(&source, json!({"_id": "edited", "_rev": rev, "n": 2})).await;
    let compact = ask("POST", &format!("{source}/_compact"), Some(json!({}))).await;
    assert_eq!(compact.0, 202);
    while ask("GET", &source, None).await.1["compact_running"] == json!(true) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(run().await.unwrap().progress.docs_written, 1);

    // Also the document that the checkpoint's seq is of.
    let rev = ask("GET", &format!("{source}/edited"), None).await.1["_rev"].clone();
    let purged = ask(
        "POST",
        &format!("{source}/_purge"),
        Some(json!({"edited": [rev]})),
    )
    .await;
    assert_eq!(purged.0, 201, "{}", purged.1);
    let purged = ask(
        "POST",
        &format!("{target}/_purge"),
        Some(json!({"edited": [rev]})),
    )
    .await;
    assert_eq!(purged.0, 201, "{}", purged.1);
    put(&source, json!({"_id": "later"})).await;
    let report = run().await.unwrap();
    assert_eq!(
        (report.progress.docs_written, report.progress.revisions_checked),
        (1, 1)
    );
    assert_equal(&source, &target).await;
}
