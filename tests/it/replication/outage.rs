//! A link that is down for a while between two nodes that are both written to.

use super::world::{assert_equal, create, node, url};
use crate::link::Link;
use crate::node::{Node, ask};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// Writes each second to each node.
const RATE: usize = 500;
/// Documents of one request.
const BATCH: usize = 25;

/// Seconds that the link is down: an hour, scaled. `OUTAGE_SECONDS` for another number.
fn outage() -> Duration {
    let seconds = std::env::var("OUTAGE_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

fn write(url: String, prefix: &'static str) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(1) * BATCH as u32 / RATE as u32);
        for first in (0..).step_by(BATCH) {
            tick.tick().await;
            let docs: Vec<_> = (first..first + BATCH)
                .map(|at| json!({"_id": format!("{prefix}-{at:09}"), "n": at, "state": "hangup"}))
                .collect();
            let (status, answer) =
                ask("POST", &format!("{url}/_bulk_docs"), Some(json!({"docs": docs}))).await;
            assert_eq!(status, 201, "{answer}");
        }
    }))
}

async fn count(url: &str) -> u64 {
    ask("GET", url, None).await.1["doc_count"].as_u64().unwrap()
}

fn resident_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Seconds that each of a node's jobs says it is behind, the longest.
async fn lag(node: &Node) -> f64 {
    let jobs = ask("GET", &format!("{}/_scheduler/jobs", node.url), None).await.1;
    let lags = jobs["jobs"].as_array().unwrap().iter();
    lags.map(|job| job["info"]["lag_seconds"].as_f64().unwrap_or(f64::INFINITY))
        .fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_both_nodes_are_level_within_seconds_and_no_larger() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (here, there) = (url(&near, "cdrs"), url(&far, "cdrs"));
    create(&here).await;
    create(&there).await;
    let link = Link::to(far.address()).await;
    let over = format!("{}/cdrs", link.url());
    ask("PUT", &format!("{}/_replicator", near.url), None).await;
    for (id, source, target) in [("push", "cdrs", over.as_str()), ("pull", over.as_str(), "cdrs")] {
        let job = json!({"source": source, "target": target, "continuous": true});
        let put = ask("PUT", &format!("{}/_replicator/{id}", near.url), Some(job)).await;
        assert_eq!(put.0, 201, "{}", put.1);
    }
    let writers = [write(here.clone(), "near"), write(there.clone(), "far")];
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = [resident_kib(&near), resident_kib(&far)];

    link.cut();
    tokio::time::sleep(outage()).await;
    let behind = lag(&near).await;
    assert!(
        behind > outage().as_secs_f64() - 5.0,
        "a job that is cut off says {behind} s"
    );
    let up = ask("GET", &format!("{}/_up?max_lag=5", near.url), None).await;
    assert_eq!(up.0, 503, "{}", up.1);

    link.heal();
    let healed = Instant::now();
    // Level: what both had written two seconds ago, both have.
    loop {
        let written = [count(&here).await, count(&there).await];
        let floor = written.iter().max().unwrap() - (2 * RATE) as u64;
        if lag(&near).await < 2.0 && *written.iter().min().unwrap() > floor {
            break;
        }
        assert!(
            healed.elapsed() < Duration::from_secs(10),
            "{written:?} ten seconds after the link is up, {} s behind",
            lag(&near).await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("level {:?} after an outage of {:?}", healed.elapsed(), outage());
    drop(writers);
    for (node, before) in [&near, &far].into_iter().zip(before) {
        let now = resident_kib(node);
        assert!(
            now < before + (64 << 10),
            "{before} KiB before the outage, {now} after"
        );
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while count(&here).await != count(&there).await {
        assert!(Instant::now() < deadline, "the rest does not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_equal(&here, &there).await;
}
