//! Nodes with databases, peers of them, and what they must agree on.

use crate::node::{Node, ask};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::db_name::DbName;
use trunkline_replicate::{HttpOptions, HttpPeer, LocalPeer, Peer, PeerError, Progress, Report, Spec, run};
use trunkline_store::Store;

/// Starts a node in its own directory below `dir`.
pub(super) fn node(dir: &Path, name: &str) -> Node {
    Node::start(&dir.join(name))
}

/// A URL of a database; `database` as it goes into a URL.
pub(super) fn url(node: &Node, database: &str) -> String {
    format!("{}/{database}", node.url.trim_end_matches('/'))
}

pub(super) fn http(url: &str) -> Arc<dyn Peer> {
    Arc::new(HttpPeer::new(url, HttpOptions::default()).unwrap())
}

pub(super) fn local(store: &Store, name: &str) -> Arc<dyn Peer> {
    Arc::new(LocalPeer::new(store.clone(), DbName::parse(name).unwrap()))
}

pub(super) async fn create(url: &str) {
    assert_eq!(ask("PUT", url, None).await.0, 201, "{url}");
}

pub(super) async fn put(url: &str, doc: Value) -> String {
    let id = doc["_id"].as_str().unwrap().to_owned();
    let (status, answer) = ask("POST", url, Some(doc)).await;
    assert_eq!(status, 201, "{id}: {answer}");
    answer["rev"].as_str().unwrap().to_owned()
}

/// Writes `count` small documents.
pub(super) async fn fill(url: &str, prefix: &str, count: usize) {
    let docs: Vec<usize> = (0..count).collect();
    for some in docs.chunks(1000) {
        let docs: Vec<Value> = some
            .iter()
            .map(|at| json!({"_id": format!("{prefix}{at:06}"), "n": at, "text": "call"}))
            .collect();
        assert_eq!(
            ask("POST", &format!("{url}/_bulk_docs"), Some(json!({"docs": docs})))
                .await
                .0,
            201
        );
    }
}

pub(super) async fn replicate(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
) -> Result<Report, PeerError> {
    let (progress, _) = watch::channel(Progress::default());
    run(source, target, spec, progress, CancellationToken::new()).await
}

/// All leaves of all documents: id -> revisions, winner first.
pub(super) async fn leaves(url: &str) -> BTreeMap<String, Vec<String>> {
    let (status, answer) = ask("GET", &format!("{url}/_changes?style=all_docs"), None).await;
    assert_eq!(status, 200, "{answer}");
    let row = |row: &Value| {
        let revs = row["changes"].as_array().unwrap().iter();
        let revs = revs
            .map(|change| change["rev"].as_str().unwrap().to_owned())
            .collect();
        (row["id"].as_str().unwrap().to_owned(), revs)
    };
    answer["results"].as_array().unwrap().iter().map(row).collect()
}

/// The winners with their bodies.
pub(super) async fn documents(url: &str) -> BTreeMap<String, Value> {
    let (status, answer) = ask("GET", &format!("{url}/_all_docs?include_docs=true"), None).await;
    assert_eq!(status, 200, "{answer}");
    let rows = answer["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row["doc"].clone()))
        .collect()
}

pub(super) async fn assert_equal(one: &str, other: &str) {
    assert_eq!(leaves(one).await, leaves(other).await);
    assert_eq!(documents(one).await, documents(other).await);
}
