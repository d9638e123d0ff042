//! Contents that documents name before their bytes have come.

use crate::support::*;
use std::io::{Read, Write};
use std::path::Path;
use trunkline_core::attachment::{AttachmentSource, Content, Encoding};
use trunkline_core::doc::Edit;
use trunkline_store::{Database, Error, Refused, Store};

fn later(id: &str, digest: &str, content: &Content) -> Edit {
    let source = AttachmentSource::Later(content.clone());
    with(replica(id, 1, &[digest], false, "{}"), vec![named("x", source)])
}

fn read(database: &Database, content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    database
        .open_content(content)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn bytes_of(database: &Database) -> (u64, u64) {
    let info = database.info().unwrap();
    (info.active_bytes, info.external_bytes)
}

#[test]
fn bytes_may_come_after_the_documents_that_name_them() {
    for length in [100, 100_000] {
        let bytes = vec![7; length];
        let content = content_of(&bytes);
        let (dir, store, database) = store();
        let twice = [content.clone(), content.clone()];
        assert_eq!(database.lacking(&twice).unwrap(), twice[..1]);
        let first = one(&database, later("a", "one", &content)).unwrap().rev;
        let (active, external) = bytes_of(&database);
        assert!(active < 500 && external >= length as u64);
        one(&database, later("b", "one", &content)).unwrap();
        assert!(
            matches!(database.open_content(&content), Err(Error::ContentAbsent(hash)) if hash == content.hash)
        );
        assert_eq!(database.absent(None, 9).unwrap(), std::slice::from_ref(&content));
        assert_eq!(database.absent(Some(content.hash), 9).unwrap(), []);
        // A stub is as good as the attachment it stands for.
        one(&database, with(edit("a", Some(&first), "{}"), vec![stub("x")])).unwrap();
        clean(&database);
        database.compact().unwrap();
        drop((database, store));
        let store = Store::open(dir.path()).unwrap();
        let database = store.database(&name("calls")).unwrap();
        assert_eq!(database.absent(None, 9).unwrap(), std::slice::from_ref(&content));

        assert_eq!(stage(&database, &bytes), content);
        assert!(
            database
                .lacking(std::slice::from_ref(&content))
                .unwrap()
                .is_empty()
        );
        let seq = database.last_seq().unwrap();
        assert!(database.supply(&content).unwrap());
        assert_eq!(database.last_seq().unwrap(), seq);
        assert_eq!(read(&database, &content), bytes);
        assert_eq!(database.absent(None, 9).unwrap(), []);
        assert!(bytes_of(&database).0 >= length as u64);
        clean(&database);
    }
}

#[test]
fn what_nobody_names_is_not_waited_for() {
    let (_dir, _store, database) = store();
    let content = content_of(b"hello");
    let first = one(&database, later("a", "one", &content)).unwrap().rev;
    one(&database, edit("a", Some(&first), "{}")).unwrap();
    assert_eq!(database.absent(None, 9).unwrap(), []);
    clean(&database);
    assert!(!database.supply(&content).unwrap());
    // Staged, it stays so until an edit takes it.
    stage(&database, b"hello");
    assert!(!database.supply(&content).unwrap());
    let source = AttachmentSource::Staged(content.clone());
    one(&database, with(edit("b", None, "{}"), vec![named("x", source)])).unwrap();
    assert_eq!(read(&database, &content), b"hello");
    assert!(database.supply(&content).unwrap());
    clean(&database);
}

#[test]
fn staged_bytes_are_those_of_all_that_wait_for_them() {
    let (_dir, _store, database) = store();
    let content = content_of(b"hello");
    one(&database, later("a", "one", &content)).unwrap();
    let source = AttachmentSource::Staged(content.clone());
    let by_hash = || with(edit("b", None, "{}"), vec![named("x", source.clone())]);
    assert_eq!(one(&database, by_hash()), Err(Refused::NotStaged("x".into())));
    stage(&database, b"hello");
    one(&database, by_hash()).unwrap();
    assert_eq!(read(&database, &content), b"hello");
    clean(&database);

    // Also where the revision that brings them is here already, and where both come in one commit.
    let other = content_of(b"other");
    one(&database, later("c", "one", &other)).unwrap();
    let again = AttachmentSource::Staged(stage(&database, b"other"));
    one(
        &database,
        with(replica("c", 1, &["one"], false, "{}"), vec![named("x", again)]),
    )
    .unwrap();
    assert_eq!(read(&database, &other), b"other");
    let third = stage(&database, b"third");
    let staged = named("x", AttachmentSource::Staged(third.clone()));
    let outcomes = update(
        &database,
        vec![
            later("d", "one", &third),
            with(edit("e", None, "{}"), vec![staged]),
        ],
    );
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(read(&database, &third), b"third");
    clean(&database);
}

#[test]
fn what_is_described_as_other_bytes_is_refused() {
    let (_dir, _store, database) = store();
    let content = content_of(b"hello");
    let longer = Content {
        length: 6,
        ..content.clone()
    };
    let is_bad = |edit| matches!(one(&database, edit), Err(Refused::BadAttachment(_)));
    one(&database, later("a", "one", &longer)).unwrap();
    assert!(is_bad(later("b", "one", &content)));
    stage(&database, b"hello");
    assert!(matches!(
        database.supply(&content),
        Err(Error::Refused(Refused::BadAttachment(_)))
    ));
    assert!(is_bad(later("b", "one", &longer)));
    let outcomes = update(
        &database,
        vec![
            later("c", "one", &content_of(b"two")),
            later(
                "d",
                "one",
                &Content {
                    length: 9,
                    ..content_of(b"two")
                },
            ),
        ],
    );
    assert!(outcomes[0].is_ok() && outcomes[1].is_err());
    let by_client = AttachmentSource::Later(content_of(b"new"));
    assert!(is_bad(with(edit("e", None, "{}"), vec![named("x", by_client)])));
    clean(&database);
}

#[test]
fn gzip_is_remembered() {
    let (_dir, _store, database) = store();
    let content = Content {
        length: 1000,
        encoding: Encoding::Gzip { encoded_length: 77 },
        ..content_of(b"")
    };
    one(&database, later("a", "one", &content)).unwrap();
    assert_eq!(database.absent(None, 9).unwrap(), [content]);
    clean(&database);
}

#[test]
fn an_upload_knows_how_far_it_came() {
    let (_dir, _store, database) = store();
    let mut staging = database.stage(None).unwrap();
    staging.write_all(&[1; 9]).unwrap();
    staging.write_all(&[1; 90_000]).unwrap();
    assert_eq!(staging.bytes_staged(), 90_009);
    assert_eq!(staging.finish().unwrap(), content_of(&[1; 90_009]));
}

#[test]
fn compaction_removes_the_file_that_a_failed_commit_left() {
    let (dir, _store, database) = store();
    let content = content_of(&[7; 100_000]);
    one(&database, later("a", "one", &content)).unwrap();
    let hash = blake3::Hash::from_bytes(content.hash).to_hex();
    let fan = dir.path().join("databases/calls/attachments").join(&hash[..2]);
    std::fs::create_dir_all(&fan).unwrap();
    let file = Path::new(&fan).join(hash.as_str());
    std::fs::write(&file, "half").unwrap();
    clean(&database);
    database.compact().unwrap();
    assert!(!file.exists());
}
