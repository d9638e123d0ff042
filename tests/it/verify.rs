//! `trunkline verify` on directories and servers: what it prints, and how it ends.

use crate::node::{Node, ask, bad_news, fails, ok, put};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn verify_compares_directories_and_servers_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (
        Node::start(&dir.path().join("near")),
        Node::start(&dir.path().join("far")),
    );
    let (source, target) = (format!("{}/calls", near.url), format!("{}/calls", far.url));
    assert_eq!(ask("PUT", &source, None).await.0, 201);
    for number in 0..300 {
        put(&near, &format!("calls/call-{number}"), json!({"n": number})).await;
    }
    ok(&["replicate", &source, &target, "--create-target"]);
    let copy = dir.path().join("store/calls");
    let copy = copy.to_str().unwrap();
    ok(&["replicate", &source, copy, "--create-target"]);
    for (one, other) in [
        (source.as_str(), target.as_str()),
        (&source, copy),
        (copy, &target),
    ] {
        assert_eq!(
            ok(&["verify", one, other]),
            "300 documents compared, no difference\n"
        );
    }
    put(&near, "calls/here", json!({})).await;
    put(&far, "calls/there", json!({})).await;
    let told = bad_news(&["verify", &source, &target]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].starts_with("here, only at the source: 1-"), "{told}");
    assert!(lines[1].starts_with("there, only at the target: 1-"), "{told}");
    assert_eq!(lines[2], "302 documents compared, 2 documents differ");
    let told = bad_news(&["verify", "--json", copy, &source]);
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["id"], "here");
    assert_eq!(lines[0]["only_target"].as_array().unwrap().len(), 1);
    assert_eq!(lines[1], json!({"documents": 301, "differences": 1}));
    assert!(fails(&["verify", &source, &format!("{}/none", far.url)]).contains("none"));
}
