//! The exchange through what stands before servers.

use super::attachments::{attach, pattern};
use super::world::{assert_equal, create, fill, http, node, put, replicate, url};
use crate::front::Front;
use crate::node::Node;
use futures_util::StreamExt;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use trunkline_replicate::peer::ChangesAsk;
use trunkline_replicate::{ConnectOptions, HttpOptions, HttpPeer, Peer, Spec};

const FEEDS: usize = 30;
const PATIENCE: Duration = Duration::from_secs(60);

/// A database with documents and an attachment, and an empty one.
async fn databases(near: &Node, far: &Node) -> (String, String) {
    let (here, there) = (url(near, "source"), url(far, "target"));
    create(&here).await;
    create(&there).await;
    fill(&here, "cdr-", 300).await;
    let rev = put(&here, json!({"_id": "voice"})).await;
    attach(&here, "voice", &rev, "audio", pattern(3 << 20)).await;
    (here, there)
}

/// Follows with many feeds at once: each tells of a change that comes after all were opened.
async fn follow(peer: impl Fn() -> Arc<dyn Peer>, database: &str) {
    let mut feeds = Vec::new();
    for _ in 0..FEEDS {
        let peer = peer();
        let now = peer.info().await.unwrap();
        assert!(now.exchanges);
        let ask = ChangesAsk {
            since: Some(now.update_seq),
            continuous: true,
            ..ChangesAsk::default()
        };
        feeds.push(peer.changes(ask).await.unwrap());
    }
    put(database, json!({"_id": "news"})).await;
    for feed in &mut feeds {
        let told = async {
            loop {
                let changes = feed.next().await.unwrap().unwrap();
                if changes.rows.iter().any(|row| &*row.id == "news") {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_all_through_tls() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (here, there) = databases(&near, &far).await;
    let (front, ca_file) = Front::tls(far.address(), dir.path()).await;
    let target = || -> Arc<dyn Peer> {
        let options = HttpOptions {
            connect: ConnectOptions {
                ca_file: Some(ca_file.clone()),
                ..ConnectOptions::default()
            },
            ..HttpOptions::default()
        };
        Arc::new(HttpPeer::new(&format!("{}/target", front.url), options).unwrap())
    };
    replicate(http(&here), target(), Spec::default()).await.unwrap();
    assert_equal(&here, &there).await;
    let back = url(&near, "back");
    create(&back).await;
    replicate(target(), http(&back), Spec::default()).await.unwrap();
    assert_equal(&here, &back).await;
    follow(target, &there).await;
    // The first look at a server is over HTTP/1.1; each run forgets a server that nobody uses.
    assert!(front.connections() < FEEDS, "{}", front.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_speaks_no_http2_is_no_hindrance() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (here, there) = databases(&near, &far).await;
    let front = Front::http1(far.address()).await;
    let through = format!("{}/target", front.url);
    replicate(http(&here), http(&through), Spec::default())
        .await
        .unwrap();
    assert_equal(&here, &there).await;
    let back = url(&near, "back");
    create(&back).await;
    replicate(http(&through), http(&back), Spec::default())
        .await
        .unwrap();
    assert_equal(&here, &back).await;
    follow(|| http(&through), &there).await;
    assert!(front.connections() >= FEEDS, "{}", front.connections());
}
