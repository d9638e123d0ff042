//! The exchange between two of our own nodes, over HTTP.

use super::world::{assert_equal, create, http, node, put, replicate, url};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;
use trunkline_core::attachment::{AttachmentSource, Content};
use trunkline_replicate::peer::{ChangesAsk, DocContent, LogWrite};
use trunkline_replicate::{Peer, PeerErrorKind, Spec};

fn ask_for_all(continuous: bool) -> ChangesAsk {
    ChangesAsk {
        continuous,
        docs: Arc::new(AtomicBool::new(true)),
        contents: true,
        ..ChangesAsk::default()
    }
}

/// The contents that the documents of a feed's first rows name.
async fn contents(peer: &Arc<dyn Peer>) -> (Vec<Content>, Vec<trunkline_replicate::peer::Doc>) {
    let mut feed = peer.changes(ask_for_all(false)).await.unwrap();
    let changes = feed.next().await.unwrap().unwrap();
    let docs: Vec<_> = changes.rows.into_iter().flat_map(|row| row.docs).collect();
    let mut contents = Vec::new();
    for doc in &docs {
        let DocContent::Edit(edit) = &doc.content else {
            panic!("{doc:?}")
        };
        contents.extend(
            edit.attachments
                .iter()
                .map(|attachment| match &attachment.source {
                    AttachmentSource::Staged(content) => content.clone(),
                    other => panic!("{other:?}"),
                }),
        );
    }
    (contents, docs)
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_on_where_a_cut_left_off_and_documents_come_with_their_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (here, there) = (url(&near, "source"), url(&far, "target"));
    create(&here).await;
    create(&there).await;
    let voice = "ring ".repeat(100_000);
    let data = trunkline_wire::attachments::base64(voice.as_bytes());
    let rev = put(
        &here,
        json!({ "_id": "call", "_attachments": { "voice": { "data": data } } }),
    )
    .await;
    put(
        &here,
        json!({ "_id": "call", "_rev": rev, "n": 2, "_attachments": { "voice": { "stub": true } } }),
    )
    .await;

    let (source, target) = (http(&here), http(&there));
    assert!(source.info().await.unwrap().exchanges && target.info().await.unwrap().exchanges);
    let (contents, docs) = contents(&source).await;
    let content = contents.first().unwrap();
    assert_eq!(target.lacking(&contents).await.unwrap(), contents);
    let log = LogWrite {
        replication_id: "run".to_owned(),
        number: 0,
        body: "{}".to_owned(),
    };

    // The source goes away in the middle.
    let (sender, bytes) = mpsc::channel(1);
    let all = Bytes::from(voice.clone());
    let half = all.slice(..300_000);
    tokio::spawn(async move {
        sender.send(Ok(half)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let gone = trunkline_replicate::PeerError::new("source", PeerErrorKind::Unavailable, "gone");
        let _ = sender.send(Err(gone)).await;
    });
    let error = target.put_content(content, 0, bytes).await.unwrap_err();
    assert_eq!(error.reason, "gone");
    let begun = loop {
        match target.content_begun(content).await.unwrap() {
            0 => tokio::time::sleep(Duration::from_millis(5)).await,
            begun => break begun,
        }
    };
    assert!(begun <= 300_000);

    let mut rest = source.content(content, None, begun).await.unwrap();
    let (sender, bytes) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(chunk) = rest.recv().await {
            sender.send(chunk).await.unwrap();
        }
    });
    target.put_content(content, begun, bytes).await.unwrap();
    assert!(target.lacking(&contents).await.unwrap().is_empty());
    let written = target.bulk_docs(docs, Some(log)).await.unwrap();
    assert_eq!((written.refused.len(), written.log_number), (0, Some(1)));
    assert!(target.replication_log("run").await.unwrap().is_some());
    let (mut arriving, mut arrived) = (target.content(content, None, 0).await.unwrap(), Vec::new());
    while let Some(chunk) = arriving.recv().await {
        arrived.extend_from_slice(&chunk.unwrap());
    }
    assert!(arrived == voice.as_bytes());
    assert_equal(&here, &there).await;
    let report = replicate(source, target, Spec::default()).await.unwrap();
    assert_eq!(report.progress.docs_written, 0);
}

/// All of them on one connection, on which no feed waits for another.
#[tokio::test(flavor = "multi_thread")]
async fn many_feeds_of_one_server_follow_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let near = node(dir.path(), "near");
    let here = url(&near, "source");
    create(&here).await;
    let mut feeds = Vec::new();
    for _ in 0..500 {
        let peer = http(&here);
        assert!(peer.info().await.unwrap().exchanges);
        feeds.push(peer.changes(ask_for_all(true)).await.unwrap());
    }
    put(&here, json!({ "_id": "call" })).await;
    for feed in &mut feeds {
        let changes = tokio::time::timeout(Duration::from_secs(60), feed.next()).await;
        let changes = changes.unwrap().unwrap().unwrap();
        assert_eq!(&*changes.rows[0].id, "call");
        assert!(changes.oldest_ms.is_some());
    }
    #[cfg(target_os = "linux")]
    {
        let address = near.address().trim_end_matches('/').to_owned();
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        // This test's end of connections: established ones to the server's port.
        let open = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let to_server = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[2].ends_with(&format!(":{port:04X}")) && fields[3] == "01"
        };
        let connections = open.lines().skip(1).filter(to_server).count();
        assert!(connections < 20, "{connections} connections");
    }
}
