//! A node that is there and says nothing: its sockets stand, and the process is stopped.

use super::attachments::{attach, pattern};
use super::world::{assert_equal, create, fill, http, node, put, url};
use crate::node::{Node, ask};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;
use trunkline_core::attachment::{AttachmentSource, Content};
use trunkline_replicate::peer::{ChangesAsk, DocContent};
use trunkline_replicate::{Peer, PeerErrorKind};

/// Longer than anything may wait for a silent peer.
const PATIENCE: Duration = Duration::from_secs(90);
/// More than the windows and queues of a connection hold.
const VOICE_BYTES: usize = 24 << 20;

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

fn feed_ask(continuous: bool, docs: bool) -> ChangesAsk {
    ChangesAsk {
        continuous,
        docs: Arc::new(AtomicBool::new(docs)),
        contents: true,
        ..ChangesAsk::default()
    }
}

/// The only content that a database's documents name.
async fn content_of(peer: &Arc<dyn Peer>) -> Content {
    let mut feed = peer.changes(feed_ask(false, true)).await.unwrap();
    while let Some(changes) = feed.next().await {
        for doc in changes.unwrap().rows.into_iter().flat_map(|row| row.docs) {
            if let DocContent::Edit(edit) = doc.content
                && let Some(AttachmentSource::Staged(content)) =
                    edit.attachments.into_iter().map(|one| one.source).next()
            {
                return content;
            }
        }
    }
    panic!("no attachment")
}

async fn until_status(url: &str, status: u16) -> serde_json::Value {
    in_time(async {
        loop {
            let (now, answer) = ask("GET", url, None).await;
            if now == status {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

/// Both ways of a job, by the node that goes on.
async fn start_jobs(near: &Node, here: &str, there: &str) {
    for (source, target) in [(here, there), (there, here)] {
        let body = json!({"source": source, "target": target, "continuous": true});
        let (status, answer) = ask("POST", &format!("{}/_replicate", near.url), Some(body)).await;
        assert_eq!(status, 202, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_with_a_stopped_node_show_as_behind_and_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (here, there) = (url(&near, "calls"), url(&far, "calls"));
    create(&here).await;
    create(&there).await;
    start_jobs(&near, "calls", &there).await;
    fill(&here, "before-", 100).await;
    let up = format!("{}/_up?max_lag=5", near.url);
    until_status(&format!("{there}/before-000099"), 200).await;
    until_status(&up, 200).await;

    far.signal("-STOP");
    fill(&here, "during-", 100).await;
    let behind = until_status(&up, 503).await;
    assert!(behind.to_string().contains("calls"), "{behind}");
    // The feed from there, which had nothing to say anyway, is not believed to stand.
    in_time(async {
        loop {
            let jobs = ask("GET", &format!("{}/_scheduler/jobs", near.url), None).await.1;
            let jobs = jobs["jobs"].as_array().unwrap().clone();
            let failed = |job: &serde_json::Value| job["info"]["last_error"].is_string();
            if jobs.len() == 2 && jobs.iter().all(failed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;

    far.signal("-CONT");
    fill(&there, "after-", 10).await;
    until_status(&format!("{here}/after-000009"), 200).await;
    until_status(&format!("{there}/during-000099"), 200).await;
    until_status(&up, 200).await;
    assert_equal(&here, &there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_ever_for_a_stopped_node() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (here, there) = (url(&near, "calls"), url(&far, "calls"));
    create(&here).await;
    create(&there).await;
    let voice = Bytes::from(pattern(VOICE_BYTES));
    for (database, doc) in [(&here, "up"), (&there, "down")] {
        let rev = put(database, json!({"_id": doc})).await;
        attach(database, doc, &rev, doc, [doc.as_bytes(), &voice].concat()).await;
    }
    let (source, target) = (http(&here), http(&there));
    assert!(source.info().await.unwrap().exchanges && target.info().await.unwrap().exchanges);
    let (up, down) = (content_of(&source).await, content_of(&target).await);
    let up_bytes = Bytes::from([&b"up"[..], &voice].concat());
    let mut feed = target.changes(feed_ask(true, false)).await.unwrap();
    feed.next().await.unwrap().unwrap();
    let mut arriving = target.content(&down, None, 0).await.unwrap();
    arriving.recv().await.unwrap().unwrap();
    let (chunks, bytes) = mpsc::channel(1);
    let (sender, content, all) = (Arc::clone(&target), up.clone(), up_bytes.clone());
    let upload = tokio::spawn(async move { sender.put_content(&content, 0, bytes).await });
    chunks.send(Ok(all.slice(..1 << 20))).await.unwrap();
    chunks.send(Ok(all.slice(1 << 20..2 << 20))).await.unwrap();
    // The first was taken.
    chunks.reserve().await.unwrap();

    far.signal("-STOP");
    let rest = tokio::spawn(async move {
        for chunk in all.slice(2 << 20..).chunks(1 << 20) {
            if chunks.send(Ok(Bytes::copy_from_slice(chunk))).await.is_err() {
                return;
            }
        }
        // As a source that has more to come.
        chunks.closed().await;
    });
    let unavailable = |error: trunkline_replicate::PeerError| {
        assert_eq!(error.kind, PeerErrorKind::Unavailable, "{error}");
    };
    let download = async {
        while let Some(chunk) = arriving.recv().await {
            if let Err(error) = chunk {
                return unavailable(error);
            }
        }
        panic!("it came whole")
    };
    let followed = async {
        loop {
            if let Err(error) = feed.next().await.unwrap() {
                return unavailable(error);
            }
        }
    };
    let looked = async { unavailable(target.info().await.unwrap_err()) };
    let written = async { unavailable(target.bulk_docs(Vec::new(), Some(log())).await.unwrap_err()) };
    let upload = async { unavailable(upload.await.unwrap().unwrap_err()) };
    let ((), (), (), (), ()) =
        in_time(async { tokio::join!(download, followed, looked, written, upload) }).await;
    in_time(rest).await.unwrap();

    far.signal("-CONT");
    // It may have read all, a part, or nothing of what came before the cut.
    in_time(async {
        loop {
            if let Ok(begun) = target.content_begun(&up).await {
                let (chunks, bytes) = mpsc::channel(1);
                let rest = up_bytes.slice(usize::try_from(begun).unwrap()..);
                tokio::spawn(async move { chunks.send(Ok(rest)).await });
                match target.put_content(&up, begun, bytes).await {
                    Ok(()) => return,
                    Err(error) => unavailable(error),
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let mut feed = target.changes(feed_ask(true, false)).await.unwrap();
    in_time(feed.next()).await.unwrap().unwrap();
    assert!(target.bulk_docs(Vec::new(), Some(log())).await.is_ok());
}

fn log() -> trunkline_replicate::peer::LogWrite {
    trunkline_replicate::peer::LogWrite {
        replication_id: "run".to_owned(),
        number: 0,
        body: "{}".to_owned(),
    }
}
