//! A selector chooses the same revisions wherever the source is.

use super::world::{create, http, leaves, local, node, replicate, url};
use crate::node::ask;
use serde_json::{Value, json};
use trunkline_core::selector::Selector;
use trunkline_replicate::Spec;
use trunkline_store::Store;

fn revision(id: &str, ids: &[&str], kept: bool, deleted: bool) -> Value {
    let revisions = json!({"start": ids.len(), "ids": ids});
    json!({"_id": id, "_revisions": revisions, "_deleted": deleted, "kept": kept})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_leaf_is_judged_by_itself_at_a_local_source_as_over_http() {
    let dir = tempfile::tempdir().unwrap();
    let near = node(dir.path(), "near");
    let source = url(&near, "source");
    create(&source).await;
    let docs = [
        // The winner, which is the greatest digest, passes alone; the other alone; a tombstone alone; a longer branch.
        revision("winner", &["b"], true, false),
        revision("winner", &["a"], false, false),
        revision("loser", &["b"], false, false),
        revision("loser", &["a"], true, false),
        revision("tombstone", &["b"], false, false),
        revision("tombstone", &["a"], true, true),
        revision("branch", &["c", "a"], true, false),
        revision("branch", &["d", "a"], false, false),
        revision("both", &["b"], true, false),
        revision("both", &["a"], true, false),
        revision("neither", &["b"], false, false),
        revision("neither", &["a"], false, false),
        revision("single", &["a"], true, false),
        revision("other", &["a"], false, false),
    ];
    let body = json!({"new_edits": false, "docs": docs});
    assert_eq!(
        ask("POST", &format!("{source}/_bulk_docs"), Some(body)).await.0,
        201
    );
    let store = Store::open(dir.path().join("embedded")).unwrap();
    let create_target = Spec {
        create_target: true,
        ..Spec::default()
    };
    replicate(http(&source), local(&store, "source"), create_target.clone())
        .await
        .unwrap();

    let text = "{\"kept\":true}";
    for winning_revs_only in [false, true] {
        let spec = Spec {
            selector: Some((text.to_owned(), Selector::parse(text).unwrap())),
            winning_revs_only,
            ..create_target.clone()
        };
        let target = |from: &str| url(&near, &format!("from-{from}-{winning_revs_only}"));
        let (over_http, embedded) = (target("http"), target("local"));
        replicate(http(&source), http(&over_http), spec.clone())
            .await
            .unwrap();
        replicate(local(&store, "source"), http(&embedded), spec)
            .await
            .unwrap();
        let arrived = leaves(&over_http).await;
        assert_eq!(arrived, leaves(&embedded).await);
        let expected = match winning_revs_only {
            true => json!({"winner": ["1-b"], "both": ["1-b"], "single": ["1-a"]}),
            false => json!({"winner": ["1-b"], "loser": ["1-a"], "tombstone": ["1-a"], "branch": ["2-c"],
                "both": ["1-b", "1-a"], "single": ["1-a"]}),
        };
        assert_eq!(json!(arrived), sorted(&expected));
    }
}

fn sorted(object: &Value) -> Value {
    let members: std::collections::BTreeMap<_, _> = object.as_object().unwrap().iter().collect();
    json!(members)
}
