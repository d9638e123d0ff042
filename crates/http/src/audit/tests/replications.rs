//! What replications of the server's own change, and who begins them.

use super::changes::Server;
use super::log::taken;
use serde_json::{Value, json};
use std::time::Duration;

fn user(name: &str, more: Value) -> Value {
    let mut doc =
        json!({ "_id": format!("org.couchdb.user:{name}"), "type": "user", "name": name, "roles": [] });
    let members = more.as_object().unwrap().clone();
    doc.as_object_mut().unwrap().extend(members);
    doc
}

/// With documents of users, fit and unfit, and a design document.
async fn filled(address: &'static str) -> Server {
    let server = Server::new(address);
    assert_eq!(server.ask("root", "GET", "/_users", json!(null)).await.0, 200);
    assert_eq!(server.ask("root", "PUT", "/source", json!(null)).await.0, 201);
    let hash = json!({ "roles": ["dba"], "password_scheme": "pbkdf2", "iterations": 10, "salt": "aa",
        "derived_key": "0123456789abcdef0123456789abcdef01234567" });
    let docs = json!({ "docs": [
        user("evil", json!({ "roles": ["acme", "_admin"] })),
        user("evil2", json!({ "password": "plainpw" })),
        user("evil3", hash),
        { "_id": "_design/foo" },
        { "_id": "org.couchdb.user:odd" },
    ] });
    assert_eq!(
        server.ask("root", "POST", "/source/_bulk_docs", docs).await.0,
        201
    );
    server.log.taken();
    server
}

#[tokio::test]
async fn a_replication_brings_users_that_can_be_one_and_is_noted() {
    let server = filled("192.0.2.3").await;
    let asked = json!({ "source": "source", "target": "_users" });
    let (status, report) = server.ask("root", "POST", "/_replicate", asked).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["history"][0]["doc_write_failures"], 3, "{report}");
    assert_eq!(report["history"][0]["docs_written"], 2, "{report}");
    for (name, is_there) in [("evil", 404), ("evil2", 404), ("odd", 404), ("evil3", 200)] {
        let path = format!("/_users/org.couchdb.user:{name}");
        assert_eq!(
            server.ask("root", "GET", &path, json!(null)).await.0,
            is_there,
            "{name}"
        );
    }
    let begun = server.log.taken();
    assert_eq!(begun.len(), 1, "{begun:?}");
    for part in [
        "user=\"root\"",
        "what=\"replication begun\"",
        "source=\"source\" target=\"_users\"",
    ] {
        assert!(begun[0].contains(part), "{begun:?}");
    }
    let job = begun[0].split("of=\"").nth(1).unwrap().split('"').next().unwrap();
    let lines = taken(&format!("replication=\"{job}\""));
    let has = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!(
        has("what=\"user\" database=\"_users\" of=\"org.couchdb.user:evil3\""),
        1,
        "{lines:?}"
    );
    assert_eq!(
        has("what=\"design document\" database=\"_users\" of=\"_design/foo\""),
        1,
        "{lines:?}"
    );
    assert!(has("reason=") > 0, "{lines:?}");
    assert!(!lines.concat().contains("plainpw"), "{lines:?}");
}

#[tokio::test]
async fn a_replication_by_a_document_is_named_by_it() {
    let server = filled("192.0.2.4").await;
    server.app.replications.follow_documents();
    let target = "https://root:s3cret@203.0.113.1/x";
    let asked = json!({ "source": target, "target": "copy", "continuous": true });
    assert_eq!(
        server.ask("root", "POST", "/_replicate", asked.clone()).await.0,
        202
    );
    let mut cancelled = asked;
    cancelled["cancel"] = json!(true);
    assert_eq!(server.ask("root", "POST", "/_replicate", cancelled).await.0, 200);
    let lines = server.log.taken();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("203.0.113.1") && lines[1].contains("replication ended"),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("s3cret"), "{lines:?}");

    let doc = json!({ "source": "source", "target": "copied", "create_target": true });
    assert_eq!(
        server.ask("root", "PUT", "/_replicator/copying", doc).await.0,
        201
    );
    let lines = server.log.taken();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("what=\"replication\" database=\"_replicator\" of=\"copying\""),
        "{lines:?}"
    );
    loop {
        let lines = taken("replication=\"_replicator/copying\"");
        if let [line] = &lines[..] {
            assert!(
                line.contains("what=\"design document\" database=\"copied\" of=\"_design/foo\""),
                "{line}"
            );
            break;
        }
        assert!(lines.is_empty(), "{lines:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.app.replications.shutdown().await;
}
