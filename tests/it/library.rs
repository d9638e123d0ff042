//! The library as an embedder uses it, where the manual's examples do not show it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;
use trunkline::{Database, Edits, Error, Replication, Store};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Cdr {
    caller: String,
    seconds: u32,
}

fn cdr(seconds: u32) -> Cdr {
    Cdr {
        caller: "+14155551000".into(),
        seconds,
    }
}

fn open() -> (tempfile::TempDir, Store, Database) {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(temp.path()).unwrap();
    let database = store.database("cdrs").unwrap();
    (temp, store, database)
}

#[test]
fn a_partitioned_store_holds_nothing_outside_of_partitions() {
    let (_temp, store, _) = open();
    let calls = store.create_partitioned("by_account").unwrap();
    assert!(calls.is_partitioned().unwrap());
    calls.put("acme:1", &cdr(1)).unwrap();
    let refused = calls.put("1", &cdr(1)).unwrap_err();
    assert!(refused.to_string().contains("partition:id"), "{refused}");
    assert!(store.create_partitioned("_users").is_err());
}

#[test]
fn what_a_store_holds_is_there_when_it_is_opened_again() {
    let (temp, store, cdrs) = open();
    cdrs.put("a", &cdr(1)).unwrap();
    cdrs.relaxed().put("b", &cdr(2)).unwrap();
    cdrs.put_local("place", &json!({"last": 7})).unwrap();
    store.close().unwrap();
    assert!(matches!(cdrs.get::<Cdr>("a"), Err(Error::Store(_))));

    let store = Store::open(temp.path()).unwrap();
    assert_eq!(store.names(), ["cdrs"]);
    let cdrs = store.existing("cdrs").unwrap();
    let read: Vec<_> = cdrs
        .docs::<Cdr>(..)
        .map(|doc| doc.unwrap().value.seconds)
        .collect();
    assert_eq!(read, [1, 2]);
    assert_eq!(cdrs.local::<Value>("place").unwrap(), Some(json!({"last": 7})));
    store.delete("cdrs").unwrap();
    assert!(store.existing("cdrs").is_err() && store.names().is_empty());
}

#[test]
fn an_edit_of_what_has_changed_is_refused() {
    let (_temp, _store, cdrs) = open();
    cdrs.put("a", &cdr(1)).unwrap();
    let mut mine = cdrs.get::<Cdr>("a").unwrap().unwrap();
    let mut theirs = mine.clone();
    theirs.value.seconds = 2;
    cdrs.save(&mut theirs).unwrap();
    mine.value.seconds = 3;
    let before = mine.rev.clone();
    assert!(cdrs.save(&mut mine).unwrap_err().is_conflict());
    assert_eq!(mine.rev, before);
    assert!(cdrs.delete("a", &before).unwrap_err().is_conflict());
    cdrs.delete("a", &theirs.rev).unwrap();
    assert_eq!(cdrs.get::<Cdr>("a").unwrap(), None);
    // A deleted document may be created again.
    cdrs.put("a", &cdr(4)).unwrap();
}

#[test]
fn a_batch_of_all_or_none_names_the_edit_that_undid_it() {
    let (_temp, _store, cdrs) = open();
    cdrs.put("there", &cdr(1)).unwrap();
    let mut edits = Edits::new();
    edits.put("new", &cdr(2)).unwrap().put("there", &cdr(3)).unwrap();
    let refused = cdrs.write_all(edits.clone()).unwrap_err();
    assert!(
        matches!(&refused, Error::Refused { id, .. } if id == "there"),
        "{refused}"
    );
    assert!(refused.is_conflict());
    assert_eq!(cdrs.get::<Cdr>("new").unwrap(), None);

    let outcomes = cdrs.write(edits).unwrap();
    assert!(outcomes[0].is_ok() && outcomes[1].is_err());
    assert!(cdrs.get::<Cdr>("new").unwrap().is_some());
}

#[test]
fn values_that_are_no_documents_are_refused_with_a_reason() {
    let (_temp, _store, cdrs) = open();
    assert!(cdrs.put("a", &7).unwrap_err().to_string().contains("object"));
    assert!(
        cdrs.put("a", &json!({"_rev": "1-a"}))
            .unwrap_err()
            .to_string()
            .contains("_rev")
    );
    assert!(cdrs.put("_a", &json!({})).is_err());
    cdrs.put("a", &json!({"caller": 7})).unwrap();
    assert!(matches!(cdrs.get::<Cdr>("a"), Err(Error::Value { .. })));
}

#[test]
fn saving_keeps_the_attachments_listed_and_drops_the_others() {
    let (_temp, _store, cdrs) = open();
    cdrs.put("a", &cdr(1)).unwrap();
    let mut doc = cdrs.get::<Cdr>("a").unwrap().unwrap();
    let audio: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    cdrs.attach(&mut doc, "one.wav", "audio/wav", &audio[..]).unwrap();
    cdrs.attach(&mut doc, "two.wav", "audio/wav", &b"RIFF"[..])
        .unwrap();
    doc.value.seconds = 2;
    cdrs.save(&mut doc).unwrap();
    assert_eq!(cdrs.get::<Cdr>("a").unwrap().as_ref(), Some(&doc));

    doc.attachments
        .retain(|attachment| &*attachment.name != "two.wav");
    cdrs.save(&mut doc).unwrap();
    let read = cdrs.get::<Cdr>("a").unwrap().unwrap();
    assert_eq!(read.attachment("two.wav"), None);
    let mut bytes = Vec::new();
    let mut reader = cdrs.open_attachment(read.attachment("one.wav").unwrap()).unwrap();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, audio);
}

#[test]
fn a_follower_gets_every_change_and_ends_with_the_store() {
    let (_temp, store, cdrs) = open();
    let mut changes = cdrs.changes(0).follow();
    assert!(changes.next_timeout(Duration::ZERO).is_none());
    let (tell, told) = std::sync::mpsc::channel();
    let follower = std::thread::spawn(move || {
        for change in changes {
            tell.send(change.unwrap().id).unwrap();
        }
    });
    let ids: Vec<String> = (0..300).map(|n| format!("call-{n}")).collect();
    for id in &ids {
        cdrs.relaxed().put(id, &cdr(1)).unwrap();
    }
    assert_eq!(told.iter().take(300).collect::<Vec<_>>(), ids);
    store.close().unwrap();
    follower.join().unwrap();
    assert_eq!(told.iter().next(), None);
}

#[tokio::test(flavor = "current_thread")]
async fn async_calls_share_commits_on_one_thread() {
    let (_temp, _store, cdrs) = open();
    let cdrs = cdrs.to_async();
    let mut changes = cdrs.changes(0);
    let writers: Vec<_> = (0..100)
        .map(|n| {
            let cdrs = cdrs.clone();
            tokio::spawn(async move { cdrs.put(&format!("call-{n}"), &cdr(n)).await })
        })
        .collect();
    for _ in 0..100 {
        changes.next().await.unwrap().unwrap();
    }
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let mut doc = cdrs.get::<Cdr>("call-7").await.unwrap().unwrap();
    doc.value.seconds = 8;
    cdrs.save(&mut doc).await.unwrap();
    assert_eq!(
        changes.next().await.unwrap().unwrap().value::<Cdr>().unwrap(),
        Some(cdr(8))
    );
    let read: usize = cdrs
        .blocking(|cdrs| Ok(cdrs.docs::<Cdr>(..).count()))
        .await
        .unwrap();
    assert_eq!(read, 100);
}

#[test]
fn a_filtered_replication_moves_what_matches() {
    let (_temp, store, cdrs) = open();
    for seconds in 0..10 {
        cdrs.put(&format!("call-{seconds}"), &cdr(seconds)).unwrap();
    }
    let long = store.database("long").unwrap();
    let selector = "{\"seconds\":{\"$gte\":7}}";
    let report = Replication::local(&cdrs, &long)
        .selector(selector)
        .unwrap()
        .run_blocking()
        .unwrap();
    assert_eq!(report.progress.docs_written, 3);
    let some = store.database("some").unwrap();
    let report = Replication::local(&cdrs, &some)
        .doc_ids(["call-1", "call-2", "none"])
        .run_blocking()
        .unwrap();
    assert_eq!(report.progress.docs_written, 2);
    assert!(
        Replication::local(&cdrs, &some)
            .selector("{\"a\":{\"$no\":1}}")
            .is_err()
    );
    assert!(Replication::pull("no url", &some).is_err());
}

#[test]
fn a_local_document_is_an_object_as_any_other() {
    let (_temp, _store, cdrs) = open();
    assert!(matches!(cdrs.put_local("place", &7), Err(Error::Invalid(_))));
    let reserved = cdrs.put_local("place", &json!({"_id": "x"}));
    assert!(matches!(reserved, Err(Error::Invalid(_))));
    assert_eq!(cdrs.local::<Value>("place").unwrap(), None);
}

#[test]
fn a_local_document_is_deleted() {
    let (_temp, _store, cdrs) = open();
    cdrs.put_local("place", &json!({"last": 7})).unwrap();
    cdrs.delete_local("place").unwrap();
    assert_eq!(cdrs.local::<Value>("place").unwrap(), None);
    cdrs.delete_local("place").unwrap();
}

#[tokio::test]
async fn what_is_not_async_runs_beside_the_runtime() {
    let (temp, store, cdrs) = open();
    cdrs.put("a", &cdr(1)).unwrap();
    let reports = store.blocking(|store| store.database("reports")).await.unwrap();
    // Meant for programs without a runtime; under one it is no more than slow.
    let report = Replication::local(&cdrs, &reports).run_blocking().unwrap();
    assert_eq!(report.progress.docs_written, 1);
    drop(temp);
}
