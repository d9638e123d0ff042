//! Attachment bytes: staged, shared, counted, dropped.

use crate::support::*;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use trunkline_core::attachment::{AttachmentSource, Content, Encoding};
use trunkline_core::doc::Edit;
use trunkline_store::{Batch, Durability, Error, Refused};

/// Files below the database's attachments directory.
fn files(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { files(&path) } else { 1 })
        .sum()
}

#[test]
fn content_is_shared_and_dropped_with_its_last_leaf() {
    let (dir, _store, database) = store();
    let attachments = dir.path().join("databases/calls/attachments");
    for bytes in [vec![7u8; 100], vec![8u8; 100_000]] {
        let mut leaves = Vec::new();
        for id in ["a", "b"] {
            let content = stage(&database, &bytes);
            let edit = with(
                edit(id, None, "{}"),
                vec![named("message.wav", AttachmentSource::Staged(content))],
            );
            leaves.push(one(&database, edit).unwrap().rev);
        }
        let expected_files = usize::from(bytes.len() > 50_000);
        assert_eq!(files(&attachments), expected_files);
        clean(&database);
        let stored = database.get("a", None).unwrap().unwrap().attachments.remove(0);
        assert_eq!(stored.revpos, leaves[0].generation);
        let mut reader = database.open_content(&stored.content).unwrap();
        reader.seek(SeekFrom::Start(90)).unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, bytes[90..]);
        // A stub keeps it, an edit without it drops it.
        let kept = one(
            &database,
            with(
                edit("a", Some(&leaves[0]), r#"{"n":2}"#),
                vec![stub("message.wav")],
            ),
        )
        .unwrap();
        one(&database, deletion("b", Some(&leaves[1]))).unwrap();
        assert_eq!(files(&attachments), expected_files);
        clean(&database);
        one(&database, deletion("a", Some(&kept.rev))).unwrap();
        assert_eq!(files(&attachments), 0);
        assert!(matches!(
            database.open_content(&stored.content),
            Err(Error::Refused(Refused::Missing))
        ));
        clean(&database);
    }
}

#[test]
fn content_that_comes_back_before_its_drop_is_durable_stays() {
    let (_dir, _store, database) = store();
    let bytes = vec![1u8; 50_000];
    let relaxed = |edit: Edit| {
        let batch = Batch {
            edits: vec![edit],
            durability: Durability::Relaxed,
            atomic: false,
            ..Batch::default()
        };
        database.update(batch).unwrap().remove(0).unwrap().rev
    };
    let attach = |id: &str| {
        with(
            edit(id, None, "{}"),
            vec![named("x", AttachmentSource::Staged(stage(&database, &bytes)))],
        )
    };
    let first = relaxed(attach("a"));
    relaxed(deletion("a", Some(&first)));
    relaxed(attach("b"));
    database.flush().unwrap();
    clean(&database);
}

#[test]
fn bytes_staged_twice_outlive_the_first_document_that_took_them() {
    let (dir, _store, database) = store();
    let bytes = vec![2u8; 50_000];
    let attach = |id: &str, content| {
        with(
            edit(id, None, "{}"),
            vec![named("x", AttachmentSource::Staged(content))],
        )
    };
    let (early, late) = (stage(&database, &bytes), stage(&database, &bytes));
    let first = one(&database, attach("a", early)).unwrap().rev;
    one(&database, deletion("a", Some(&first))).unwrap();
    one(&database, attach("b", late)).unwrap();
    clean(&database);
    let second = database.get("b", None).unwrap().unwrap().rev;
    one(&database, deletion("b", Some(&second))).unwrap();
    assert_eq!(files(&dir.path().join("databases/calls/attachments")), 0);
}

#[test]
fn stubs_without_bytes_are_refused() {
    let (_dir, _store, database) = store();
    assert_eq!(
        one(&database, with(edit("a", None, "{}"), vec![stub("x")])),
        Err(Refused::MissingStub("x".into()))
    );
    let first = put(&database, "a", None, "{}");
    let edit = with(edit("a", Some(&first), "{}"), vec![stub("x")]);
    assert_eq!(one(&database, edit), Err(Refused::MissingStub("x".into())));
    let replicated = with(replica("a", 2, &["b", "a"], false, "{}"), vec![stub("x")]);
    assert_eq!(one(&database, replicated), Err(Refused::MissingStub("x".into())));
    let unknown = Content {
        hash: [9; 32],
        md5: [9; 16],
        length: 5,
        encoding: Encoding::Identity,
    };
    let edit = with(
        replica("c", 1, &["b"], false, "{}"),
        vec![named("x", AttachmentSource::Staged(unknown))],
    );
    assert_eq!(one(&database, edit), Err(Refused::NotStaged("x".into())));
    clean(&database);
}

#[test]
fn replicated_stubs_find_the_ancestors_bytes() {
    let (_dir, _store, database) = store();
    let content = stage(&database, b"hello");
    let md5 = content.md5;
    let first = with(
        replica("a", 1, &["a"], false, "{}"),
        vec![named("x", AttachmentSource::Staged(content))],
    );
    one(&database, first).unwrap();
    one(
        &database,
        with(replica("a", 3, &["c", "b", "a"], false, "{}"), vec![stub("x")]),
    )
    .unwrap();
    // The ancestor's body is gone now, but another leaf has these bytes under that name.
    let by_digest = named("x", AttachmentSource::Stub { md5: Some(md5) });
    one(
        &database,
        with(replica("a", 2, &["z", "a"], false, "{}"), vec![by_digest]),
    )
    .unwrap();
    for rev_text in ["3-c", "2-z"] {
        let leaf = database.get("a", Some(&rev(rev_text))).unwrap().unwrap();
        assert_eq!(leaf.attachments[0].content.md5, md5);
    }
    clean(&database);
}

#[test]
fn staging_leaves_nothing_behind() {
    let (dir, _store, database) = store();
    let attachments = dir.path().join("databases/calls/attachments");
    let mut staging = database.stage(None).unwrap();
    staging.write_all(&vec![0; 100_000]).unwrap();
    assert_eq!(files(&attachments), 1);
    drop(staging);
    assert_eq!(files(&attachments), 0);
    let content = stage(&database, &vec![0; 100_000]);
    database.unstage(&content);
    assert_eq!(files(&attachments), 0);
    put(&database, "taken", None, "{}");
    let content = stage(&database, &vec![0; 100_000]);
    let refused = with(
        edit("taken", None, "{}"),
        vec![named("x", AttachmentSource::Staged(content))],
    );
    assert_eq!(one(&database, refused), Err(Refused::Conflict));
    assert_eq!(files(&attachments), 0);
}

#[test]
fn gzip_is_kept_as_it_came() {
    let (_dir, _store, database) = store();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&vec![b'x'; 50_000]).unwrap();
    let gzip = encoder.finish().unwrap();
    let mut staging = database.stage(None).unwrap();
    staging.write_all(&gzip).unwrap();
    let content = staging.finish_gzip().unwrap();
    assert_eq!(content.length, 50_000);
    assert_eq!(
        content.encoding,
        Encoding::Gzip {
            encoded_length: gzip.len() as u64
        }
    );
    let mut staging = database.stage(None).unwrap();
    staging.write_all(b"not gzip").unwrap();
    assert!(matches!(
        staging.finish_gzip(),
        Err(Error::Refused(Refused::BadAttachment(_)))
    ));
}
