//! Replications by a named feed: what is in it is moved, and when it changes the difference alone.

use crate::couch::start;
use crate::couchdb::add;
use crate::world::{World, delete, graft, leaves, put, replicate};
use serde_json::json;
use trunkline_replicate::{PeerErrorKind, Spec};

fn spec() -> Spec {
    Spec {
        feed_name: Some("billing/acme".to_owned()),
        ..Spec::default()
    }
}

fn design(selector: &str) -> String {
    format!(r#"{{"feeds":{{"acme":{{"selector":{selector}}}}}}}"#)
}

#[tokio::test]
async fn a_wider_feed_moves_the_difference() {
    let world = World::new();
    let source = world.database("source");
    for at in 0..200 {
        put(
            &source,
            &format!("doc-{at:04}"),
            None,
            &format!(r#"{{"n":{at}}}"#),
        );
    }
    // A leaf that does not match goes with its document.
    graft(&source, "doc-0007", 2, &["b", "a"], true);
    let declared = put(&source, "_design/billing", None, &design(r#"{"n":{"$lt":20}}"#));
    let first = world.replicate(spec()).await.unwrap().progress;
    assert_eq!((first.revisions_checked, first.docs_written), (21, 21));
    assert_eq!(leaves(&world.database("target"))["doc-0007"].len(), 2);
    assert_eq!(first.changes_pending, Some(0));
    let again = world.replicate(spec()).await.unwrap();
    assert!(again.no_changes);

    put(&source, "elsewhere", None, r#"{"n":2000}"#);
    put(
        &source,
        "_design/billing",
        Some(&declared),
        &design(r#"{"n":{"$gte":5,"$lt":30}}"#),
    );
    let gone = source.get("doc-0010", None).unwrap().unwrap().rev;
    delete(&source, "doc-0010", &gone);
    let wider = world.replicate(spec()).await.unwrap().progress;
    assert_eq!(wider.replication_id, first.replication_id, "the same replication");
    assert_eq!((wider.revisions_checked, wider.docs_written), (11, 11));
    let target = world.database("target");
    assert_eq!(leaves(&target).len(), 30);
    assert!(target.get("doc-0010", None).unwrap().unwrap().deleted);
    assert!(target.check().unwrap().is_empty() && source.check().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_is_not_there_is_told_of() {
    let world = World::new();
    let missing = world.replicate(spec()).await.unwrap_err();
    assert_eq!(missing.kind, PeerErrorKind::DatabaseMissing);
    assert!(missing.reason.contains("billing/acme"), "{missing}");
}

#[tokio::test]
async fn a_source_that_would_send_everything_is_not_read() {
    let world = World::new();
    let (couch, peer) = start().await;
    add(
        &couch,
        json!({"_id": "plain", "_rev": "1-a", "_revisions": {"start": 1, "ids": ["a"]}}),
        &[],
    );
    let none = replicate(peer, world.peer("target"), spec()).await.unwrap_err();
    assert_eq!(none.kind, PeerErrorKind::Invalid, "{none}");
    assert!(none.reason.contains("no named feeds"), "{none}");
    assert!(leaves(&world.database("target")).is_empty());
}
