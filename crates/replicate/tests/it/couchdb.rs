//! CouchDB as source and as target.

use crate::couch::{Couch, Shared, Stored, start};
use crate::world::{World, attachment, edit, leaves, put, replicate};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Encoding};
use trunkline_replicate::{Progress, Spec, run};
use trunkline_store::{Want, WantRevs};

pub(crate) fn add(couch: &Shared, json: serde_json::Value, attachments: &[(&str, Stored)]) {
    let attachments = attachments
        .iter()
        .map(|(name, stored)| ((*name).to_owned(), stored.clone()));
    assert!(couch.lock().put(json, attachments.collect()).is_ok());
}

fn contents(couch: &Couch) -> BTreeMap<String, BTreeMap<String, crate::couch::Leaf>> {
    let docs = couch.docs.iter();
    docs.map(|(id, doc)| (id.clone(), doc.leaves.clone())).collect()
}

fn stub(name: &str) -> AttachmentEdit {
    AttachmentEdit {
        name: name.into(),
        content_type: None,
        revpos: None,
        source: AttachmentSource::Stub { md5: None },
    }
}

#[tokio::test]
async fn everything_passes_through_unchanged_gzip_parts_too() {
    let world = World::new();
    let (source, source_peer) = start().await;
    let (target, target_peer) = start().await;
    add(
        &source,
        json!({"_id": "plain", "_rev": "1-a", "_revisions": {"start": 1, "ids": ["a"]}, "n": 1}),
        &[],
    );
    for (id, ids) in [("b", ["b", "a"]), ("c", ["c", "a"])] {
        let json = json!({"_id": "torn", "_rev": format!("2-{id}"), "_revisions": {"start": 2, "ids": ids}});
        add(&source, json, &[]);
    }
    let revisions = json!({"start": 2, "ids": ["g", "f"]});
    add(
        &source,
        json!({"_id": "gone", "_rev": "2-g", "_deleted": true, "_revisions": revisions}),
        &[],
    );
    let transcript = Stored::gzip(&b"hello ".repeat(500), 1);
    let greeting = Stored::gzip(b"", 2);
    let mail = json!({"_id": "mail", "_rev": "2-n", "_revisions": {"start": 2, "ids": ["n", "m"]}});
    add(
        &source,
        mail,
        &[("a.txt", transcript.clone()), ("b.txt", greeting)],
    );

    let pulled = replicate(source_peer.clone(), world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert_eq!((pulled.progress.docs_written, pulled.refused.len()), (5, 0));
    let want = Want {
        id: "mail".to_owned(),
        revs: WantRevs::All,
    };
    let found = world.database("target").bulk_get(&[want]).unwrap();
    let content = &found[0].as_ref().unwrap().leaves[0].attachments[0].content;
    assert_eq!(content.length, 3000);
    let encoded_length = transcript.bytes.len() as u64;
    assert_eq!(content.encoding, Encoding::Gzip { encoded_length });

    let pushed = replicate(world.peer("target"), target_peer, Spec::default())
        .await
        .unwrap();
    assert_eq!((pushed.progress.docs_written, pushed.refused.len()), (5, 0));
    assert_eq!(contents(&source.lock()), contents(&target.lock()));
    let again = replicate(source_peer, world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(again.no_changes);
    let feeds = source
        .lock()
        .asked
        .iter()
        .filter(|path| path.contains("_changes"))
        .count();
    assert_eq!(feeds, 1, "none where nothing is new");
    assert_eq!(again.progress.through_seq, pulled.progress.through_seq);
}

#[tokio::test]
async fn a_stub_that_the_target_lacks_is_fetched_with_its_bytes() {
    let world = World::new();
    let (couch, peer) = start().await;
    let source = world.database("source");
    let file = vec![attachment(&source, "a", b"voice")];
    let rev = edit(&source, "m", None, "{}", false, file);
    replicate(world.peer("source"), peer.clone(), Spec::default())
        .await
        .unwrap();
    edit(
        &source,
        "m",
        Some(&rev),
        "{\"heard\":true}",
        false,
        vec![stub("a")],
    );
    let lose = |couch: &Shared| {
        let mut couch = couch.lock();
        let leaf = couch
            .docs
            .get_mut("m")
            .unwrap()
            .leaves
            .values_mut()
            .next()
            .unwrap();
        std::mem::take(&mut leaf.attachments)
    };
    let had = lose(&couch);
    let report = replicate(world.peer("source"), peer, Spec::default())
        .await
        .unwrap();
    assert_eq!((report.progress.docs_written, report.refused.len()), (1, 0));
    assert_eq!(lose(&couch)["a"].bytes, had["a"].bytes);

    // The same the other way round: the source is asked again, without what it took the target to have.
    let (source, source_peer) = start().await;
    let text = Stored::gzip(b"hello", 1);
    add(
        &source,
        json!({"_id": "m", "_rev": "1-m"}),
        &[("a", text.clone())],
    );
    let (target, target_peer) = start().await;
    replicate(source_peer.clone(), target_peer.clone(), Spec::default())
        .await
        .unwrap();
    let edited = json!({"_id": "m", "_rev": "2-n", "_revisions": {"start": 2, "ids": ["n", "m"]}});
    add(&source, edited, &[("a", text.clone())]);
    lose(&target);
    source.lock().asked.clear();
    replicate(source_peer, target_peer, Spec::default())
        .await
        .unwrap();
    assert_eq!(lose(&target)["a"], text);
    let asked = source.lock().asked.clone();
    let opened: Vec<bool> = asked
        .iter()
        .filter(|path| path.contains("open_revs"))
        .map(|path| path.contains("atts_since"))
        .collect();
    assert_eq!(opened, [true, false]);
}

#[tokio::test]
async fn a_source_that_may_only_be_read_is_not_read_from_the_start_each_time() {
    let world = World::new();
    let (couch, peer) = start().await;
    couch.lock().read_only = true;
    add(&couch, json!({"_id": "a", "_rev": "1-a"}), &[]);
    let run = || replicate(peer.clone(), world.peer("target"), Spec::default());
    assert_eq!(run().await.unwrap().progress.revisions_checked, 1);
    assert_eq!(run().await.unwrap().progress.revisions_checked, 0);
    add(&couch, json!({"_id": "b", "_rev": "1-b"}), &[]);
    let third = run().await.unwrap();
    assert_eq!((third.progress.revisions_checked, third.history.len()), (1, 2));
    // Once the source takes checkpoints, both ends count again.
    couch.lock().read_only = false;
    add(&couch, json!({"_id": "c", "_rev": "1-c"}), &[]);
    assert_eq!(run().await.unwrap().progress.revisions_checked, 1);
    couch.lock().locals.clear();
    assert_eq!(run().await.unwrap().progress.revisions_checked, 3);
}

#[tokio::test]
async fn a_source_that_knows_no_seq_any_more_is_read_from_the_start() {
    let world = World::new();
    let (couch, peer) = start().await;
    add(&couch, json!({"_id": "a", "_rev": "1-a"}), &[]);
    let run = |spec| replicate(peer.clone(), world.peer("target"), spec);
    run(Spec::default()).await.unwrap();
    couch.lock().forgets_seqs = true;
    add(&couch, json!({"_id": "b", "_rev": "1-b"}), &[]);
    assert_eq!(run(Spec::default()).await.unwrap().progress.revisions_checked, 2);
    assert_eq!(leaves(&world.database("target")).len(), 2);
    let spec = Spec {
        since_seq: Some("\"1-g1AAAA\"".to_owned()),
        ..Spec::default()
    };
    let error = run(spec).await.unwrap_err();
    assert_eq!(error.kind, trunkline_replicate::PeerErrorKind::Invalid);
}

#[tokio::test]
async fn a_target_restored_from_a_backup_during_a_run_gets_what_it_lost() {
    let world = World::new();
    let (couch, peer) = start().await;
    let source = world.database("source");
    put(&source, "a", None, "{}");
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(world.peer("source"), peer, spec, progress, cancel.clone()));
    let recorded = |progress: &Progress| {
        progress.through_seq.is_some() && progress.checkpointed_source_seq == progress.through_seq
    };
    watched
        .wait_for(|progress| progress.docs_written == 1 && recorded(progress))
        .await
        .unwrap();
    let backup = couch.lock().clone();
    put(&source, "b", None, "{}");
    watched
        .wait_for(|progress| progress.docs_written == 2 && recorded(progress))
        .await
        .unwrap();
    {
        let mut couch = couch.lock();
        *couch = backup;
        couch.failing = 1;
    }
    put(&source, "c", None, "{}");
    watched
        .wait_for(|progress| progress.docs_written >= 4)
        .await
        .unwrap();
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(couch.lock().docs.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
}
