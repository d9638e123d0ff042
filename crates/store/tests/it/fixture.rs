//! A database file of each version of the format, committed once, still opens and says what it said.
//!
//! `TRUNKLINE_WRITE_FIXTURE=1` writes the fixture of the current version anew; never for a version that was released.

use crate::support::*;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::LocalId;
use trunkline_store::Store;

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/v1")
        .join(file)
}

fn voice() -> Vec<u8> {
    (0..40_000u32).map(|n| (n / 100) as u8).collect()
}

#[test]
fn version_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    if std::env::var_os("TRUNKLINE_WRITE_FIXTURE").is_some() {
        write_fixture(dir.path());
    }
    let dir = tempfile::tempdir().unwrap();
    let database_dir = dir.path().join("databases/calls");
    std::fs::create_dir_all(&database_dir).unwrap();
    std::fs::copy(fixture("store"), dir.path().join("store")).unwrap();
    let mut file = std::fs::File::create(database_dir.join("documents.redb")).unwrap();
    let mut packed = flate2::read::GzDecoder::new(std::fs::File::open(fixture("documents.redb.gz")).unwrap());
    std::io::copy(&mut packed, &mut file).unwrap();
    let voice_name = blake3::hash(&voice()).to_hex();
    let fan = database_dir.join("attachments").join(&voice_name[..2]);
    std::fs::create_dir_all(&fan).unwrap();
    std::fs::write(fan.join(voice_name.as_str()), voice()).unwrap();

    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    clean(&database);
    let call = database.get("call-2", None).unwrap().unwrap();
    assert_eq!(call.body.as_str(), r#"{"from":"+4930","seconds":61.0}"#);
    assert_eq!(call.rev.generation, 2);
    let conflict = database.get("conflict", Some(&rev("2-b"))).unwrap().unwrap();
    assert_eq!(conflict.body.as_str(), r#"{"is":"b"}"#);
    assert!(database.get("gone", None).unwrap().unwrap().deleted);
    let voicemail = database.get("voicemail", None).unwrap().unwrap();
    let lengths: Vec<_> = voicemail
        .attachments
        .iter()
        .map(|attachment| attachment.content.length)
        .collect();
    assert_eq!(lengths, [5, 40_000]);
    let mut bytes = Vec::new();
    database
        .open_content(&voicemail.attachments[1].content)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, voice());
    assert_eq!(
        database.get("long", None).unwrap().unwrap().body.as_str().len(),
        6010
    );
    assert_eq!(
        database.local(&LocalId::parse("checkpoint").unwrap()).unwrap(),
        Some((1, r#"{"seq":7}"#.into()))
    );
    assert_eq!(database.purged_infos().unwrap().len(), 1);
    assert_eq!(database.security().unwrap().unwrap(), r#"{"members":{}}"#);
    assert_eq!(database.revs_limit().unwrap(), 50);
    put(&database, "new", None, "{}");
    clean(&database);
}

fn write_fixture(dir: &Path) {
    let store = Store::open(dir).unwrap();
    let database = store.create(&name("calls")).unwrap();
    let first = put(&database, "call-2", None, r#"{"from":"+4930"}"#);
    put(&database, "call-1", None, "{}");
    put(
        &database,
        "call-2",
        Some(&first),
        r#"{"from":"+4930","seconds":61.0}"#,
    );
    for digest in ["b", "c"] {
        one(
            &database,
            replica(
                "conflict",
                2,
                &[digest, "a"],
                false,
                &format!(r#"{{"is":"{digest}"}}"#),
            ),
        )
        .unwrap();
    }
    let gone = put(&database, "gone", None, "{}");
    one(&database, deletion("gone", Some(&gone))).unwrap();
    let purged = put(&database, "purged", None, "{}");
    database.purge(&[(id("purged"), vec![purged])]).unwrap();
    put(
        &database,
        "long",
        None,
        &format!(r#"{{"pad":"{}"}}"#, "p".repeat(6000)),
    );
    let Edit::Interactive(mut voicemail) = edit("voicemail", None, "{}") else {
        unreachable!()
    };
    for (name, bytes) in [("greeting", b"hello".to_vec()), ("message.wav", voice())] {
        let mut staging = database.stage(None).unwrap();
        staging.write_all(&bytes).unwrap();
        voicemail.attachments.push(AttachmentEdit {
            name: name.into(),
            content_type: Some("audio/wav".into()),
            revpos: None,
            source: AttachmentSource::Staged(staging.finish().unwrap()),
        });
    }
    one(&database, Edit::Interactive(voicemail)).unwrap();
    database
        .put_local(&LocalId::parse("checkpoint").unwrap(), 0, Some(r#"{"seq":7}"#))
        .unwrap();
    database.set_security(r#"{"members":{}}"#).unwrap();
    database.set_revs_limit(50).unwrap();
    database.compact().unwrap();
    drop((database, store));
    std::fs::create_dir_all(fixture("")).unwrap();
    std::fs::copy(dir.join("store"), fixture("store")).unwrap();
    let bytes = std::fs::read(dir.join("databases/calls/documents.redb")).unwrap();
    let packed = std::fs::File::create(fixture("documents.redb.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::best());
    packed.write_all(&bytes).unwrap();
    packed.finish().unwrap();
}
