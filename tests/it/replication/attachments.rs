//! Documents with attachments between servers, streamed as multipart.

use super::world::{assert_equal, create, http, local, node, put, replicate, url};
use crate::node::{Node, ask, client};
use serde_json::json;
use trunkline_replicate::Spec;
use trunkline_store::Store;

pub(super) async fn attach(url: &str, id: &str, rev: &str, name: &str, bytes: Vec<u8>) -> String {
    let request = client()
        .put(format!("{url}/{id}/{name}?rev={rev}"))
        .header("Content-Type", "audio/wav");
    let answer = request.body(bytes).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let answer: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    answer["rev"].as_str().unwrap().to_owned()
}

async fn bytes_of(url: &str) -> Vec<u8> {
    client()
        .get(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap()
        .to_vec()
}

pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 253) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_arrive_as_they_left_in_every_direction() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target, back) = (url(&near, "source"), url(&far, "target"), url(&near, "back"));
    create(&source).await;
    let lengths = [0, 1, 16_384, 16_385, 5_000_000];
    for length in lengths {
        let id = format!("mail-{length}");
        let rev = put(&source, json!({"_id": id, "from": "7"})).await;
        let rev = attach(&source, &id, &rev, "voice.wav", pattern(length)).await;
        attach(&source, &id, &rev, "%C3%BC%2F%2B", b"--second\r\n--".to_vec()).await;
    }
    put(
        &source,
        json!({"_id": "inline", "_attachments": {"t": {"content_type": "text/plain", "data": "aGk="}}}),
    )
    .await;
    let spec = Spec {
        create_target: true,
        ..Spec::default()
    };
    let store = Store::open(dir.path().join("embedded")).unwrap();
    let report = replicate(http(&source), http(&target), spec.clone())
        .await
        .unwrap();
    assert_eq!(report.refused, []);
    replicate(http(&target), local(&store, "pulled"), spec.clone())
        .await
        .unwrap();
    replicate(local(&store, "pulled"), http(&back), spec)
        .await
        .unwrap();
    for url in [&target, &back] {
        assert_equal(&source, url).await;
        for length in lengths {
            assert_eq!(
                bytes_of(&format!("{url}/mail-{length}/voice.wav")).await,
                pattern(length),
                "{url} {length}"
            );
            assert_eq!(
                bytes_of(&format!("{url}/mail-{length}/%C3%BC%2F%2B")).await,
                b"--second\r\n--"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_sends_no_bytes_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "source"), url(&far, "target"));
    create(&source).await;
    create(&target).await;
    let rev = put(&source, json!({"_id": "mail"})).await;
    let mut rev = attach(&source, "mail", &rev, "voice.wav", pattern(1_000_000)).await;
    replicate(http(&source), http(&target), Spec::default())
        .await
        .unwrap();
    let before = file_bytes(&far, "target").await;
    for at in 0..10 {
        let (_, mut doc) = ask("GET", &format!("{source}/mail"), None).await;
        doc["heard"] = json!(at);
        assert_eq!(doc["_rev"], json!(rev));
        rev = put(&source, doc).await;
        replicate(http(&source), http(&target), Spec::default())
            .await
            .unwrap();
    }
    assert_equal(&source, &target).await;
    assert!(file_bytes(&far, "target").await < before + 900_000);
}

async fn file_bytes(node: &Node, database: &str) -> u64 {
    let (_, info) = ask("GET", &url(node, database), None).await;
    info["sizes"]["active"].as_u64().unwrap()
}
