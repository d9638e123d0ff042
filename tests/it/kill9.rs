//! The server killed with -9 under load, again and again: every acknowledged document is there afterwards.

use crate::node::{Node, ask, client, ok};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const KILLS: u64 = 20;
const WRITERS: u64 = 6;
/// Acknowledged writes after which a round ends: every round is under load when the kill comes, on any machine.
const ACKNOWLEDGED_PER_ROUND: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_documents_survive_every_kill() {
    let temp = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, String> = BTreeMap::new();
    let node = Node::start(temp.path());
    assert_eq!(ask("PUT", &format!("{}/cdrs", node.url), None).await.0, 201);
    node.kill();
    for round in 0..KILLS {
        let node = Node::start(temp.path());
        let url = format!("{}/cdrs", node.url);
        verify(&url, &acknowledged).await;
        let count = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write(url.clone(), round, writer, count.clone())))
            .collect();
        let all_gone = || writers.iter().all(|writer| writer.is_finished());
        while count.load(Ordering::Acquire) < ACKNOWLEDGED_PER_ROUND && !all_gone() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::task::spawn_blocking(move || node.kill()).await.unwrap();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        assert_eq!(
            ok(&["check", temp.path().to_str().unwrap()]),
            "1 database checked, nothing wrong\n"
        );
    }
    assert!(acknowledged.len() as u64 >= KILLS * ACKNOWLEDGED_PER_ROUND);
    let node = Node::start(temp.path());
    verify(&format!("{}/cdrs", node.url), &acknowledged).await;
}

/// Writes until the server is gone: single documents, batches, edits of what was written, each in its turn. Answers
/// what was acknowledged: the newest revision of each document.
async fn write(url: String, round: u64, writer: u64, count: Arc<AtomicU64>) -> BTreeMap<String, String> {
    let client = client();
    let mut acknowledged = BTreeMap::new();
    for number in 0.. {
        let id = format!("call-{round}-{writer}-{number}");
        let doc = |id: &str| json!({"_id": id, "seconds": number, "text": "x".repeat(300)});
        let request = match number % 3 {
            0 => client.put(format!("{url}/{id}")).body(doc(&id).to_string()),
            1 => {
                let docs: Vec<Value> = (0..10).map(|part| doc(&format!("{id}-{part}"))).collect();
                client
                    .post(format!("{url}/_bulk_docs"))
                    .body(json!({"docs": docs}).to_string())
            }
            // An edit of what the writer wrote first in this turn.
            _ => {
                let id = format!("call-{round}-{writer}-{}", number - 2);
                let Some(rev) = acknowledged.get(&id) else {
                    continue;
                };
                let mut doc = doc(&id);
                doc["_rev"] = Value::from(String::clone(rev));
                client.put(format!("{url}/{id}")).body(doc.to_string())
            }
        };
        let Ok(answer) = request.header("Content-Type", "application/json").send().await else {
            return acknowledged;
        };
        assert_eq!(answer.status().as_u16(), 201);
        let Ok(text) = answer.text().await else {
            return acknowledged;
        };
        let answer: Value = serde_json::from_str(&text).unwrap();
        let rows = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
        for row in rows {
            assert_eq!(row["ok"], true, "{row}");
            let text = |member: &str| row[member].as_str().unwrap().to_owned();
            acknowledged.insert(text("id"), text("rev"));
        }
        count.fetch_add(1, Ordering::Release);
    }
    acknowledged
}

/// Every acknowledged revision is there, or one that follows it (the edit whose answer the kill swallowed).
async fn verify(url: &str, acknowledged: &BTreeMap<String, String>) {
    let ids: Vec<&String> = acknowledged.keys().collect();
    let asked: BTreeMap<&String, Vec<&String>> =
        acknowledged.iter().map(|(id, rev)| (id, vec![rev])).collect();
    let (status, missing) = ask("POST", &format!("{url}/_revs_diff"), Some(json!(asked))).await;
    assert_eq!((status, missing), (200, json!({})), "of {} documents", ids.len());
    let (_, rows) = ask(
        "POST",
        &format!("{url}/_all_docs?include_docs=true"),
        Some(json!({"keys": ids})),
    )
    .await;
    for row in rows["rows"].as_array().unwrap() {
        assert_eq!(row["doc"]["text"].as_str().map(str::len), Some(300), "{row}");
    }
}
