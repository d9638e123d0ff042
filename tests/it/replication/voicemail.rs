//! Recordings of hundreds of megabytes between two nodes: in bounded memory, once, and from where a cut left them.

use super::attachments::{attach, pattern};
use super::world::{assert_equal, create, http, node, put, replicate, url};
use crate::link::Link;
use crate::node::{Node, ask, client};
use serde_json::{Value, json};
use std::time::Duration;
use trunkline_replicate::Spec;

/// Bytes of a long recording.
const LONG: usize = 200 << 20;
/// KiB that a node may take at its highest.
const MEMORY_KIB: u64 = 128 << 10;

fn highest_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn replicate_by(node: &Node, source: &str, target: &str) -> serde_json::Value {
    let job = json!({"source": source, "target": target});
    let (status, report) = ask("POST", &format!("{}/_replicate", node.url), Some(job)).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report.get("refused"), None, "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_crosses_a_cut_once_in_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "mail"), url(&far, "mail"));
    create(&source).await;
    create(&target).await;
    let rev = put(&source, json!({"_id": "message", "from": "+14155551000"})).await;
    let mut rev = attach(&source, "message", &rev, "voice.wav", pattern(LONG)).await;
    let link = Link::to(near.address()).await;
    let over = format!("{}/mail", link.url());

    // Pulled: cut in the middle, and only the rest is asked for again.
    link.cut_after(LONG as u64 / 2);
    replicate_by(&far, &over, "mail").await;
    assert!(link.was_cut());
    let passed = link.passed();
    assert!(passed < LONG as u64 * 11 / 10, "{passed} bytes passed for {LONG}");
    assert_equal(&source, &target).await;

    // The document is edited; its recording does not travel again.
    let passed = link.passed();
    for edit in 0..50 {
        let doc = json!({"_id": "message", "_rev": rev, "heard": edit, "_attachments": {"voice.wav": {"stub": true}}});
        rev = put(&source, doc).await;
        replicate_by(&far, &over, "mail").await;
    }
    // Nor does it with another document that has the same one.
    let other = put(&source, json!({"_id": "forwarded"})).await;
    attach(&source, "forwarded", &other, "voice.wav", pattern(LONG)).await;
    replicate_by(&far, &over, "mail").await;
    assert!(
        link.passed() - passed < 1 << 20,
        "{} bytes passed",
        link.passed() - passed
    );
    assert_equal(&source, &target).await;

    // Pushed, and cut as well.
    let third = node(dir.path(), "third");
    create(&url(&third, "mail")).await;
    let back = Link::to(third.address()).await;
    back.cut_after(LONG as u64 / 2);
    replicate_by(&near, "mail", &format!("{}/mail", back.url())).await;
    assert!(back.was_cut());
    assert!(
        back.passed() < LONG as u64 * 11 / 10,
        "{} bytes passed",
        back.passed()
    );
    let got = client()
        .get(format!("{}/message/voice.wav", url(&third, "mail")))
        .send()
        .await
        .unwrap();
    assert!(got.bytes().await.unwrap() == pattern(LONG));

    for node in [&near, &far, &third] {
        assert!(
            highest_kib(node) < MEMORY_KIB,
            "{} KiB at the highest",
            highest_kib(node)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_recordings_of_one_document_arrive_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "mail"), url(&far, "mail"));
    create(&source).await;
    create(&target).await;
    let mut rev = put(&source, json!({"_id": "message"})).await;
    for at in 0..12_usize {
        let name = format!("part%20{at}%2F%2B");
        rev = attach(&source, "message", &rev, &name, pattern(at * 300_000)).await;
    }
    let report = replicate(http(&source), http(&target), Spec::default())
        .await
        .unwrap();
    assert_eq!(report.refused, []);
    assert_equal(&source, &target).await;
    for at in 0..12_usize {
        let url = format!("{target}/message/part%20{at}%2F%2B");
        let got = client().get(url).send().await.unwrap().bytes().await.unwrap();
        assert!(got == pattern(at * 300_000), "{at}");
    }
}

/// Reads a recording until the answer is as wanted; what it says, or how many bytes came.
async fn read_until(url: &str, wanted: u16) -> (Value, Vec<u8>) {
    for _ in 0..3000 {
        let answer = client().get(url).send().await.unwrap();
        let (status, link) = (answer.status(), answer.headers().get("link").cloned());
        let bytes = answer.bytes().await.unwrap().to_vec();
        if status == wanted {
            let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if let Some(url) = told["url"].as_str() {
                assert_eq!(link.unwrap(), format!("<{url}>; rel=\"alternate\""));
            }
            return (told, bytes);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{url} never answered {wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_comes_at_once_and_the_recording_when_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let source = url(&near, "mail");
    create(&source).await;
    let rev = put(&source, json!({"_id": "message", "from": "+14155551000"})).await;
    let rev = attach(&source, "message", &rev, "voice.wav", pattern(3 << 20)).await;
    let job = |mode: &str| {
        // So slowly that somebody wants to hear it before it is there.
        json!({"source": source, "target": mode, "create_target": true, "continuous": true, "attachments": mode,
            "bytes_per_second": 1 << 20})
    };
    for mode in ["lazy", "none"] {
        let document = format!("{}/_replicator/{mode}", far.url);
        assert_eq!(ask("PUT", &document, Some(job(mode))).await.0, 201);
    }
    let there = format!("{source}/message/voice.wav?rev={rev}");
    for mode in ["none", "lazy"] {
        let here = format!("{}/message/voice.wav", url(&far, mode));
        let (told, _) = read_until(&here, 503).await;
        assert_eq!(
            (&told["error"], &told["url"]),
            (&json!("content_absent"), &json!(there))
        );
        assert_eq!(
            ask("GET", &format!("{}/message", url(&far, mode)), None).await.1["_rev"],
            json!(rev)
        );
    }
    // The call is handed to the node that has it; a little later it need not be.
    assert!(read_until(&there, 200).await.1 == pattern(3 << 20));
    let here = format!("{}/message/voice.wav", url(&far, "lazy"));
    assert!(read_until(&here, 200).await.1 == pattern(3 << 20));
    let never = format!("{}/message/voice.wav", url(&far, "none"));
    assert_eq!(client().get(never).send().await.unwrap().status(), 503);
}
